"""Token buckets, without a clock and without a place to live. Pure: waits in, waits out.

A bucket is one number: the seconds until it is full again. So a full bucket needs no memory, and what is remembered of
any other one names the moment at which it may be forgotten.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import NamedTuple

TOLERANCE = 1e-3
"""The part of one call by which a bucket may be overdrawn: many small additions do not meet a limit exactly."""


@dataclass(frozen=True)
class Charge:
    """What one call takes out of one bucket. A call that costs more than the bucket holds takes all of it."""

    # Without slots, because what follows from these is worked out once and used for every call.

    key: str
    name: str
    capacity: float
    per_second: float
    cost: float

    @cached_property
    def seconds(self) -> float:
        """By how much later the bucket is full because of this call."""
        return min(self.cost, self.capacity) / self.per_second

    @cached_property
    def window(self) -> float:
        """Seconds in which the empty bucket becomes full."""
        return self.capacity / self.per_second

    @cached_property
    def ceiling(self) -> float:
        """The longest wait that the call may leave behind."""
        return self.window + self.seconds * TOLERANCE


class Level(NamedTuple):
    """How full a bucket is, counted in what this caller may still ask for."""

    name: str
    limit: int
    window: float
    remaining: int
    reset: float
    """Seconds until the bucket is full."""
    retry_after: float
    """Seconds until it holds enough for such a call; 0 for a call that was let through."""


class Verdict(NamedTuple):
    """Whether a call may go on, and how full its buckets are after it."""

    allowed: bool
    levels: tuple[Level, ...]

    @property
    def tightest(self) -> Level:
        """The bucket that will refuse first; of a refused call the one that it has to wait for longest."""
        if self.allowed:
            return min(self.levels, key=lambda level: level.remaining)
        return max(self.levels, key=lambda level: level.retry_after)


def take(charges: Sequence[Charge], waits: Sequence[float]) -> tuple[bool, list[float]]:
    """Charge all buckets or none: whether the call is allowed, and the waits after it.

    A wait longer than a bucket can have, as after a smaller limit or a clock that was set back, counts as an empty
    bucket: nobody is locked out for longer than a window.
    """
    before, after, allowed = [], [], True
    for charge, wait in zip(charges, waits, strict=True):
        before.append(was := min(wait, charge.window))
        after.append(would_be := was + charge.seconds)
        allowed = allowed and would_be <= charge.ceiling
    return allowed, after if allowed else before


def verdict(charges: Sequence[Charge], waits: Sequence[float], *, allowed: bool) -> Verdict:
    """The judgement over a call, told from what `take` left behind."""
    return Verdict(allowed, tuple(map(_level, charges, waits, repeat(allowed))))


def _level(charge: Charge, wait: float, allowed: bool) -> Level:
    left = charge.capacity - wait * charge.per_second
    # The same tolerance as above: 3 calls must not be shown as 2 because of the last digit.
    remaining = max(0, math.floor(left + TOLERANCE))
    lacking = 0.0 if allowed else max(0.0, wait + charge.seconds - charge.ceiling)
    return Level(charge.name, math.floor(charge.capacity), charge.window, remaining, wait, lacking)
