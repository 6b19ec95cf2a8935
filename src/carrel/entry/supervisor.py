"""The parent of everything on one machine. Holds no data, imports little, and may die at any moment."""

import asyncio
import contextlib
import errno
import http.client
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from carrel.core.errors import Problem
from carrel.entry.children import GIVE_UP, Child
from carrel.entry.keeper import Keeper
from carrel.infra import models
from carrel.infra.models import layout
from carrel.infra.models.conversion import converted
from carrel.infra.models.files import remembered_sha256_of
from carrel.infra.postgres import EmbeddedPostgres
from carrel.infra.postgres.layout import Layout
from carrel.infra.postgres.lock import open_lock, read_owner, try_lock
from carrel.infra.settings import Settings

LEAST_FREE_BYTES = 200 * 2**20
STOP_PATIENCE = 2.5
DATABASE_PATIENCE = 1.2
"""Seconds that children and then the database have to end by themselves: all is over within five."""
DSN_VARIABLE = "DATABASE_URL"
DATABASE_FOLDER = "postgres"
RUN_FILE = "run.json"


class AlreadyRunning(Problem):
    """Another server runs on this data directory."""

    code, title, status = "already-running", "The server runs already", 503


class PortTaken(Problem):
    """Another program listens where the API should."""

    code, title, status = "port-taken", "The port is taken", 503


class FolderNotWritable(Problem):
    """The data directory cannot be written to."""

    code, title, status = "data-folder-not-writable", "The data directory cannot be written to", 503


class DiskNearlyFull(Problem):
    """There is too little space left to start safely."""

    code, title, status = "disk-nearly-full", "There is too little disk space", 507


Tell = Callable[[str], None]


def _heard_or_not(tell: Tell) -> Tell:
    """The disk under its log may be full or its terminal gone: that must not end a server that only wants to say so."""

    def try_to_tell(line: str) -> None:
        with contextlib.suppress(OSError):
            tell(line)

    return try_to_tell


class _ToldToStop(BaseException):
    """A signal came while something was under way that takes long and may be broken off."""


@dataclass(slots=True)
class Supervisor:
    """Runs PostgreSQL (unless one is given), the API and a worker, and keeps them running until told to stop."""

    settings: Settings
    tell: Tell
    with_web: bool = True
    with_worker: bool = True
    _postgres: EmbeddedPostgres | None = None
    _keeper: Keeper | None = None
    _children: list[Child] = field(default_factory=list)
    _stopping: bool = False
    _breakable: bool = False

    def __post_init__(self) -> None:
        self.tell = _heard_or_not(self.tell)

    def run(self, ready: Callable[[str, Path], None]) -> int:
        """Start, call `ready` once with address and data directory, stay until a signal; return the exit status."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        data_dir = prepare_folder(self.settings.data_dir)
        if self.settings.database.url is None:
            refuse_a_second(data_dir)
        listener = listen(self.settings.server.host, self.settings.server.port) if self.with_web else None
        # Looked for now, so that a missing model is said before a database is created.
        model = models.resolve(self.settings.model.path, data_dir=data_dir)
        try:
            with self._broken_off_by_a_signal():
                dsn = self._start_database(data_dir)
                self._convert(model, data_dir)
            self._make_children(dsn, listener)
            return self._watch(data_dir, listener, ready)
        except _ToldToStop:
            return 0
        finally:
            self._end(data_dir)

    def _start_database(self, data_dir: Path) -> str | None:
        if self.settings.database.url is not None:
            self._try_database(self.settings.database.url)
            return None
        folder = data_dir / DATABASE_FOLDER
        if not (folder / "cluster").exists():
            self.tell("Creating the database ...")
        self._postgres = EmbeddedPostgres(folder, account=self.settings.database.embedded_account)
        self._postgres.start()
        self._keeper = Keeper(self._postgres, self.tell)
        return self._postgres.dsn()

    def _try_database(self, dsn: str) -> None:
        """Know that a given database can be used, so that what is wrong with it is said once and not by each child."""
        from carrel.infra.db.migrate import migrate  # The driver: 21 MB that a server with a database of its own saves.

        if applied := asyncio.run(migrate(dsn)):
            self.tell(f"The database was brought up to date, from {applied[0].name} to {applied[-1].name}.")

    def _convert(self, folder: Path, data_dir: Path) -> None:
        """Convert the model where that was not done. Here and not in a child, so that it is said and done once."""
        model, cache = layout.read(folder), models.cache_folder(data_dir)
        if not model.exported:
            identity = model.identity(remembered_sha256_of(model.weights, cache))
            converted(model, identity, cache=cache, precision=self.settings.model.precision, progress=self.tell)

    def _make_children(self, dsn: str | None, listener: socket.socket | None) -> None:
        environment = {DSN_VARIABLE: dsn} if dsn is not None else {}
        parent = str(os.getpid())
        if listener is not None:
            for _ in range(self.settings.server.workers or 1):
                arguments = [parent, str(listener.fileno())]
                self._children.append(
                    Child("API", "carrel.entry.web", arguments, [listener.fileno()], environment=environment)
                )
        if self.with_worker:
            self._children.append(Child("worker", "carrel.entry.worker", [parent], environment=environment))

    def _watch(self, data_dir: Path, listener: socket.socket | None, ready: Callable[[str, Path], None]) -> int:
        url = address_of(listener) if listener is not None else None
        announced = False
        while not self._stopping:
            self._tend_database()
            # The first goes ahead of the others: what is wrong with a setting is then said once, not by each.
            children = self._children if announced else self._children[:1]
            if not all(child.tend(self.tell, final={GIVE_UP}) for child in children):
                return 1
            if not announced and self._is_up(url):
                announced = True
                if url is not None:
                    write_run_file(data_dir, url)
                ready(url or "", data_dir)
            time.sleep(0.05 if not announced else 0.2)
        return 0

    def _is_up(self, url: str | None) -> bool:
        if url is None:
            return True  # a worker has no address to ask
        with self._broken_off_by_a_signal():
            return is_ready(url)

    def _tend_database(self) -> None:
        if self._keeper is not None:
            with self._broken_off_by_a_signal():
                self._keeper.tend()

    @contextmanager
    def _broken_off_by_a_signal(self) -> Iterator[None]:
        """What runs inside cleans up behind itself however it ends, so a signal need not wait for it."""
        self._breakable = True
        try:
            if self._stopping:
                raise _ToldToStop
            yield
        finally:
            self._breakable = False

    def _stop(self, _signal: int, _frame: object) -> None:
        first, self._stopping = not self._stopping, True
        # Once only: a second signal must not break off the cleaning up after the first.
        if first and self._breakable:
            raise _ToldToStop

    def _end(self, data_dir: Path) -> None:
        deadline = time.monotonic() + STOP_PATIENCE
        for child in self._children:
            child.ask_to_end()
        for child in self._children:
            child.end(deadline)
        if self._postgres is not None:
            self._postgres.stop(DATABASE_PATIENCE)
        forget_run_file(data_dir)


def prepare_folder(wanted: Path) -> Path:
    """The data directory, made if it is not there, and known to be writable and not full."""
    folder = wanted.expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise FolderNotWritable(
            f"The data directory {folder} cannot be written to: {error.strerror or error}.",
            hint="Give its user the right to write there, or set DATA_DIR to another folder.",
        ) from error
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise DiskNearlyFull(
            f"Only {free // 2**20} MB are free at {folder}; {LEAST_FREE_BYTES // 2**20} MB are needed to start.",
            hint="Free some space, or set DATA_DIR to a folder on another disk.",
        )
    return folder


def refuse_a_second(data_dir: Path) -> None:
    """Raise `AlreadyRunning` when another process owns the database of this data directory, and say which.

    The database would refuse as well, but later: the first server has the port, and the port is not what is wrong.
    """
    folder = Layout.of(data_dir / DATABASE_FOLDER)
    if not _is_owned(folder):
        return
    owner, running = read_owner(folder), read_run_file(data_dir)
    who = f"process {owner.pid} ({owner.purpose}), started {owner.started}" if owner else "another process"
    where = f", at {running.url}" if running and owner and running.pid == owner.pid else ""
    raise AlreadyRunning(
        f"The data directory {data_dir} is in use by {who}{where}.",
        hint="Stop that process first, or set DATA_DIR to another folder.",
    )


def _is_owned(folder: Layout) -> bool:
    # A lock that may not be opened belongs to another user: the database says so when it is started.
    if not os.access(folder.owner_lock, os.R_OK | os.W_OK):
        return False
    descriptor = open_lock(folder.owner_lock)
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


def listen(host: str, port: int) -> socket.socket:
    """The socket that all API processes share, so that one of them may die without a refused connection."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as undo:
            listener = undo.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
            undo.pop_all()
    except OSError as error:
        raise PortTaken(
            f"The address {host}:{port} cannot be used: {error.strerror or error}.", hint=_port_hint(error.errno)
        ) from error
    return listener


def _port_hint(reason: int | None) -> str:
    if reason == errno.EADDRINUSE:
        return "Stop the program that listens there, or set SERVER_PORT to another port."
    if reason == errno.EACCES:
        return "Set SERVER_PORT to a port above 1023; lower ones are for privileged users."
    return "Set SERVER_HOST to an address of this machine, such as 127.0.0.1."


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104  (compared, not bound)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def is_ready(url: str) -> bool:
    """Whether the server behind `url` says that it can answer."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=1)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


@dataclass(frozen=True, slots=True)
class Running:
    """A server as it has written itself down. Whether it still runs, only a question to it can tell."""

    pid: int
    url: str
    database: str


def write_run_file(data_dir: Path, url: str) -> None:
    """Tell other commands of this user where the running server is."""
    running = Running(os.getpid(), url, str(data_dir / DATABASE_FOLDER))
    fresh = data_dir / f"run.{running.pid}"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(asdict(running)), "utf-8")
    fresh.replace(data_dir / RUN_FILE)


def read_run_file(data_dir: Path) -> Running | None:
    """The server of this user that was last started on this data directory and has not said goodbye."""
    try:
        return Running(**json.loads((data_dir / RUN_FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # no file, another user's, or another release's: each means that there is none to speak to


def forget_run_file(data_dir: Path) -> None:
    running = read_run_file(data_dir)
    if running is not None and running.pid == os.getpid():
        (data_dir / RUN_FILE).unlink(missing_ok=True)
