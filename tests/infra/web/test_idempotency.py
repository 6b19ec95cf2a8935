"""A request that is repeated under its key is carried out once."""

import asyncio

import httpx
import pytest

from carrel.core.ids import uuid7
from carrel.infra.db import Role
from carrel.infra.web import Caller
from carrel.infra.web.errors import IdempotencyConflict
from carrel.infra.web.idempotency import Ledger
from tests.infra.web.notes import SECRET

pytestmark = pytest.mark.anyio

PATH = "/api/notes"
KEY = {"Idempotency-Key": "k1"}
NOTE = {"text": "once"}


@pytest.fixture
def age(database, tenant):
    """Let time pass for the keys of an organisation."""

    async def by(sql: str) -> None:
        async with database.transaction(Role.APP, tenant) as db:
            await db.execute(f"UPDATE idempotency_keys SET {sql} WHERE tenant_id = %(tenant)s", tenant=tenant)

    return by


@pytest.fixture
def kept(database, tenant):
    """What is stored under the keys of an organisation."""

    async def rows() -> list[tuple[object, ...]]:
        async with database.transaction(Role.APP, tenant) as db:
            sql = (
                "SELECT array_agg(ARRAY[key, status::text, encode(body, 'escape')] ORDER BY key) FROM idempotency_keys"
            )
            return await db.value(f"{sql} WHERE tenant_id = %(tenant)s", tenant=tenant) or []

    return rows


class TestRepetition:
    async def test_gives_the_stored_answer_and_has_no_effect(self, client, texts):
        first = await client.post(PATH, json=NOTE, headers=KEY)
        again = await client.post(PATH, json=NOTE, headers=KEY)

        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert (again.headers["etag"], again.headers["content-type"]) == ('"1"', "application/json")
        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
        assert await texts() == ["once"]

    @pytest.mark.parametrize(
        ("path", "body"), [(PATH, {"text": "other"}), (f"{PATH}?x=1", NOTE), (f"{PATH}/waiting", NOTE), (PATH, {})]
    )
    async def test_of_another_request_is_refused(self, client, texts, path, body):
        await client.post(PATH, json=NOTE, headers=KEY)

        answer = await client.post(path, json=body, headers=KEY)

        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-mismatch")
        assert await texts() == ["once"]

    async def test_needs_the_scope_again(self, client, knock, tenant):
        await client.post(PATH, json=NOTE, headers=KEY)

        assert (await knock(tenant, "read").post(PATH, json=NOTE, headers=KEY)).status_code == 403

    async def test_of_what_waited_gives_what_was_promised(self, client, texts):
        first = await client.post(f"{PATH}/waiting", json=NOTE, headers=KEY)
        again = await client.post(f"{PATH}/waiting", json=NOTE, headers=KEY)

        assert (first.status_code, first.json()["text"]) == (200, "seen once")
        assert (again.status_code, again.json()["text"]) == (202, "once")
        assert again.headers["location"] == first.headers["location"]
        assert await texts() == ["once"]

    async def test_without_a_key_is_another_request(self, client, texts):
        for _ in range(2):
            await client.post(PATH, json=NOTE)

        assert await texts() == ["once", "once"]

    async def test_means_nothing_to_what_only_reads(self, client, kept):
        for text in ("a", "b"):
            assert (await client.post(f"{PATH}/echo", json={"text": text}, headers=KEY)).json()["text"] == text
            assert (await client.get(PATH, headers=KEY)).status_code == 200

        assert await kept() == []


class TestConcurrency:
    async def test_of_the_same_request_has_one_effect(self, app, client, texts):
        first = asyncio.create_task(client.post(f"{PATH}/slow", json=NOTE, headers=KEY))
        async with asyncio.timeout(10):
            while not app.state.gate._waiters:
                await asyncio.sleep(0.01)

        others = await asyncio.gather(*(client.post(f"{PATH}/slow", json=NOTE, headers=KEY) for _ in range(4)))
        app.state.gate.set()

        assert {(other.status_code, other.json()["code"]) for other in others} == {(409, "idempotency-conflict")}
        assert {other.headers["retry-after"] for other in others} == {"1"}
        assert (await first).status_code == 200
        assert await texts() == ["once"]

    async def test_from_the_first_moment_on(self, client, texts):
        answers = await asyncio.gather(*(client.post(PATH, json=NOTE, headers=KEY) for _ in range(8)))

        assert {answer.status_code for answer in answers} <= {201, 409}
        assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
        assert await texts() == ["once"]


class TestFailure:
    @pytest.mark.parametrize("how", ["problem", "limit", "database", "bug"])
    async def test_releases_the_key(self, client, kept, texts, how):
        await client.post(f"{PATH}/fail/{how}", headers=KEY)
        assert await kept() == []

        answer = await client.post(PATH, json=NOTE, headers=KEY)

        assert answer.status_code == 201
        assert await texts() == ["once"]

    async def test_of_validation_releases_the_key(self, client, kept):
        assert (await client.post(PATH, json={"text": 5}, headers=KEY)).status_code == 422

        assert await kept() == []

    async def test_by_cancelling_releases_the_key(self, client, kept):
        with pytest.raises(asyncio.CancelledError):
            await client.post(f"{PATH}/fail/cancelled", headers=KEY)

        assert await kept() == []

    async def test_to_release_the_key_hides_no_other_failure(self, app, client, monkeypatch, logged):
        async def lost(ledger):
            raise IdempotencyConflict("The database is gone.")

        monkeypatch.setattr(Ledger, "release", lost)

        answer = await client.post(f"{PATH}/fail/problem", headers=KEY)

        assert answer.json()["code"] == "note-taken"
        assert [event["code"] for event in logged if "not released" in event["event"]] == ["idempotency-conflict"]

    async def test_by_a_crash_holds_the_key_only_until_the_lease_runs_out(self, client, claim, age, texts):
        await claim()  # and then the process is killed
        assert (await client.post(PATH, json=NOTE, headers=KEY)).status_code == 409

        await age("lease_until = now() - interval '1 second'")

        assert (await client.post(PATH, json=NOTE, headers=KEY)).status_code == 201
        assert await texts() == ["once"]

    async def test_by_being_overtaken_undoes_the_slower_one(self, app, client, age, texts):
        slow = asyncio.create_task(client.post(f"{PATH}/slow", json=NOTE, headers=KEY))
        async with asyncio.timeout(10):
            while not app.state.gate._waiters:
                await asyncio.sleep(0.01)
        await age("lease_until = now() - interval '1 second'")

        faster = await client.post(PATH, json={"text": "faster"}, headers=KEY)
        app.state.gate.set()

        assert (faster.status_code, (await slow).status_code) == (201, 409)
        assert await texts() == ["faster"]


@pytest.fixture
def claim(database, tenant):
    async def claimed() -> None:
        caller = Caller(tenant, "key", "test", frozenset())
        assert await Ledger(database, caller, "k1", uuid7()).claim() is None

    return claimed


class TestKeys:
    @pytest.mark.parametrize("key", ["", "x" * 256, "x" * 100_000, "a\tb", b"\xad"])
    async def test_that_cannot_be_are_refused(self, client, texts, key):
        answer = await client.post(PATH, json=NOTE, headers={"Idempotency-Key": key})

        assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
        assert await texts() == []

    @pytest.mark.parametrize("key", ["x", "x" * 255, "'; DROP TABLE api_keys; --", "a b", "é".encode("latin-1")])
    async def test_of_any_other_form_work(self, client, texts, key):
        for _ in range(2):
            answer = await client.post(PATH, json=NOTE, headers={"Idempotency-Key": key})

        assert answer.headers["idempotent-replayed"] == "true"
        assert await texts() == ["once"]

    async def test_of_two_callers_and_two_organisations_never_meet(self, client, knock, tenant, stranger, texts):
        callers = [client, knock(tenant, subject="another"), knock(stranger)]
        answers = [await caller.post(PATH, json=NOTE, headers=KEY) for caller in callers]

        assert [answer.status_code for answer in answers] == [201] * 3
        assert not [answer for answer in answers if "idempotent-replayed" in answer.headers]
        assert (await texts(), await texts(stranger)) == (["once"] * 2, ["once"])

    async def test_are_forgotten_when_they_expire(self, client, age, kept, texts):
        await client.post(PATH, json=NOTE, headers=KEY)
        await client.post(PATH, json=NOTE, headers={"Idempotency-Key": "k2"})
        await age("expires_at = now() - interval '1 second'")

        answer = await client.post(PATH, json={"text": "fresh"}, headers=KEY)

        assert answer.status_code == 201
        assert await texts() == ["once", "once", "fresh"]
        assert [row[0] for row in await kept()] == ["k1"]  # the other one was swept away

    async def test_that_expired_are_swept_by_many_at_once(self, client, age, kept):
        await asyncio.gather(
            *(client.post(PATH, json=NOTE, headers={"Idempotency-Key": f"old {number}"}) for number in range(12))
        )
        await age("expires_at = now() - interval '1 second'")

        answers = await asyncio.gather(
            *(client.post(PATH, json=NOTE, headers={"Idempotency-Key": f"new {number}"}) for number in range(8))
        )

        assert {answer.status_code for answer in answers} == {201}
        assert [row[0] for row in await kept()] == [f"new {number}" for number in range(8)]


class TestSecrets:
    async def test_are_neither_stored_nor_repeated(self, knock, tenant, kept, texts):
        admin = knock(tenant, "admin")
        first = await admin.post(f"{PATH}/secret", json=NOTE, headers=KEY)

        again = await admin.post(f"{PATH}/secret", json=NOTE, headers=KEY)

        assert first.json()["secret"] == SECRET
        assert (again.status_code, again.json()["code"]) == (409, "secret-not-repeatable")
        assert SECRET not in again.text
        assert await kept() == [["k1", "200", ""]]
        assert await texts() == ["once"]


class TestForms:
    async def test_are_the_same_with_another_boundary(self, client, texts):
        file = ("a.txt", b"--x\r\nnot the end\r\n" * 50, "text/plain")
        bodies = [httpx.Request("POST", "http://x", data={"title": "x"}, files={"file": file}) for _ in range(2)]
        assert bodies[0].headers["content-type"] != bodies[1].headers["content-type"]

        answers = [
            await client.post(
                f"{PATH}/forms", content=body.read(), headers={**KEY, "content-type": body.headers["content-type"]}
            )
            for body in bodies
        ]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[1].headers["idempotent-replayed"] == "true"
        assert len(await texts()) == 1

    async def test_are_others_with_another_file(self, client):
        for content, status in ((b"one", 200), (b"two", 422)):
            answer = await client.post(f"{PATH}/forms", files={"file": ("a.txt", content)}, headers=KEY)

            assert answer.status_code == status
