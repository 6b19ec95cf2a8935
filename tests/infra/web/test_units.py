"""A route is a unit of work: who asks, may they, do it, commit, answer."""

import asyncio
from typing import Annotated

import httpx
import pytest

from carrel.infra.db import Role
from carrel.infra.web import Router, provided, requires
from carrel.infra.web.app import build
from tests.infra.web.conftest import LIMITS, conversation, key
from tests.infra.web.notes import Notes

pytestmark = pytest.mark.anyio

PATH = "/api/notes"


class TestWork:
    async def test_is_committed_before_the_answer_leaves(self, client, texts):
        answer = await client.post(PATH, json={"text": "kept"})

        assert (answer.status_code, answer.json()["text"], answer.headers["etag"]) == (201, "kept", '"1"')
        assert await texts() == ["kept"]

    @pytest.mark.parametrize(
        ("how", "status"), [("problem", 409), ("limit", 429), ("database", 503), ("bug", 500), ("ignored", 500)]
    )
    async def test_is_undone_by_any_error(self, client, texts, how, status):
        answer = await client.post(f"{PATH}/fail/{how}")

        assert answer.status_code == status
        assert await texts() == []

    async def test_is_undone_when_the_request_is_cancelled(self, client, texts):
        with pytest.raises(asyncio.CancelledError):
            await client.post(f"{PATH}/fail/cancelled")

        assert await texts() == []

    async def test_leaves_no_connection_behind(self, client, database):
        # The pool has ten: any that was kept would be missed.
        for _ in range(12):
            await client.post(f"{PATH}/fail/bug")
            await client.post(PATH, json={"text": 5})

        async with database.transaction(Role.GATE) as db:
            assert await db.value("SELECT 1") == 1


class TestAfterCommit:
    async def test_sees_the_commit_and_sets_body_and_status(self, client):
        answer = await client.post(f"{PATH}/waiting", json={"text": "it"})

        assert (answer.status_code, answer.json()["text"]) == (200, "seen it")
        assert answer.headers["location"] == "/api/jobs/1"
        assert int(answer.headers["content-length"]) == len(answer.content)

    async def test_failing_leaves_the_answer_that_is_true_already(self, client, texts, logged):
        answer = await client.post(f"{PATH}/waiting", json={"text": "broken"})

        assert (answer.status_code, answer.json()["text"]) == (202, "broken")
        assert await texts() == ["broken"]
        assert [event["step"] for event in logged if event["event"] == "bug"] == ["after commit"]


class TestCredentials:
    async def test_are_checked_before_the_body_is_read(self, app):
        headers = {"content-type": "application/json", "content-length": "13"}

        exchange = await conversation(app, "POST", PATH, headers, body=[b'{"text": "x"}'])

        assert (exchange.status, exchange.problem["code"]) == (401, "credentials-required")
        assert exchange.headers["www-authenticate"] == "Bearer"
        assert exchange.order.index("answered") < exchange.order.index("read")

    async def test_without_the_scope_are_refused_before_the_body_is_read(self, knock, tenant, texts):
        answer = await knock(tenant, "read").post(PATH, content=b"not even JSON")

        assert (answer.status_code, answer.json()["code"], answer.json()["scope"]) == (403, "forbidden", "write")
        assert await texts() == []

    async def test_of_an_administrator_hold_every_scope(self, knock, tenant):
        assert (await knock(tenant, "admin").post(PATH, json={"text": "x"})).status_code == 201

    async def test_are_not_asked_for_where_nothing_needs_them(self, client, asked):
        for path in ("/nothing", "/api/notes/open", "/openapi.json"):
            await client.get(path)
        await client.put(PATH)

        assert asked == []

    async def test_open_routes_have_no_caller(self, knock):
        answer = await knock(None).get(f"{PATH}/open")

        assert (answer.status_code, answer.json()) == (200, {"open": True})


class TestRequirement:
    async def test_given_with_a_whole_router_refuses_whoever_lacks_it(self, app, tenant):
        inner = Router(prefix="/inner")

        @inner.get("", operation_id="inner")
        async def inner_route() -> dict[str, str]:
            return {"open": "to everybody"}

        outer = Router(dependencies=[requires("admin")])
        outer.include_router(inner)
        house = build([outer], LIMITS)
        house.state.kit = app.state.kit

        async with httpx.AsyncClient(transport=httpx.ASGITransport(house), base_url="http://carrel.test") as client:
            answer = await client.get("/inner", headers=key(tenant, "read"))

        # The route itself cannot see such a requirement: it must fail rather than let everybody in.
        assert answer.status_code == 500

    async def test_every_one_of_several_counts(self, app, tenant):
        router = Router()

        @router.get("/both", operation_id="both", dependencies=[requires("read"), requires("write")])
        async def both() -> dict[str, str]:
            return {}

        house = build([router], LIMITS)
        house.state.kit = app.state.kit
        async with httpx.AsyncClient(transport=httpx.ASGITransport(house), base_url="http://carrel.test") as client:
            answers = [await client.get("/both", headers=key(tenant, *held)) for held in (["read"], ["read", "write"])]

        assert [answer.status_code for answer in answers] == [403, 200]

    async def test_missing_keeps_the_unit_of_work_away(self, app):
        router = Router()

        @router.post("/careless", operation_id="careless", dependencies=[provided(Notes)])
        async def careless() -> dict[str, str]:
            return {}

        house = build([router], LIMITS)
        house.state.kit = app.state.kit
        async with httpx.AsyncClient(transport=httpx.ASGITransport(house), base_url="http://carrel.test") as client:
            assert (await client.post("/careless")).status_code == 500


class TestScope:
    async def test_reads_one_moment_and_writes_in_another_transaction(self, app, tenant, texts):
        router = Router()

        class Both:
            def __init__(self, scope):
                self.scope = scope

            async def run(self):
                mode = await self.scope.snapshot.value("SHOW transaction_isolation")
                only = await self.scope.snapshot.value("SHOW transaction_read_only")
                return {"isolation": mode, "read_only": only, "same": self.scope.snapshot is self.scope.db}

        @router.get("/moment", operation_id="moment", dependencies=[requires("read")])
        async def moment(both: Annotated[Both, provided(Both)]) -> dict[str, object]:
            return await both.run()

        house = build([router], LIMITS)
        house.state.kit = app.state.kit
        app.state.kit.providers = {Both: Both}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(house), base_url="http://carrel.test") as client:
            answer = await client.get("/moment", headers=key(tenant, "read"))

        assert answer.json() == {"isolation": "repeatable read", "read_only": "on", "same": False}
