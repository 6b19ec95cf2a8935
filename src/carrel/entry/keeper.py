"""The embedded PostgreSQL, kept running."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from carrel.infra.postgres import EmbeddedPostgres
from carrel.infra.postgres.errors import DiskFull, PostgresProblem, StartFailed

RECOVERY_PATIENCE = 600.0
"""Seconds for a start that has to recover first. Cut short, the recovery would begin anew with the next start."""

LONGEST_PAUSE = 5.0


@dataclass(slots=True)
class Keeper:
    """Starts the server again when it has ended, and again when that start fails for a reason that may pass."""

    postgres: EmbeddedPostgres
    tell: Callable[[str], None]
    _failures: int = 0
    _told: str = ""
    _not_before: float = 0.0

    def tend(self) -> None:
        """Return at once while it runs. Raises a `PostgresProblem` only when no further try can help.

        A server that was killed while it started, or finds the disk full, is tried again with pauses.
        """
        status = self.postgres.poll()
        if status is None or time.monotonic() < self._not_before:
            return
        if not self._failures:
            self.tell(f"PostgreSQL ended with status {status}; it is started again.")
        try:
            self.postgres.start(RECOVERY_PATIENCE)
        except (StartFailed, DiskFull) as problem:
            self._note(problem)
        else:
            self._failures, self._told = 0, ""

    def _note(self, problem: PostgresProblem) -> None:
        self._failures += 1
        self._not_before = time.monotonic() + min(LONGEST_PAUSE, 0.25 * 2**self._failures)
        if problem.code != self._told:  # the same line every five seconds would only fill the log
            self._told = problem.code
            self.tell(f"{problem.detail} It is tried again. {problem.hint or ''}".rstrip())
