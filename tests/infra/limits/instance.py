"""One of several servers: when told to, asks as fast as it can for some time, and tells what it was allowed and when.

python instance.py REDIS_URL KEY CAPACITY PER_SECOND SECONDS
"""

import asyncio
import sys
import time

from pydantic import SecretStr

from carrel.infra.limits import Charge, MemoryBuckets, RedisBuckets
from carrel.infra.settings import Redis
from carrel.infra.shared_cache import SharedCache


def tell(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


async def main(url: str, key: str, capacity: float, per_second: float, seconds: float) -> None:
    cache = SharedCache.of(Redis(url=SecretStr(url)), patience=10)
    buckets, charge = RedisBuckets(cache, MemoryBuckets()), Charge(key, "tenant", capacity, per_second, 1)
    await cache.state()
    tell("ready")
    sys.stdin.readline()
    accepted, first = 0, time.time()
    while time.time() < first + seconds:
        accepted += (await buckets.take([charge])).allowed
    tell(f"{accepted} {first} {time.time()} {await cache.state()}")
    await cache.close()


if __name__ == "__main__":
    url, key, *numbers = sys.argv[1:]
    asyncio.run(main(url, key, *map(float, numbers)))
