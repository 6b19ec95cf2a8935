"""Buckets in memory and in a real Redis."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from carrel.core.ids import uuid7
from carrel.infra.limits import Buckets, Charge, MemoryBuckets, RedisBuckets
from carrel.infra.settings import Redis
from carrel.infra.shared_cache import PATIENCE, SharedCache
from tests.infra.limits.redis_process import RedisProcess

NEVER = 1e-6
"""Refills so slowly that nothing comes back during a test."""
UNHURRIED = 10.0
"""Seconds that Redis may take where a test asks what it says, not how soon."""
Given = Callable[..., Charge]
Connected = Callable[..., SharedCache]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """A Redis that stays up, shared by the tests of this worker: each takes keys of its own."""
    server = RedisProcess(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def mortal_redis(tmp_path: Any) -> Iterator[RedisProcess]:
    """A Redis of this test's own, to be killed."""
    server = RedisProcess(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def connected() -> AsyncIterator[Connected]:
    """Connections, each like that of a process of its own."""
    made: list[SharedCache] = []

    def connect(url: str, *, patience: float = PATIENCE, pool_size: int = 10) -> SharedCache:
        made.append(SharedCache.of(Redis(url=SecretStr(url), pool_size=pool_size), patience=patience))
        return made[-1]

    yield connect
    for cache in made:
        await cache.close()


@pytest.fixture
def cache(redis_server: RedisProcess, connected: Connected) -> SharedCache:
    return connected(redis_server.url, patience=UNHURRIED)


@pytest.fixture(params=["memory", "redis"])
def buckets(request: pytest.FixtureRequest) -> Buckets:
    """Each of the two places in turn: whatever is tested here holds in both."""
    if request.param == "memory":
        return MemoryBuckets()
    return RedisBuckets(request.getfixturevalue("cache"), MemoryBuckets())


@pytest.fixture
def charge() -> Given:
    """A charge to a bucket that only this test has; the same name is the same bucket."""
    place = uuid7().hex

    def given(name: str = "tenant", *, capacity: float = 5, per_second: float = NEVER, cost: float = 1) -> Charge:
        return Charge(f"carrel:test:{{{place}}}:{name}", name, capacity, per_second, cost)

    return given
