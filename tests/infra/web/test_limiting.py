"""Rate limits as callers meet them."""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Request
from prometheus_client import REGISTRY

from carrel.auth.errors import CredentialsRequired, InvalidCredentials
from carrel.core.ids import TenantId, uuid7
from carrel.entry import web
from carrel.infra.db import Database
from carrel.infra.db.errors import DatabaseUnavailable
from carrel.infra.limits import CLASSES, Limiter
from carrel.infra.settings import Limits, Objects
from carrel.infra.shared_cache import SharedCache
from carrel.infra.web import Caller, Cursors, Kit, Router, requires
from carrel.infra.web.app import Surroundings, build
from carrel.infra.web.routing import Terms, unit_routes
from tests.infra.web.conftest import conversation

pytestmark = pytest.mark.anyio

LIMITED = ("ratelimit", "ratelimit-policy", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
router = Router(prefix="/api")


@router.get("/things", operation_id="things", dependencies=[requires("read")])
async def things(flaw: bool = False) -> list[str]:
    """Costs one."""
    if flaw:
        raise RuntimeError("a bug")
    return []


@router.post("/things", operation_id="add_thing", status_code=201, dependencies=[requires("write")])
async def add_thing(request: Request) -> int:
    """Costs two, or five as a form."""
    return len(await request.body())


@router.get("/keys", operation_id="keys", dependencies=[requires("admin")])
async def keys() -> list[str]:
    """For administrators."""
    return []


@router.post("/sign-in", operation_id="sign_in")
async def sign_in() -> str:
    """Open to everybody, and not for free."""
    return "who are you?"


@router.get("/health", operation_id="alive")
async def alive() -> str:
    """Open to everybody."""
    return "ok"


def credentials(tenant: TenantId, *scopes: str, subject: str = "key:1", limit: float = 0) -> dict[str, str]:
    """The header of a caller who says who it is and what it may do."""
    return {"x-api-key": f"{tenant.hex}:{subject}:{','.join(scopes or ('read', 'write'))}:{limit}"}


async def identify(request: Request) -> Caller:
    said = request.headers.get("x-api-key")
    if said is None:
        raise CredentialsRequired("This needs credentials.")
    if said == "away":
        raise DatabaseUnavailable("The database does not answer.")
    if said.startswith("wrong"):
        raise InvalidCredentials("The credentials are unknown.")
    tenant, *subject, scopes, limit = said.split(":")
    own = float(limit) or None
    return Caller(TenantId(UUID(tenant)), ":".join(subject), "test", frozenset(scopes.split(",")), rate_limit=own)


def served(limits: Limits, **options: Any) -> FastAPI:
    app = build([router], Objects(), **options)
    no_database = cast("Database", None)
    kit = Kit(no_database, identify, {}, Cursors(b"secret of the tests"), 10_000, 50_000)
    app.state.kit = replace(kit, limiter=Limiter.of(limits, SharedCache(None)))
    return app


Knock = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def knock() -> AsyncIterator[Knock]:
    """Clients of an application, each from an address."""
    made: list[httpx.AsyncClient] = []

    def client(app: FastAPI, address: str = "203.0.113.7", **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, client=(address, 1234), raise_app_exceptions=False)
        made.append(httpx.AsyncClient(transport=transport, base_url="http://carrel.test", headers=headers))
        return made[-1]

    yield client
    for one in made:
        await one.aclose()


@pytest.fixture
def us() -> TenantId:
    return TenantId(uuid7())


@pytest.fixture
def them() -> TenantId:
    return TenantId(uuid7())


async def statuses(client: httpx.AsyncClient, times: int, path: str = "/api/things", **options: Any) -> list[int]:
    return [(await client.get(path, **options)).status_code for _ in range(times)]


class TestHeaders:
    async def test_every_answer_says_how_much_is_left(self, knock, us):
        client = knock(served(Limits(per_minute=100)), **credentials(us))

        answer = await client.get("/api/things")

        assert answer.headers["ratelimit-policy"] == '"tenant";q=100;w=60'
        assert answer.headers["ratelimit"] == '"tenant";r=99;t=1'
        assert answer.headers["x-ratelimit-limit"] == "100"
        assert answer.headers["x-ratelimit-remaining"] == "99"
        assert abs(int(answer.headers["x-ratelimit-reset"]) - time.time()) < 30

    async def test_each_bucket_is_named_and_the_tightest_is_in_the_older_headers(self, knock, us):
        client = knock(served(Limits(per_minute=100)), **credentials(us))

        answer = await client.post("/api/things", content=b"text")

        assert answer.headers["ratelimit-policy"] == '"tenant";q=100;w=60, "write";q=80;w=60'
        assert re.fullmatch(r'"tenant";r=98;t=\d, "write";r=78;t=\d', answer.headers["ratelimit"])
        assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("80", "78")

    @pytest.mark.parametrize(("path", "status"), [("?flaw=2x", 422), ("?flaw=yes", 500)])
    async def test_failures_tell_it_too(self, knock, us, path, status):
        answer = await knock(served(Limits()), **credentials(us)).get(f"/api/things{path}")

        assert answer.status_code == status
        assert answer.headers["x-ratelimit-remaining"] == "99"

    async def test_who_lacks_the_scope_pays_as_well(self, knock, us):
        answer = await knock(served(Limits()), **credentials(us)).get("/api/keys")

        assert answer.status_code == 403
        assert answer.headers["ratelimit"].startswith('"tenant";r=99;t=1, "admin";r=29')

    async def test_what_is_open_to_everybody_is_free(self, knock):
        client = knock(served(Limits(anonymous_per_minute=1)), **{"x-api-key": "wrong"})
        answers = [await client.get("/api/health") for _ in range(50)]

        assert {answer.status_code for answer in answers} == {200}
        assert not answers[0].headers.keys() & set(LIMITED)

    async def test_no_route_of_the_product_that_is_open_for_reading_is_limited_and_each_other_has_a_class(self):
        routes = unit_routes(build(web.ROUTERS, Objects()))
        scopes = {Terms.of(route).scope for route in routes} - {None}

        assert {"/health", "/metrics", "/docs"} <= {route.path for route in routes if Terms.of(route).scope is None}
        assert scopes <= CLASSES.keys()


class TestRefusals:
    async def test_beyond_the_limit_the_answer_is_429_and_says_when_to_come_back(self, knock, us):
        client = knock(served(Limits(per_minute=5)), **credentials(us))
        assert await statuses(client, 5) == [200] * 5
        before = REGISTRY.get_sample_value("rate_limited_total", {"limit": "tenant"}) or 0

        answer = await client.get("/api/things")

        problem = answer.json()
        assert answer.status_code == 429
        assert answer.headers["content-type"] == "application/problem+json"
        assert (problem["code"], problem["limit"]) == ("rate-limited", "tenant")
        assert "5 within 60 seconds" in problem["detail"]
        assert 0 < problem["retry_after"] <= 12
        assert int(answer.headers["retry-after"]) == pytest.approx(problem["retry_after"], abs=1)
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert REGISTRY.get_sample_value("rate_limited_total", {"limit": "tenant"}) == before + 1

    async def test_nobody_reads_the_body_of_a_refused_request(self, us):
        app, headers = served(Limits(per_minute=1)), credentials(us)
        await conversation(app, "GET", "/api/things", headers, body=[b""])

        told = await conversation(app, "POST", "/api/things", headers, body=[b"a", b"b", b"c"])

        assert told.status == 429
        assert told.order[0] == "answered"

    async def test_the_keys_of_an_organisation_get_no_more_together(self, knock, us, them):
        app = served(Limits(per_minute=20))
        accepted = 0
        for number in range(10):
            client = knock(app, f"198.51.100.{number}", **credentials(us, subject=f"key:{number}"))
            accepted += (await statuses(client, 5)).count(200)

        assert accepted == 20
        assert await statuses(knock(app, **credentials(them)), 1) == [200]

    async def test_a_key_may_have_a_limit_of_its_own(self, knock, us):
        app = served(Limits(per_minute=20))

        assert await statuses(knock(app, **credentials(us, limit=3)), 4) == [200, 200, 200, 429]
        assert await statuses(knock(app, **credentials(us, subject="key:2")), 1) == [200]

    async def test_other_spellings_of_a_path_open_no_other_bucket(self, knock, us):
        client = knock(served(Limits(per_minute=4)), **credentials(us))
        spellings = ["/api/things", "/api/things/", "//api/things", "/API/things", "/api/./things", "/api/%74hings"]

        found = [(await client.get(path, params={"n": n})).status_code for n in range(4) for path in spellings]

        assert found.count(200) == 4
        assert set(found) == {200, 404, 429}

    async def test_head_costs_what_get_costs(self, knock, us):
        client = knock(served(Limits(per_minute=4)), **credentials(us))

        assert [(await client.head("/api/things")).status_code for _ in range(5)] == [200] * 4 + [429]

    async def test_a_file_costs_more_than_a_text(self, knock, us):
        client = knock(served(Limits(per_minute=100)), **credentials(us))

        text = await client.post("/api/things", json={"content": "text"})
        file = await client.post("/api/things", files={"file": b"text"})

        assert '"tenant";r=98' in text.headers["ratelimit"]
        assert '"tenant";r=93' in file.headers["ratelimit"]
        assert '"upload";r=55' in file.headers["ratelimit"]

    async def test_are_told_to_whoever_counts_calls_like_those_for_a_scope(self, knock, us):
        told: list[tuple[str, str, bool]] = []

        def count(caller: Caller, scope: str, *, refused: bool) -> None:
            told.append((caller.subject, scope, refused))

        app = served(Limits(per_minute=3))
        app.state.kit = replace(app.state.kit, count=count)
        client = knock(app, **credentials(us, "read", subject="key:9"))

        answers = [await client.get(path) for path in ("/api/things", "/api/keys", "/api/things", "/api/things")]
        stranger = await knock(app, **{"x-api-key": "wrong"}).get("/api/things")

        assert [answer.status_code for answer in (*answers, stranger)] == [200, 403, 200, 429, 401]
        calls = [("read", False), ("admin", True), ("read", False), ("read", True)]
        assert told == [("key:9", *call) for call in calls]

    async def test_operators_may_call_a_thousand_times_as_often(self, knock, us):
        client = knock(served(Limits(per_minute=1)), **credentials(us, "admin", "operator"))

        assert await statuses(client, 200) == [200] * 200

    async def test_calls_at_once_get_no_more_than_calls_in_turn(self, knock, us):
        client = knock(served(Limits(per_minute=10)), **credentials(us))

        answers = await asyncio.gather(*(client.get("/api/things") for _ in range(40)))

        assert [answer.status_code for answer in answers].count(200) == 10

    async def test_switched_off_nobody_is_counted(self, knock, us):
        client = knock(served(Limits(enabled=False, per_minute=1, anonymous_per_minute=1)), **credentials(us))
        answers = [await client.get("/api/things") for _ in range(5)]
        answers += [await client.get("/api/things", headers={"x-api-key": "wrong"}) for _ in range(5)]

        assert [answer.status_code for answer in answers] == [200] * 5 + [401] * 5
        assert not answers[0].headers.keys() & set(LIMITED)


class TestStrangers:
    async def test_credentials_cannot_be_tried_at_full_speed(self, knock):
        client = knock(served(Limits(anonymous_per_minute=5)))

        answers = [await client.get("/api/things", headers={"x-api-key": f"wrong {n}"}) for n in range(20)]

        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 15
        assert answers[0].headers["ratelimit"] == '"address";r=4;t=12'
        assert answers[-1].json()["limit"] == "address"
        assert int(answers[-1].headers["retry-after"]) >= 1

    async def test_nor_by_many_at_once(self, knock):
        client = knock(served(Limits(anonymous_per_minute=5)))

        tried = [client.get("/api/things", headers={"x-api-key": f"wrong {n}"}) for n in range(40)]

        assert [answer.status_code for answer in await asyncio.gather(*tried)].count(401) == 5

    async def test_not_even_good_ones_are_looked_at_from_an_address_that_guesses(self, knock, us):
        app = served(Limits(anonymous_per_minute=3))
        await statuses(knock(app, **{"x-api-key": "wrong"}), 3)

        assert await statuses(knock(app, **credentials(us)), 1) == [429]
        assert await statuses(knock(app, "198.51.100.1", **credentials(us)), 1) == [200]

    async def test_who_was_let_in_before_is_not_locked_out_by_a_neighbour(self, knock, us):
        app = served(Limits(anonymous_per_minute=3))
        known = knock(app, **credentials(us))
        await statuses(known, 1)

        await statuses(knock(app, **{"x-api-key": "wrong"}), 10)

        assert await statuses(known, 3) == [200] * 3

    async def test_to_send_no_credentials_is_no_guess(self, knock):
        assert await statuses(knock(served(Limits(anonymous_per_minute=3))), 10) == [401] * 10

    async def test_an_outage_is_no_guess(self, knock, us):
        app = served(Limits(anonymous_per_minute=3))

        assert await statuses(knock(app, **{"x-api-key": "away"}), 10) == [503] * 10
        assert await statuses(knock(app, **credentials(us)), 1) == [200]

    async def test_what_anybody_may_change_is_counted_by_address(self, knock):
        app = served(Limits(anonymous_per_minute=3))
        here, there = knock(app), knock(app, "198.51.100.1")

        assert [(await here.post("/api/sign-in")).status_code for _ in range(4)] == [200] * 3 + [429]
        assert (await there.post("/api/sign-in")).status_code == 200


class TestForwarded:
    async def test_a_forged_header_does_not_help(self, knock):
        client = knock(served(Limits(anonymous_per_minute=5)), **{"x-api-key": "wrong"})

        found = [
            (await client.get("/api/things", headers={"X-Forwarded-For": f"198.51.100.{n}"})).status_code
            for n in range(20)
        ]

        assert found == [401] * 5 + [429] * 15

    async def test_nor_does_it_behind_a_trusted_proxy(self, knock):
        app = served(Limits(anonymous_per_minute=5), surroundings=Surroundings(proxies=[ip_network("10.0.0.0/8")]))
        proxy = knock(app, "10.0.0.1", **{"x-api-key": "wrong"})

        found = [
            (await proxy.get("/api/things", headers={"X-Forwarded-For": f"198.51.100.{n}, 203.0.113.7"})).status_code
            for n in range(20)
        ]

        assert found == [401] * 5 + [429] * 15

    async def test_clients_behind_a_trusted_proxy_are_told_apart(self, knock):
        app = served(Limits(anonymous_per_minute=1), surroundings=Surroundings(proxies=[ip_network("10.0.0.0/8")]))
        proxy = knock(app, "10.0.0.1", **{"x-api-key": "wrong"})

        found = [
            (await proxy.get("/api/things", headers={"X-Forwarded-For": f"203.0.113.{n}"})).status_code
            for n in range(10)
        ]

        assert found == [401] * 10

    async def test_only_a_trusted_proxy_says_that_the_connection_is_encrypted(self, knock):
        app = served(Limits(), surroundings=Surroundings(proxies=[ip_network("10.0.0.0/8")]))
        said = {"X-Forwarded-Proto": "https"}

        behind = await knock(app, "10.0.0.1", **said).get("/api/health")
        beside = await knock(app, "203.0.113.7", **said).get("/api/health")

        assert "strict-transport-security" in behind.headers
        assert "strict-transport-security" not in beside.headers

    async def test_the_server_itself_believes_nobody_on_its_own_machine(self):
        server = web.server_of(served(Limits(anonymous_per_minute=3)))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with httpx.AsyncClient(base_url=url, headers={"x-api-key": "wrong"}, trust_env=False) as client:
                found = [
                    (await client.get("/api/things", headers={"X-Forwarded-For": f"203.0.113.{n}"})).status_code
                    for n in range(5)
                ]
            server.should_exit = True
            await serving

        assert found == [401] * 3 + [429] * 2
