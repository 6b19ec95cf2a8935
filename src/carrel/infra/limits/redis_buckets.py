"""Buckets in Redis: the same for all processes of all machines."""

from collections.abc import Sequence

from redis.asyncio import Redis

from carrel.infra.limits.bucket import Charge, Verdict, verdict
from carrel.infra.limits.memory import MemoryBuckets
from carrel.infra.shared_cache import Away, SharedCache

SCRIPT = """
-- The rule of bucket.take: KEYS are buckets, ARGV the cost, the window and the ceiling of each, in microseconds.
-- The clock is that of Redis, because those of the callers differ. It is counted from a later moment than 1970, so that
-- fractions of a microsecond keep their place in a double.
local clock = redis.call('TIME')
local now = (clock[1] - 1700000000) * 1000000 + clock[2]
local full = redis.call('MGET', unpack(KEYS))
local before, after, overlong, allowed = {}, {}, false, 1
for i = 1, #KEYS do
  local cost, window, ceiling = ARGV[3 * i - 2] + 0, ARGV[3 * i - 1] + 0, ARGV[3 * i] + 0
  local wait = math.max(0, (full[i] or now) - now)
  before[i] = math.min(wait, window)
  after[i] = before[i] + cost
  overlong = overlong or wait > window
  if after[i] > ceiling then allowed = 0 end
end
local waits = allowed == 1 and after or before
-- A refused call changes nothing, unless a bucket waited longer than it can.
if allowed == 1 or overlong then
  for i = 1, #KEYS do
    redis.call('SET', KEYS[i], string.format('%.17g', now + waits[i]), 'PX', math.ceil(waits[i] / 1000) + 1)
  end
end
return {allowed, unpack(waits)}
"""
MICRO = 1e6


class RedisBuckets:
    """Charges in one round trip. While Redis is away, the memory of this process takes over where Redis was.

    Limits then hold for each process instead of for all together.
    """

    def __init__(self, cache: SharedCache, memory: MemoryBuckets) -> None:
        self._cache, self._memory = cache, memory

    async def take(self, charges: Sequence[Charge]) -> Verdict:
        keys = [charge.key for charge in charges]
        figures = [figure * MICRO for charge in charges for figure in (charge.seconds, charge.window, charge.ceiling)]

        async def ask(client: Redis) -> list[int]:
            answer: list[int] = await client.register_script(SCRIPT)(keys=keys, args=figures)
            return answer

        try:
            allowed, *told = await self._cache.ask(ask)
        except Away:
            return self._memory.take_now(charges)
        waits = [wait / MICRO for wait in told]
        # A Redis that goes away in the next moment must not leave everybody with full buckets.
        self._memory.learn(charges, waits)
        return verdict(charges, waits, allowed=bool(allowed))

    def refusal(self, charges: Sequence[Charge]) -> Verdict | None:
        return self._memory.refusal(charges)
