"""What is special about buckets in Redis: several servers share them, and it may go away."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import structlog
from redis.asyncio import Redis

from carrel.core.ids import uuid7
from carrel.infra.limits import MemoryBuckets, RedisBuckets
from carrel.infra.settings import Limits
from carrel.infra.shared_cache import REST, Away, SharedCache
from tests.infra.limits.conftest import UNHURRIED

pytestmark = pytest.mark.anyio

INSTANCE = Path(__file__).with_name("instance.py")
SOURCES = Path(__file__).parents[3] / "src"
SOON = 0.5
"""Far more than the 50 ms that Redis is given, because the machine may be busy; far less than a client's defaults."""


async def test_three_servers_together_allow_what_one_would(redis_server):
    capacity, per_second, seconds = 200, 100, 2.0
    numbers = [str(number) for number in (capacity, per_second, seconds)]
    command = [sys.executable, str(INSTANCE), redis_server.url, f"carrel:test:{uuid7()}", *numbers]
    servers = [_talking(command) for _ in range(3)]
    assert [server.stdout.readline() for server in servers] == ["ready\n"] * 3

    for server in servers:
        server.stdin.write("go\n")
        server.stdin.flush()
    told = [server.communicate(timeout=60)[0].split() for server in servers]

    assert [server.returncode for server in servers] == [0, 0, 0]
    assert [state for *_, state in told] == ["ok"] * 3
    accepted = [int(count) for count, *_ in told]
    elapsed = max(float(last) for *_, last, _ in told) - min(float(first) for _, first, *_ in told)
    assert sum(accepted) == pytest.approx(capacity + per_second * elapsed, rel=0.05)
    assert all(accepted), "one of them was never asked"


async def test_one_call_is_one_round_trip(cache, charge):
    buckets = RedisBuckets(cache, MemoryBuckets())
    await buckets.take([charge()])
    client = cache.client
    assert client is not None
    before = (await client.info("stats"))["total_commands_processed"]

    await buckets.take([charge("tenant"), charge("upload"), charge("key")])

    # Inside the script: TIME, MGET and three times SET; the last command is the question itself.
    script, own = 6, 1
    assert (await client.info("stats"))["total_commands_processed"] - before == script + own


async def test_redis_forgets_a_bucket_when_it_is_full(cache, charge):
    quick = charge(capacity=5, per_second=20)
    await RedisBuckets(cache, MemoryBuckets()).take([quick])
    client = cache.client
    assert client is not None

    assert 0 < await client.pttl(quick.key) <= 52
    await asyncio.sleep(0.1)

    assert await client.exists(quick.key) == 0


async def test_a_clock_that_was_set_back_locks_nobody_out_for_longer_than_a_window(cache, charge):
    buckets, quick = RedisBuckets(cache, MemoryBuckets()), charge(capacity=2, per_second=20)
    client = cache.client
    assert client is not None
    await client.set(quick.key, "9e15")

    refused = await buckets.take([quick])
    await asyncio.sleep(refused.tightest.retry_after + 0.01)

    assert not refused.allowed
    assert (await buckets.take([quick])).allowed


async def test_more_calls_at_once_than_connections_wait_for_their_turn(redis_server, connected, charge):
    cache = connected(redis_server.url, pool_size=2, patience=UNHURRIED)
    buckets = RedisBuckets(cache, MemoryBuckets())

    verdicts = await asyncio.gather(*(buckets.take([charge(capacity=30)]) for _ in range(50)))

    assert sum(verdict.allowed for verdict in verdicts) == 30
    assert await cache.state() == "ok"


async def test_limits_hold_for_each_process_while_redis_is_dead_and_for_all_when_it_is_back(
    mortal_redis, connected, charge
):
    ours, theirs = connected(mortal_redis.url), connected(mortal_redis.url)
    here, there = RedisBuckets(ours, MemoryBuckets()), RedisBuckets(theirs, MemoryBuckets())
    large = charge(capacity=40)
    for _ in range(10):
        await there.take([large])
        await here.take([large])

    with structlog.testing.capture_logs() as logged:
        mortal_redis.kill()
        slowest, verdicts = 0.0, []
        for _ in range(50):
            began = time.monotonic()
            verdicts.append(await here.take([large]))
            slowest = max(slowest, time.monotonic() - began)
        mortal_redis.start()
        back = await _eventually_ok(ours)
        after = [await one.take([large]) for one in (here, there, here)]

    # It goes on from what Redis said last, so that a Redis in trouble is no way to a full bucket.
    assert sum(verdict.allowed for verdict in verdicts) == 20
    assert slowest < SOON
    assert back < REST + SOON
    assert [verdict.tightest.remaining for verdict in after] == [39, 38, 37]
    assert [entry["log_level"] for entry in logged] == ["warning", "info"]


async def test_a_restart_between_two_calls_goes_unnoticed(mortal_redis, connected, charge):
    cache = connected(mortal_redis.url, patience=UNHURRIED)
    buckets = RedisBuckets(cache, MemoryBuckets())
    await asyncio.gather(*(buckets.take([charge()]) for _ in range(5)))

    with structlog.testing.capture_logs() as logged:
        mortal_redis.kill()
        mortal_redis.start()
        # The event loop stood still for so long: it must hear of the closed connections, as it would have by itself.
        await asyncio.sleep(0.05)
        verdicts = await asyncio.gather(*(buckets.take([charge()]) for _ in range(5)))

    assert all(verdict.allowed for verdict in verdicts)
    assert logged == []


async def test_a_redis_that_hangs_is_waited_for_once(mortal_redis, connected, charge):
    cache = connected(mortal_redis.url)
    buckets, large = RedisBuckets(cache, MemoryBuckets()), charge(capacity=40)
    await buckets.take([large])

    mortal_redis.freeze()
    times = []
    for _ in range(30):
        began = time.monotonic()
        assert (await buckets.take([large])).allowed
        times.append(time.monotonic() - began)
    mortal_redis.thaw()

    assert times[0] < SOON
    assert sum(times[1:]) < SOON


async def test_while_redis_is_away_only_one_caller_tries_it(mortal_redis, connected):
    cache = connected(mortal_redis.url)
    await cache.state()
    mortal_redis.kill()
    tried = 0

    async def question(client: Redis) -> None:
        nonlocal tried
        tried += 1
        await client.ping()

    async def ask() -> None:
        with pytest.raises(Away):
            await cache.ask(question)

    await ask()
    await asyncio.sleep(REST)
    await asyncio.gather(*(ask() for _ in range(20)))

    assert tried == 2


async def test_what_redis_refuses_counts_as_away(redis_server, connected, charge):
    """A password that was not given, a disk that is full: the limits hold on."""
    cache = connected(redis_server.url.replace("//", "//nobody:wrong@"), patience=UNHURRIED)
    buckets = RedisBuckets(cache, MemoryBuckets())

    verdicts = [await buckets.take([charge(capacity=3)]) for _ in range(5)]

    assert [verdict.allowed for verdict in verdicts] == [True] * 3 + [False] * 2
    assert await cache.state() == "unreachable"


def test_settings_name_networks_and_single_addresses(monkeypatch):
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::1")

    trusted = Limits().trusted_proxies

    assert [str(network) for network in trusted] == ["10.0.0.0/8", "2001:db8::1/128"]


def _talking(command: list[str]) -> Any:
    return subprocess.Popen(
        command, env={"PYTHONPATH": str(SOURCES)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


async def _eventually_ok(cache: SharedCache) -> float:
    """Seconds until Redis is used again."""
    began = time.monotonic()
    while await cache.state() != "ok":
        assert time.monotonic() - began < 20, "it does not come back"
        await asyncio.sleep(0.02)
    return time.monotonic() - began
