"""Who may go on. One per process."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

from carrel.infra.limits.bucket import Verdict
from carrel.infra.limits.memory import Buckets, MemoryBuckets
from carrel.infra.limits.policy import EndpointClass, Spender, charge_of, charges_of
from carrel.infra.limits.redis_buckets import RedisBuckets
from carrel.infra.settings import Limits
from carrel.infra.shared_cache import SharedCache

MOST_CREDENTIALS = 10_000


@dataclass(slots=True)
class Door:
    """Keeps strangers from trying credentials at full speed.

    Credentials that were good before pass by, so that one neighbour's mistakes do not lock out everybody behind the
    same address; whether they are still good is for others to say.
    """

    buckets: Buckets
    per_minute: float
    _good: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    def refusal(self, address: str, credentials: bytes) -> Verdict | None:
        """Why these must not even be tried now, as far as this process knows; None if they may."""
        refusal = self.buckets.refusal([charge_of(address, self.per_minute)])
        return None if refusal is None or _digest(credentials) in self._good else refusal

    async def enter(self, address: str) -> Verdict:
        """Charge a call of somebody who needs no credentials."""
        return await self.buckets.take([charge_of(address, self.per_minute)])

    async def failed(self, address: str, credentials: bytes) -> Verdict:
        """Charge a call with credentials that were not good."""
        self._good.pop(_digest(credentials), None)
        return await self.enter(address)

    def passed(self, credentials: bytes) -> None:
        """These credentials were good."""
        digest = _digest(credentials)
        self._good[digest] = None
        self._good.move_to_end(digest)
        if len(self._good) > MOST_CREDENTIALS:
            self._good.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Limiter:
    """Charges callers for their calls, and strangers for their failures."""

    buckets: Buckets
    per_minute: float
    door: Door

    @classmethod
    def of(cls, settings: Limits, cache: SharedCache) -> "Limiter | None":
        """In Redis where there is one, else in memory; None when limits are switched off."""
        if not settings.enabled:
            return None
        # Apart, so that a flood from many addresses cannot push out what organisations have used.
        ours, strangers = _buckets(cache), _buckets(cache)
        return cls(ours, settings.per_minute, Door(strangers, settings.anonymous_per_minute))

    async def charge(self, spender: Spender, kind: EndpointClass) -> Verdict:
        """Charge one call to all buckets of its caller, or to none when one of them is empty."""
        return await self.buckets.take(charges_of(spender, kind, self.per_minute))


def _buckets(cache: SharedCache) -> Buckets:
    memory = MemoryBuckets()
    return memory if cache.client is None else RedisBuckets(cache, memory)


def _digest(credentials: bytes) -> bytes:
    return hashlib.blake2b(credentials, digest_size=16).digest()
