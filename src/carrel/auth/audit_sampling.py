"""How many events a flood of refusals may cause: a few, so that it cannot fill the disk. Pure but for the clock."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable

from carrel.auth.recent import Recent

WINDOW = 60.0
MOST = 300
"""Events in a window that one organisation may cause, or all strangers together."""
REMEMBERED = 10_000


class Sampler:
    """Lets one of a kind through in a window, and only so many of all kinds that are for the same account."""

    def __init__(
        self, window: float = WINDOW, most: int = MOST, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._window, self._most, self._clock = window, most, clock
        self._seen: Recent[bool] = Recent(REMEMBERED, clock)
        self._begun = clock()
        self._taken: Counter[str] = Counter()

    def take(self, account: str, *kinds: str) -> bool:
        """Whether this one counts: none of its kinds has come in this window, and there is room for another.

        Nobody else's flood takes away what an account has room for.
        """
        moment, keys = self._clock(), [hashlib.blake2b(kind.encode("utf-8", "replace")).digest() for kind in kinds]
        if moment - self._begun >= self._window:
            self._begun = moment
            self._taken.clear()
        if self._taken[account] >= self._most or any(self._seen.get(key) for key in keys):
            return False
        self._taken[account] += 1
        for key in keys:
            self._seen.put(key, True, until=moment + self._window)
        return True
