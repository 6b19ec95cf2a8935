"""How long a job waits before its next try. Pure."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Backoff:
    """4^n times `base` after the n-th failure, never more than `cap`, with up to a quarter of it left out by chance."""

    base: timedelta = timedelta(seconds=1)
    cap: timedelta = timedelta(hours=1)

    def delay(self, attempt: int, luck: float) -> timedelta:
        """`luck` is a random number from 0 to 1: jobs that failed together shall not all come back together."""
        full = min(self.base * 4 ** min(attempt, 15), self.cap)  # more would only overflow
        delay: timedelta = full * (1 - luck / 4)
        return delay
