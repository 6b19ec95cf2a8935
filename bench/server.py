"""A real server for the time of a bench: `carrel serve` in a folder of its own, on a free port."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from carrel.auth.keyfile import NAME as KEY_FILE
from carrel.infra import models
from carrel.infra.settings import Settings, inherited_environment

PATIENCE = 120.0
FAREWELL = 20.0
ELSEWHERE = ("DATABASE_URL", "DATABASE_READ_URL", "REDIS_URL", "OBJECT_STORE_URL", "ADMIN_API_KEY")
"""Settings of this shell that would lead the server away from its folder."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready, and how long that took."""

    pid: int
    data_dir: Path
    host: str
    port: int
    key: str
    seconds: float


def convert(cache: Path) -> None:
    """Convert the model into `cache`, which belongs to set-up and not to what is measured."""
    cache.mkdir(parents=True, exist_ok=True)
    models.load(models.resolve(Settings().model.path, data_dir=cache), cache=cache)


@contextlib.contextmanager
def running(folder: Path, cache: Path) -> Iterator[Server]:
    """Start a server on `folder` with the converted model of `cache`; it is gone at the end, however that comes.

    Raises `RuntimeError` with the server's last words when it does not become ready.
    """
    kept = models.cache_folder(folder)
    kept.parent.mkdir(parents=True, exist_ok=True)
    if not kept.is_symlink():
        kept.symlink_to(cache.absolute(), target_is_directory=True)
    changes = dict.fromkeys(ELSEWHERE, "") | {
        "DATA_DIR": str(folder),
        "SERVER_PORT": "0",
        "RATE_LIMIT_ENABLED": "false",
    }
    started = time.perf_counter()
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "carrel", "serve"],
            env=inherited_environment(**changes),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # No .env of the checkout is read there, and an interrupt at the terminal is answered by us alone.
            cwd=folder,
            start_new_session=True,
        )
    try:
        host, port = _address(process, folder)
        seconds = time.perf_counter() - started
        key = (folder / KEY_FILE).read_text(encoding="utf-8").strip()
        yield Server(process.pid, folder, host, port, key, seconds)
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end, and kill it when it does not."""
    process.terminate()
    try:
        process.wait(FAREWELL)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def heed_termination() -> None:
    """Let SIGTERM end this process as an interrupt does, so that no server is left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _address(process: "subprocess.Popen[bytes]", folder: Path) -> tuple[str, int]:
    """Where the server is, once it says that it is ready."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if (found := _told(folder / "run.json", process.pid)) is not None and _is_ready(*found):
            return found
        time.sleep(0.01)
    words = (folder / "server.log").read_text(encoding="utf-8", errors="replace").strip()[-2000:]
    state = "is not ready" if process.poll() is None else f"ended with status {process.returncode}"
    raise RuntimeError(f"The server {state}:\n{words}")


def _told(run_file: Path, pid: int) -> tuple[str, int] | None:
    try:
        told = json.loads(run_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    # A server that was killed leaves its file behind for the next one in this folder.
    parts = urlsplit(told["url"])
    return (parts.hostname, parts.port) if told["pid"] == pid and parts.hostname and parts.port else None


def _is_ready(host: str, port: int) -> bool:
    with contextlib.closing(http.client.HTTPConnection(host, port, timeout=5)) as connection:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.client.OK


def usable_cores() -> int:
    """How many cores this process, and so the server, may use."""
    return len(os.sched_getaffinity(0))
