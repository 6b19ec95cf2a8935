"""Child processes of the supervisor: started, watched, started again, ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from carrel.infra.settings import inherited_environment

GIVE_UP = 3
"""The exit status of a child that met something only a person can mend; it is not started again."""

DATABASE_AWAY = 4
"""The exit status of a child that could not reach the database. It is started again: the database was there."""

STEADY = 10.0
"""A child that lived this many seconds had a good start: the next one is started at once again."""

LONGEST_PAUSE = 5.0


@dataclass(slots=True)
class Child:
    """One process that ought to be running."""

    name: str
    module: str
    arguments: Sequence[str] = ()
    inherited: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _failures: int = 0
    _not_before: float = 0.0
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        # Only the main thread may come here: the signal that ends an orphan follows the thread that started it.
        self._started = time.monotonic()
        self.process = subprocess.Popen(
            # Nothing is imported from the folder that the server happens to be started in.
            [sys.executable, "-P", "-m", "carrel.infra.tied", str(os.getpid()), self.module, *self.arguments],
            env=inherited_environment(**self.environment),
            stdin=subprocess.DEVNULL,
            pass_fds=tuple(self.inherited),
            # An interrupt at the terminal is for the supervisor, which then ends its children in order.
            start_new_session=True,
        )

    def tend(self, tell: Callable[[str], None], *, final: Collection[int]) -> bool:
        """Start the child again if it ended. False when it ended with a status that is `final`."""
        if self.process is None:
            if time.monotonic() >= self._not_before:
                self.start()
            return True
        status = self.process.poll()
        if status is None:
            return True
        if status in final:
            return False
        self._failures = 0 if time.monotonic() - self._started > STEADY else self._failures + 1
        pause = min(LONGEST_PAUSE, 0.25 * 2**self._failures) if self._failures > 1 else 0.0
        self._not_before = time.monotonic() + pause
        self.process = None
        tell(f"The {self.name} ended with {_reason(status)}; it is started again.")
        return True

    def ask_to_end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def end(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            # With all that it started itself: nothing may go on working for a server that is gone.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _reason(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
