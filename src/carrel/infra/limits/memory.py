"""Buckets in the memory of this process: where there is no Redis, and while it is away."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from carrel.infra.limits.bucket import Charge, Verdict, take, verdict

MOST = 50_000


class Buckets(Protocol):
    """A place where buckets live. It may be shared by many processes."""

    async def take(self, charges: Sequence[Charge]) -> Verdict:
        """Charge all of these buckets or none. Never fails, and waits for nothing long."""
        ...

    def refusal(self, charges: Sequence[Charge]) -> Verdict | None:
        """Why they would be refused, as far as this process knows; None if not. Nothing is charged or asked."""
        ...


class MemoryBuckets:
    """At most `most` buckets that are not full; beyond that, those that were not asked for longest are forgotten."""

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    async def take(self, charges: Sequence[Charge]) -> Verdict:
        return self.take_now(charges)

    def take_now(self, charges: Sequence[Charge]) -> Verdict:
        """As `take`, for those who cannot wait."""
        moment = self._clock()
        allowed, waits = take(charges, self._waits(charges, moment))
        # Also of a refused call: whoever keeps calling is not forgotten, which would be a new bucket.
        self._keep(charges, waits, moment)
        return verdict(charges, waits, allowed=allowed)

    def refusal(self, charges: Sequence[Charge]) -> Verdict | None:
        if not any(charge.key in self._full_at for charge in charges):
            return None
        allowed, waits = take(charges, self._waits(charges, self._clock()))
        return None if allowed else verdict(charges, waits, allowed=False)

    def learn(self, charges: Sequence[Charge], waits: Sequence[float]) -> None:
        """Remember what these buckets are elsewhere."""
        self._keep(charges, waits, self._clock())

    def _waits(self, charges: Sequence[Charge], moment: float) -> list[float]:
        return [max(0.0, self._full_at.get(charge.key, moment) - moment) for charge in charges]

    def _keep(self, charges: Sequence[Charge], waits: Sequence[float], moment: float) -> None:
        for charge, wait in zip(charges, waits, strict=True):
            self._full_at[charge.key] = moment + wait
            self._full_at.move_to_end(charge.key)
        self._forget(moment, len(charges))

    def _forget(self, moment: float, kept: int) -> None:
        # The oldest first, one more than were just kept: so the full ones go sooner or later, and no call pays for all.
        for _ in range(min(kept + 1, len(self._full_at))):
            key = next(iter(self._full_at))
            if len(self._full_at) <= self._most and self._full_at[key] > moment:
                return
            del self._full_at[key]
