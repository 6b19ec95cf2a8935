"""Two hundred clients at once, three API processes, one PostgreSQL, and a Redis that is killed in the middle."""

import asyncio
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from carrel.infra.postgres import read_dsn
from carrel.tenants.stock import IDLE, block_size
from tests.infra.limits.redis_process import RedisProcess
from tests.server import Server

pytestmark = pytest.mark.slow

CLIENTS, PROCESSES = 200, 3
DOCUMENTS = 300
SIZE, FITTING = 4096, 256
PER_MINUTE = 120
SEARCHES = 400
BLOCK = block_size(SEARCHES, 0)
SECONDS, PATIENCE = 15.0, 180.0
"""How long each half lasts at least, and at most: with Redis and without it."""
TRIES, ENDLESS = 3, 10**9
REFUSED = 20
"""How often everybody is refused before a half is over: only then a limit was met."""
PASSWORD = "four quiet herons 41"


@dataclass
class Member:
    """Somebody with an organisation, and what they were answered."""

    headers: dict[str, str]
    tenant: str
    searches: bool = False
    most: int = 0
    """How often they may begin for now."""
    begun: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)

    @property
    def refused(self) -> int:
        return self.answers[403] + self.answers[429]

    def heard(self, answer: httpx.Response) -> None:
        self.answers[answer.status_code] += 1
        if answer.status_code >= 400:
            self.codes[answer.json()["code"]] += 1


@dataclass(frozen=True)
class Place:
    """A running server with its Redis."""

    server: Server
    redis: RedisProcess

    def change(self, statement: Any, *values: Any) -> None:
        with psycopg.connect(read_dsn(self.server.data_dir / "postgres"), autocommit=True) as connection:
            assert connection.execute(statement, values).rowcount == 1

    def one(self, statement: Any, *values: Any) -> tuple[Any, ...]:
        with psycopg.connect(read_dsn(self.server.data_dir / "postgres"), autocommit=True) as connection:
            found = connection.execute(statement, values).fetchone()
            assert found is not None
            return found

    def member(self, quota: str = "") -> Member:
        """Somebody whose calls no rate limit stops, with an organisation that has this quota."""
        email = f"{os.urandom(8).hex()}@example.org"
        body = {"email": email, "password": PASSWORD, "organization": "Soaked"}
        answer = httpx.post(f"{self.server.url}/api/auth/register", json=body, trust_env=False, timeout=60)
        assert answer.status_code == 201, answer.text
        told = answer.json()
        self.change("UPDATE users SET tier = 'admin' WHERE id = %s", told["user"]["id"])
        tenant = told["organization"]["id"]
        if quota:
            self.change(f"UPDATE organizations SET {quota} WHERE id = %s", tenant)
        return Member({"Authorization": f"Bearer {told['access_token']}"}, tenant)

    def with_key(self) -> Member:
        """Somebody who asks with a key, so that the organisation's own rate counts."""
        boss = self.member()
        answer = httpx.post(
            f"{self.server.url}/api/admin/api-keys",
            json={"name": "Often", "scopes": ["read"]},
            headers=boss.headers,
            trust_env=False,
            timeout=60,
        )
        assert answer.status_code == 201, answer.text
        return Member({"X-API-Key": answer.json()["key"]}, boss.tenant)


@pytest.fixture(name="place")
def place_fixture(tmp_path: Path, model_cache: Path) -> Iterator[Place]:
    redis = RedisProcess(tmp_path)
    redis.start()
    told = {
        "WORKERS": str(PROCESSES),
        "REDIS_URL": redis.url,
        "REDIS_POOL_SIZE": str(CLIENTS),
        "REGISTRATION": "open",
        "RATE_LIMIT_PER_MINUTE": str(PER_MINUTE),
        "LOG_LEVEL": "warning",
        "JWT_ACCESS_LIFETIME": "3600",
    }
    try:
        with Server(tmp_path, model_cache=model_cache, **told) as server:
            yield Place(server, redis)
    finally:
        redis.kill()


async def answered(client: httpx.AsyncClient, method: str, *, url: str, **options: Any) -> httpx.Response:
    """An answer, also where the server has let go of a kept connection just when it was used again."""
    for _ in range(TRIES):
        try:
            return await client.request(method, url, **options)
        except (httpx.RemoteProtocolError, httpx.ReadError):
            continue
    raise AssertionError(f"no answer to {method} {url} after {TRIES} tries")


def question(member: Member, turn: int) -> dict[str, Any]:
    """One more search or document of somebody, unlike all before."""
    member.begun += 1
    if member.searches:
        return {"url": "/api/search", "json": {"query": f"period {turn}"}, "headers": member.headers}
    once = {"Idempotency-Key": uuid4().hex}
    return {
        "url": "/api/documents",
        "json": {"content": f"{turn} ".ljust(SIZE, "a")},
        "headers": member.headers | once,
    }


async def half(place: Place, counting: Member, fillers: list[Member]) -> tuple[int, float]:
    """How often one organisation was let in within how many seconds, while others fill their quotas."""
    turns, began = itertools.count(), time.monotonic()
    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)

    def is_over() -> bool:
        met = all(filler.refused >= REFUSED or filler.begun >= filler.most for filler in fillers)
        lasted = time.monotonic() - began
        return lasted > PATIENCE or (lasted > SECONDS and met and counting.refused >= REFUSED)

    async def one(client: httpx.AsyncClient) -> None:
        while not is_over():
            turn = next(turns)
            filler = fillers[turn % len(fillers)]
            if turn % (len(fillers) + 1) and filler.begun < filler.most:
                filler.heard(await answered(client, "POST", **question(filler, turn)))
            else:
                asked: dict[str, Any] = {"url": "/api/jobs?limit=1", "headers": counting.headers}
                counting.heard(await answered(client, "GET", **asked))

    async with httpx.AsyncClient(base_url=place.server.url, timeout=60, trust_env=False, limits=limits) as client:
        await asyncio.gather(*(one(client) for _ in range(CLIENTS)))
    return counting.answers[200], time.monotonic() - began


def search_all_that_is_left(place: Place, searching: Member) -> None:
    """Until the whole quota is used, or for as long as a process may hold searches that nobody asks it for."""
    end = time.monotonic() + 4 * IDLE
    while searching.answers[200] < SEARCHES and time.monotonic() < end:
        asked = question(searching, -searching.begun)
        searching.heard(httpx.post(place.server.url + asked.pop("url"), **asked, trust_env=False, timeout=60))
        time.sleep(0.05)


def test_quotas_and_limits_hold_while_redis_dies(place: Place, tell: Callable[[str], None]):
    many = place.member(f"max_documents = {DOCUMENTS}")
    large = place.member("max_storage_mb = 1")
    searching = place.member(f"max_searches_per_day = {SEARCHES}")
    searching.searches = True
    counting, fresh = place.with_key(), place.with_key()
    fillers, processes = [many, large, searching], place.server.pids()["api"]

    for filler in fillers:
        filler.most = FITTING // 2
    let_in, seconds = asyncio.run(half(place, counting, fillers))
    lost = place.server.log.read_text("utf-8").count("redis is unreachable")
    place.redis.kill()
    for filler in fillers:
        filler.most = ENDLESS
    alone, alone_seconds = asyncio.run(half(place, fresh, fillers))
    in_time = searching.answers[200]
    search_all_that_is_left(place, searching)

    usage = "SELECT documents, storage_bytes FROM tenant_usage WHERE tenant_id = %s"
    stored = "SELECT count(*), coalesce(sum(size_bytes), 0) FROM documents WHERE tenant_id = %s"
    allowed = PER_MINUTE * (1 + seconds / 60)
    without = PROCESSES * PER_MINUTE * (1 + alone_seconds / 60)
    everybody = (*fillers, counting, fresh)
    statuses = sum((member.answers for member in everybody), Counter[int]())
    tell(
        f"{CLIENTS} clients, {PROCESSES} API processes: {many.answers[202]} of {DOCUMENTS} documents accepted, and "
        f"{large.answers[202]} of {FITTING} that fit; {in_time} of {SEARCHES} searches a day, then "
        f"{searching.answers[200]}; with Redis, which was given up {lost} times, {let_in} calls "
        f"let in within {seconds:.1f} s, {allowed:.0f} allowed ({let_in / allowed - 1:+.1%}); without it "
        f"{alone} within {alone_seconds:.1f} s, at most {without:.0f}; by status {dict(sorted(statuses.items()))}"
    )
    assert place.server.pids()["api"] == processes
    assert not [one for one in statuses if one >= 500]
    assert many.answers[202] == place.one(usage, many.tenant)[0] == place.one(stored, many.tenant)[0] == DOCUMENTS
    assert large.answers[202] == place.one(stored, large.tenant)[0] == FITTING
    assert place.one(usage, large.tenant)[1] == place.one(stored, large.tenant)[1] == FITTING * SIZE
    assert many.codes.keys() | large.codes.keys() == {"document-quota-exceeded", "storage-quota-exceeded"}
    assert SEARCHES <= searching.answers[200] <= SEARCHES + PROCESSES * BLOCK
    assert searching.codes.keys() == {"search-quota-exceeded"}
    assert counting.codes.keys() | fresh.codes.keys() == {"rate-limited"}
    assert 0.95 * allowed <= let_in <= 1.05 * allowed
    # Without Redis each process counts by itself, as docs/configuration.md says.
    assert alone <= without
