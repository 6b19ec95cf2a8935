"""A server's life on a disk that fills up, told in one JSON line. Usage: full_disk.py FOLDER MODEL_CACHE

The disk is a small one, mounted where only this process and its children see it.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.infra.postgres import sandbox

if TYPE_CHECKING:
    from tests.server import Server

NOT_ALLOWED = 77
SIZE = "290m"
"""A server starts with 200 MB free, and needs about 60 for an empty database."""


def story(folder: Path, cache: Path) -> dict[str, object]:
    # Not before the disk is mounted: these imports start threads, and only a lone thread may enter a namespace.
    from tests.crash.audit import Audit, wait_for_the_end
    from tests.crash.following import until_it_answers
    from tests.server import Server

    told: dict[str, object] = {}
    server = Server(folder, model_cache=cache)
    # Even what it has to say finds no room.
    server.log = server.data_dir / "server.log"
    with server:
        client = Client(server)
        told["with space"] = client.send(0, wait=30)
        told["just before"] = [client.send(number) for number in (1, 2, 3, 4)]
        fill(server.data_dir)
        told["full"] = [client.send(number) for number in (5, 6)]
        told["search"] = client.search(0)
        for role in ("worker", "api"):
            os.kill(server.pid(role), signal.SIGKILL)
        until_it_answers(server)
        told["search after a kill"] = client.search(0)
        os.kill(server.pid("postgres"), signal.SIGKILL)
        (server.data_dir / "filler").unlink()
        until_it_answers(server, "/health/ready")
        told["again"] = [client.send(number, wait=30) for number in (5, 6)]
        told["same parent"] = server.process.poll() is None
        Audit(server, client.post, wait_for_the_end(server)).all_of_it()
    return told


class Client:
    def __init__(self, server: "Server") -> None:
        from tests.crash.load import Post

        self.server, self.post = server, Post()

    def send(self, number: int, **parameters: int) -> list[object]:
        from tests.crash.load import Letter

        letter = Letter.number(number, sentences=300)
        answer = self.server.client.post("/api/documents", params=parameters, **letter.body())
        told = answer.json()
        if answer.is_success:
            self.post.accepted[told["id"]] = letter
        return [answer.status_code, told.get("code") or told["status"]]

    def search(self, number: int) -> list[object]:
        from tests.crash.load import Letter

        question = {"query": Letter.number(number).word, "type": "keyword"}
        answer = self.server.client.post("/api/search", json=question)
        return [answer.status_code, len(answer.json().get("results", []))]


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as filler:
        for size in (1 << 20, 1 << 12, 1):
            _write_until_full(filler.fileno(), bytes(size))


def _write_until_full(descriptor: int, block: bytes) -> None:
    try:
        while os.write(descriptor, block):
            pass
    except OSError:
        return


def main(folder: Path, cache: Path) -> None:
    disk = folder / "data"
    disk.mkdir()
    try:
        sandbox.mount_tmpfs(disk, SIZE)
    except OSError:
        sys.exit(NOT_ALLOWED)
    sys.stdout.write(json.dumps(story(folder, cache)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
