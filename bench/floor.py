"""The least that an answer can cost: a bare route behind the product's own middleware and key check.

Run as `python -m bench.floor DATA_DIR ANSWER SOCKET` beside a running server: it shares the server's database, because
that is where keys are, and answers every search with the bytes of the file ANSWER.
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn
import uvloop
from fastapi import Request, Response

from bench.client import Client
from bench.server import Server, end
from carrel.auth.authenticator import Authenticator
from carrel.entry.supervisor import listen
from carrel.entry.web import Server as Uvicorn
from carrel.infra.db import Database
from carrel.infra.postgres import read_dsn
from carrel.infra.settings import Settings
from carrel.infra.telemetry import logs
from carrel.infra.web import Caller, Cursors, Kit, Router, requires
from carrel.infra.web.app import build

router = Router(prefix="/api/search")


@router.post("", operation_id="search", dependencies=[requires("search")])
async def stored(request: Request) -> Response:
    """The answer that was put in at the start, whatever the question."""
    return Response(request.app.state.answer, media_type="application/json")


@contextlib.contextmanager
def beside(server: Server, answer: bytes) -> Iterator[Client]:
    """Run the floor as a process of its own and give the client that asks it."""
    kept = server.data_dir / "answer.json"
    kept.write_bytes(answer)
    with listen(server.host, 0) as listener, (server.data_dir / "floor.log").open("ab") as log:
        arguments = [str(server.data_dir), str(kept), str(listener.fileno())]
        command = [sys.executable, "-m", "bench.floor", *arguments]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[listener.fileno()]
        )
        try:
            # Whoever asks before it is ready waits: the socket listens already.
            yield Client(server.host, listener.getsockname()[1], server.key)
        finally:
            end(process)


async def serve(data_dir: Path, answer: bytes, listener: socket.socket) -> None:
    """Answer until SIGTERM, with the settings of the product's own API process."""
    settings = Settings()
    app = build([router], settings.objects)
    config = uvicorn.Config(
        app, http="httptools", lifespan="off", log_config=None, access_log=False, server_header=False
    )
    server = Uvicorn(config)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: setattr(server, "should_exit", True))
    database = Database.at(read_dsn(data_dir / "postgres"), settings.database, purpose="floor")
    await database.open()
    authenticator = Authenticator(database)

    async def identify(request: Request) -> Caller:
        return await authenticator.authenticate(request.headers)

    app.state.answer = answer
    app.state.kit = Kit(
        database=database,
        identify=identify,
        providers={},
        cursors=Cursors(bytes(32)),
        json_max_bytes=settings.objects.json_max_bytes,
        upload_max_bytes=settings.objects.upload_max_bytes,
    )
    await server.serve(sockets=[listener])
    await authenticator.close()
    await database.close()


def main(data_dir: str, answer: str, descriptor: str) -> None:
    logs.configure(Settings().log_level, process="floor")
    uvloop.run(serve(Path(data_dir), Path(answer).read_bytes(), socket.socket(fileno=int(descriptor))))


if __name__ == "__main__":
    main(*sys.argv[1:])
