"""Somebody hears of every refusal, and everybody can tell where the request came from."""

from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI, Request

from carrel.core.errors import Problem
from carrel.infra.web import Caller
from carrel.infra.web.whence import NOWHERE, Origin, enter, leave, whence
from tests.infra.web.conftest import conversation

pytestmark = pytest.mark.anyio


@dataclass
class Listener:
    heard: list[tuple[str, str | None, Origin]] = field(default_factory=list)
    broken: bool = False

    def refused(self, request: Request, problem: Problem) -> None:
        caller: Caller | None = getattr(request.state, "caller", None)
        self.heard.append((problem.code, caller.subject if caller else None, whence()))
        if self.broken:
            raise RuntimeError("a bug")


@pytest.fixture
def listener(app: FastAPI) -> Listener:
    app.state.kit.observer = Listener()
    return app.state.kit.observer


async def test_hears_who_was_refused_why_and_from_where(knock, tenant, listener):
    answer = await knock(tenant, "search", subject="somebody").post("/api/notes", json={"text": "x"})

    where = Origin("127.0.0.1", answer.headers["x-request-id"])
    assert answer.status_code == 403
    assert listener.heard == [("forbidden", "somebody", where)]


async def test_hears_of_strangers_too(knock, listener):
    await knock(None).get("/api/notes")

    assert [heard[:2] for heard in listener.heard] == [("credentials-required", None)]


async def test_hears_nothing_of_what_goes_well(client, listener):
    assert (await client.get("/api/notes")).status_code == 200

    assert listener.heard == []


async def test_keeps_nobody_from_an_answer_when_it_fails(knock, listener, logged):
    listener.broken = True

    answer = await knock(None).get("/api/notes")

    assert (answer.status_code, answer.json()["code"]) == (401, "credentials-required")
    assert any(entry["event"] == "bug" and entry["step"] == "observer" for entry in logged)


class TestWhence:
    async def test_is_nowhere_outside_of_requests(self, client):
        await client.get("/api/notes")

        assert whence() is NOWHERE

    async def test_is_that_of_the_request_and_ends_with_it(self, app, listener):
        await conversation(app, "GET", "/api/notes", {"x-request-id": "mine"}, body=[b""])

        assert listener.heard[0][2] == Origin("127.0.0.1", "mine")
        assert whence() is NOWHERE

    def test_keeps_no_address_without_end(self):
        token = enter("x" * 1000, "req_1")

        assert len(str(whence().address)) == 64
        leave(token)
        assert whence() is NOWHERE
