"""One PostgreSQL as a child of this process, on one folder."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from carrel.infra.postgres import address, cluster, predecessor
from carrel.infra.postgres.binaries import Binaries, installed
from carrel.infra.postgres.errors import PasswordUnusable, StartFailed, StartTimeout
from carrel.infra.postgres.identity import ENVIRONMENT, Runner, choose
from carrel.infra.postgres.layout import Layout
from carrel.infra.postgres.lock import OwnerLock
from carrel.infra.postgres.log import ServerLog
from carrel.infra.postgres.storage import disk_full, says_disk_full, storage_problems

QUIT_PATIENCE = 2.0
"""Seconds that an immediate shutdown may take; it writes nothing and ends within milliseconds when it can."""

DEFAULTS = {
    "max_connections": "100",
    "jit": "off",
    # Errors go to the client that made them. Their statements and values stay out of the log: they hold people's data.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class EmbeddedPostgres:
    """Owns one folder and the server on it, for as long as this process lives.

    However the owner ends, the server is told by the kernel and shuts down; however the server ends, `poll` tells the
    owner and `start` begins again on the same address. Committed data survives both. A second owner is refused.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        account: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._layout = Layout.of(folder)
        self._port = port
        self._account = account
        self._settings = dict(settings or {})
        self._lock = OwnerLock(self._layout)
        self._process: subprocess.Popen[bytes] | None = None
        self._files_owner = (os.geteuid(), os.getegid())

    def start(self, timeout: float = 60.0) -> None:
        """Return when a real connection works; create the database first if the folder is empty.

        Does nothing while the server runs. A start that fails raises a `PostgresProblem`, ends what it began and gives
        the folder back. Only the main thread may start: the kernel would end the server together with any other thread.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("The embedded PostgreSQL must be started from the main thread.")
        if self.pid is not None:
            return
        try:
            self._start(time.monotonic() + timeout)
        except BaseException:
            self.stop()
            raise

    def stop(self, timeout: float = 4.0) -> None:
        """End the server and give the folder back; harmless when nothing runs.

        After `timeout` seconds a clean shutdown turns into an immediate one. Nothing committed is lost, but the next
        start then has to recover.
        """
        try:
            if self._process is not None:
                _end(self._process, timeout)
                address.remove_socket_folder(self._layout, self._files_owner)
        finally:
            self._lock.release()

    def poll(self) -> int | None:
        """The exit status of a server that has ended; `None` while it runs and before the first start."""
        return None if self._process is None else self._process.poll()

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def dsn(self, database: str = "postgres") -> str:
        """The conninfo of the superuser over the private socket, with the password. It stays valid over restarts."""
        return address.dsn(self._layout, self._effective_port, database)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _effective_port(self) -> int:
        return self._port or address.DEFAULT_PORT

    def _start(self, deadline: float) -> None:
        binaries = installed()
        with storage_problems(self._layout.folder):
            _create_folder(self._layout.folder)
            if not self._lock.is_held:
                self._lock.acquire(self._effective_port)
            server_lock = predecessor.take_over(self._layout, deadline)
            try:
                log = self._spawn(binaries, server_lock, deadline)
            finally:
                # From here on only the server holds it, so that it is free when the server's last process is gone.
                os.close(server_lock)
        self._wait_until_ready(binaries, log, deadline)

    def _spawn(self, binaries: Binaries, server_lock: int, deadline: float) -> ServerLog:
        runner = choose(self._layout, binaries, self._account)
        self._files_owner = runner.identity.file_owner
        if not cluster.exists(self._layout):
            cluster.create(runner, self._settings, server_lock, deadline)
        address.read_password(self._layout)
        address.create_socket_folder(self._layout, self._files_owner)
        predecessor.forget(self._layout)
        log = ServerLog(self._layout.log)
        with log.opened() as output:
            self._process = subprocess.Popen(
                self._command(runner),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=ENVIRONMENT,
                pass_fds=[server_lock],
                # An interrupt at the terminal is for the owner, who then stops the server in its own time.
                start_new_session=True,
            )
        return log

    def _command(self, runner: Runner) -> list[str]:
        settings = {
            **DEFAULTS,
            "listen_addresses": "127.0.0.1" if self._port else "",
            **self._settings,
            "unix_socket_directories": str(self._layout.sockets),
            "port": str(self._effective_port),
            "cluster_name": self._layout.mark,
            "logging_collector": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return runner.command("postgres", "-D", str(self._layout.cluster), *options)

    def _wait_until_ready(self, binaries: Binaries, log: ServerLog, deadline: float) -> None:
        refusal = "it is still starting"
        while time.monotonic() < deadline:
            if (status := self.poll()) is not None:
                raise self._failure(status, log)
            if self._says_ready():
                failure = self._try_connection(binaries, deadline)
                if failure is None:
                    return
                refusal = failure
            time.sleep(0.02)
        raise StartTimeout(
            f"PostgreSQL on {self._layout.folder} is not ready in time: {refusal} / {' / '.join(log.tail())}",
            hint="Give the start more time (recovery after a crash may need minutes), or look into the log.",
            log=log.tail(),
        )

    def _says_ready(self) -> bool:
        try:
            lines = self._layout.pid_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _try_connection(self, binaries: Binaries, deadline: float) -> str | None:
        # A program instead of a driver: the supervisor that starts the server never needs a driver otherwise.
        target = address.address(self._layout, self._effective_port, "postgres")
        secret = {"PGPASSWORD": address.read_password(self._layout), "PGCONNECT_TIMEOUT": "2"}
        command = [str(binaries.program("psql")), "-XAtq", "-d", target, "-c", "SELECT 1"]
        patience = max(1.0, deadline - time.monotonic())
        try:
            answer = subprocess.run(
                command, capture_output=True, text=True, env={**ENVIRONMENT, **secret}, timeout=patience, check=False
            )
        except subprocess.TimeoutExpired:
            return "it does not answer"
        if "password authentication failed" in answer.stderr:
            raise PasswordUnusable(
                f"The password in {self._layout.password} is not the one of the database beside it.",
                hint=f"Restore {self._layout.password} from the same backup as the database.",
                folder=str(self._layout.folder),
            )
        return None if answer.returncode == 0 else answer.stderr.strip()

    def _failure(self, status: int, log: ServerLog) -> Exception:
        lines = log.tail()
        if says_disk_full(self._layout.folder, "\n".join(lines)):
            return disk_full(self._layout.folder)
        if any("Address already in use" in line for line in lines):
            hint = f"Another program listens on port {self._port}: choose another port, or none."
        else:
            hint = f"Remove the cause that these lines name and start again; the whole log is {self._layout.log}."
        return StartFailed(
            f"PostgreSQL on {self._layout.folder} ended with status {status} while starting: {' / '.join(lines)}",
            hint=hint,
            log=lines,
        )


def _create_folder(folder: Path) -> None:
    # Started as root, the server may have to run as another account, which must then be able to pass through. Nothing
    # is given away: all that lies inside is readable for its owner only.
    folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)


def _end(process: subprocess.Popen[bytes], timeout: float) -> None:
    for pressure, patience in ((signal.SIGINT, timeout), (signal.SIGQUIT, QUIT_PATIENCE)):
        process.send_signal(pressure)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
    process.wait()
