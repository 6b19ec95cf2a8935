"""A real `carrel serve` for tests: a process of its own on a folder of its own, with everything that belongs to it.

    with Server(tmp_path, model_cache=model_cache, JOB_LEASE="2") as server:
        server.client.post("/api/search", json={"query": "notice period"})

When the block ends the server is stopped, and a process of it that is still there fails the test.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import httpx
import pytest

from carrel.infra.postgres.layout import Layout

SOURCES = Path(__file__).parents[1] / "src"
# The server must not outlive the tests either, however those end.
PROGRAM = """
import sys
from carrel.infra.processes import die_with
from carrel.entry.cli import main

die_with(int(sys.argv.pop(1)))
sys.argv[0] = "carrel"
main()
"""
START_PATIENCE = 60.0
STOP_PATIENCE = 15.0
POLL = 0.02
ROLES = {"carrel.entry.web": "api", "carrel.entry.worker": "worker", "carrel.ingestion.child": "reader"}

Pids = Mapping[str, list[int]]


def shared_model_cache(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of converted models that the parallel workers of one run share: a conversion costs ten seconds."""
    base: Path = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "converted-models"


class Server:
    """`carrel serve` on `folder / "data"`, with `environment` and nothing of ours but PATH and HOME.

    The block starts it, unless that was done before. It may be stopped or killed and started again: the folder stays.
    Only the main thread may start it, because the server dies with the thread that started it.
    """

    def __init__(self, folder: Path, *, model_cache: Path | None = None, **environment: str) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.log = folder / "server.log"
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._client: httpx.Client | None = None
        self._url = ""
        models = self.data_dir / "models"
        models.mkdir(parents=True, exist_ok=True)
        if model_cache is not None and not (models / "cache").exists():
            model_cache.mkdir(parents=True, exist_ok=True)
            (models / "cache").symlink_to(model_cache, target_is_directory=True)

    def __enter__(self) -> Self:
        try:
            if self._process is None:
                self.start()
        except BaseException:
            self.end_all()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            status = self.stop()
            if error is None:
                self.assert_nothing_left()
                assert status in {0, None}, f"the server ended with {status}: {self.said()}"
        finally:
            self.end_all()

    # --- its life

    def start(self, *, wait: bool = True) -> None:
        """Start it and, unless told otherwise, return when it is ready."""
        assert self._process is None or self._process.poll() is not None, "it runs already"
        self._forget_client()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(os.getpid()), "serve"],
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A terminal gives every command a group of its own, and interrupts the group.
                start_new_session=True,
            )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self, patience: float = START_PATIENCE) -> None:
        """Return when the server has announced itself. Fails when it ends before that."""
        end = time.monotonic() + patience
        while not self._is_announced():
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}: {self.said()}"
            assert time.monotonic() < end, f"the server is not ready after {patience} s: {self.said()}"
            time.sleep(POLL)
        self._url = str(self._run_file()["url"])

    def stop(self, number: signal.Signals = signal.SIGTERM, *, patience: float = STOP_PATIENCE) -> int | None:
        """Ask it to end, wait for that, and return its exit status; None when it did not run."""
        self._forget_client()
        if self._process is None or self._process.poll() is not None:
            return None
        if number == signal.SIGINT:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)
        return self._process.wait(patience)

    def kill(self) -> None:
        """`kill -9` of the parent of the tree."""
        self._forget_client()
        self.process.kill()
        self.process.wait()

    def end_all(self) -> None:
        """Kill whatever is left of it, and remove what a killed server leaves outside its folder."""
        self._forget_client()
        for pid in self._everything():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        shutil.rmtree(Layout.of(self.data_dir / "postgres").sockets, ignore_errors=True)

    # --- how to reach it

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was never started"
        return self._process

    @property
    def url(self) -> str:
        """Where it listens, since it was last ready; another port after each start."""
        return self._url

    @property
    def key(self) -> str:
        """The administrator's API key."""
        return (self.data_dir / "admin.key").read_text("utf-8").strip()

    @property
    def client(self) -> httpx.Client:
        """A client with the administrator's key, for as long as this start of the server lives."""
        if self._client is None:
            self._client = self.new_client()
        return self._client

    def new_client(self, timeout: float = 30.0) -> httpx.Client:
        """Another one, for a thread of its own; whoever asks for it closes it."""
        # What the environment says about proxies is not meant for this machine.
        return httpx.Client(base_url=self.url, headers={"X-API-Key": self.key}, timeout=timeout, trust_env=False)

    def environment(self, **changes: str) -> dict[str, str]:
        """What it is started with; with `changes`, for another process on the same folder."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        # The second folder need not exist. It is there because a reader of documents inherits nothing but this path,
        # and shall be known as one of ours even if it were orphaned.
        path = os.pathsep.join([str(SOURCES), str(self.data_dir / "modules")])
        ours = {"DATA_DIR": str(self.data_dir), "SERVER_PORT": "0", "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        return {**kept, **ours, **self._environment, **changes}

    def said(self, lines: int = 20) -> str:
        """The last lines of what it wrote."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    # --- its processes

    def pids(self) -> Pids:
        """Its living processes by role: parent, api, worker, reader (of documents), postgres, backend, other."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for pid, arguments in self._everything().items():
            found[self._role(pid, arguments)].append(pid)
        return dict(found)

    def pid(self, role: str, patience: float = START_PATIENCE) -> int:
        """The process in this role, as soon as there is one."""
        end = time.monotonic() + patience
        while not (found := self.pids().get(role)):
            assert time.monotonic() < end, f"no {role} for {patience} s: {self.said()}"
            time.sleep(POLL)
        return found[0]

    def wait_for_end_of_all(self, patience: float) -> list[str]:
        """Wait until none of its processes is left; what those are that are, after `patience` seconds."""
        end = time.monotonic() + patience
        while (left := self._everything()) and time.monotonic() < end:
            time.sleep(POLL)
        return [f"{pid}: {b' '.join(arguments).decode(errors='replace')}" for pid, arguments in left.items()]

    def assert_nothing_left(self, patience: float = 3.0) -> None:
        left = self.wait_for_end_of_all(patience)
        assert not left, f"left after {patience} s: {left}"

    def _role(self, pid: int, arguments: list[bytes]) -> str:
        if self._process is not None and pid == self._process.pid:
            return "parent"
        for argument in arguments[:8]:
            if (role := ROLES.get(argument.decode("utf-8", "replace"))) is not None:
                return role
        if arguments[0].startswith(b"postgres: "):
            return "backend"
        return "postgres" if arguments[0].endswith(b"/postgres") else "other"

    def _everything(self) -> dict[int, list[bytes]]:
        """Whatever names the folder: in its environment (handed down even to the readers), or in its command line."""
        folder = os.fsencode(self.data_dir)
        mark = Layout.of(self.data_dir / "postgres").mark.encode()
        return {
            pid: arguments.split(b"\0")
            for pid, arguments, environment in _processes()
            if folder in environment or folder in arguments or mark in arguments
        }

    def _run_file(self) -> Mapping[str, object]:
        try:
            told: dict[str, object] = json.loads((self.data_dir / "run.json").read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return told

    def _is_announced(self) -> bool:
        return self._run_file().get("pid") == self.process.pid

    def _forget_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _processes() -> Iterator[tuple[int, bytes, bytes]]:
    """Every living process that may be looked at. One that has ended and waits for its parent has no command line."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if arguments := (entry / "cmdline").read_bytes():
                yield int(entry.name), arguments, _environment(entry)


def _environment(entry: Path) -> bytes:
    with contextlib.suppress(PermissionError):
        return (entry / "environ").read_bytes()
    return b""
