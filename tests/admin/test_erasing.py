"""An organisation is erased: nothing is left, whoever was doing what at that moment."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from carrel.admin import tasks
from carrel.admin.erasing import Erasing
from carrel.admin.errors import ErasureIncomplete
from carrel.admin.repository_remains import RemainsRows
from carrel.core.ids import TenantId
from carrel.entry import wiring
from carrel.infra.shared_cache import SharedCache
from tests.admin.conftest import ALL, Operator
from tests.house import KEY, Home, Organisation, eventually, problem

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Nobody waits for credentials to be forgotten; the tests that need that wait themselves."""
    monkeypatch.setattr(wiring, "ERASE_AFTER", wiring.ERASE_AFTER * 0)


async def furnished(home: Home) -> Organisation:
    """An organisation with something of every kind that the API makes. A worker must be there."""
    acme = await home.organisation("Acme")
    await acme.indexed("# Lease\n\n" + "The lease ends in May. " * 60, external_id="lease", tags=["contracts"])
    await acme.indexed("Another.")
    await acme.search("lease")
    headers = {"Idempotency-Key": uuid4().hex}
    once = await acme.call("POST", "/api/documents", json={"content": "Once."}, headers=headers)
    await acme.ended(once.json()["id"])
    await acme.call("POST", "/api/organization/invitations", json={"email": f"{uuid4().hex}@example.org"})
    return acme


async def erased(operator: Operator, organization: object) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found = await operator.get(f"{ALL}/{organization}/erasure")
        return found if found["state"] in {"erased", "stopped"} else None

    return dict(await eventually(look))


def left(home: Home, tenant: object) -> dict[str, int]:
    """What is really there, counted by somebody whom no policy holds back."""
    rows = home.rows(TenantId(tenant))  # type: ignore[arg-type]
    # How keys were used is written down some seconds later.
    return {table: len(found) for table, found in rows.items() if found and table != "api_key_usage"}


class TestErasing:
    async def test_leaves_nothing_and_proves_it(self, home, operator):
        async with home.working():
            acme, other = await furnished(home), await furnished(home)
            before, others = left(home, acme.tenant), left(home, other.tenant)

            answer = await operator.erase(acme.tenant)
            report = await erased(operator, acme.tenant)

        assert answer.status_code == 202
        assert answer.headers["location"] == f"{ALL}/{acme.tenant}/erasure"
        assert answer.json()["state"] in {"waiting", "erasing"}
        assert report["state"] == "erased"
        assert report["nothing_left"]
        found = {table for table, n in report["before"]["rows"].items() if n}
        assert found - {"api_key_usage"} == before.keys()
        assert report["before"]["objects"] == 3
        assert set(report["after"]["rows"].values()) == {0}
        assert report["after"]["rows"].keys() == home.rows(acme.tenant).keys()
        assert (report["after"]["objects"], report["after"]["cache_keys"]) == (0, 0)
        assert left(home, acme.tenant) == {}
        assert await home.objects_of(acme.tenant) == []
        assert left(home, other.tenant).keys() == others.keys()
        assert len(await home.objects_of(other.tenant)) == 3

    async def test_refuses_its_keys_and_is_not_found_afterwards(self, home, operator):
        async with home.working():
            acme = await furnished(home)
            await operator.erase(acme.tenant)
            report = await erased(operator, acme.tenant)

        async with asyncio.timeout(5):
            while (answer := await acme.call("GET", "/api/documents", scope="read")).status_code == 200:
                await asyncio.sleep(0.05)
        assert answer.status_code in {401, 403}
        assert problem(await operator.call("GET", f"{ALL}/{acme.tenant}"), 404)
        again = await operator.call("DELETE", f"{ALL}/{acme.tenant}", params={"confirm": report["slug"]})
        assert problem(again, 404)["code"] == "organization-not-found"
        assert (await operator.get(f"{ALL}/{acme.tenant}/erasure"))["slug"] == report["slug"]

    async def test_frees_the_slug(self, home, operator):
        made = (await operator.make())["organization"]
        async with home.working():
            await operator.erase(made["id"])
            await erased(operator, made["id"])

        assert (await operator.make(slug=made["slug"]))["organization"]["id"] != made["id"]

    async def test_looks_again_later(self, home, operator, monkeypatch):
        monkeypatch.setattr(tasks, "AGAIN_AFTER", tasks.AGAIN_AFTER * 0)
        made = (await operator.make())["organization"]
        async with home.working():
            await operator.erase(made["id"])
            report = await erased(operator, made["id"])
            orphan = f"{made['id']}/{uuid4()}/1"
            await home.house.blobs.put(orphan, pieces(b"late"), limit=None)

            async def look() -> dict[str, Any] | None:
                found = await operator.get(f"{ALL}/{made['id']}/erasure")
                return found if found["verified_at"] != report["verified_at"] else None

            second = await eventually(look)

        assert second["erased_at"] == report["erased_at"]
        assert await home.objects_of(TenantId(made["id"])) == []


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


class TestAsking:
    async def test_needs_the_slug_for_confirmation(self, operator):
        made = (await operator.make())["organization"]

        missing = await operator.call("DELETE", f"{ALL}/{made['id']}")
        wrong = await operator.call("DELETE", f"{ALL}/{made['id']}", params={"confirm": "other"})

        assert problem(missing, 422)["code"] == "invalid-request"
        assert problem(wrong, 422)["code"] == "confirmation-wrong"
        assert made["slug"] in wrong.json()["hint"]
        assert (await operator.get(f"{ALL}/{made['id']}"))["enabled"]

    async def test_is_refused_for_the_default_organisation(self, operator):
        [home] = (await operator.get(ALL, q="default"))["data"]

        answer = await operator.call("DELETE", f"{ALL}/{home['id']}", params={"confirm": "default"})

        assert problem(answer, 409)["code"] == "default-organization"

    async def test_of_nobody_is_not_found(self, operator):
        answer = await operator.call("DELETE", f"{ALL}/{uuid4()}", params={"confirm": "x"})

        assert problem(answer, 404)["code"] == "organization-not-found"
        assert problem(await operator.call("GET", f"{ALL}/{uuid4()}/erasure"), 404)["code"] == "erasure-not-found"

    async def test_cannot_be_taken_back(self, operator):
        made = (await operator.make())["organization"]
        await operator.erase(made["id"])

        answer = await operator.change(made["id"], enabled=True)

        assert problem(answer, 409)["code"] == "organization-erasing"
        assert not (await operator.get(f"{ALL}/{made['id']}"))["enabled"]

    async def test_twice_is_one_job(self, operator):
        made = (await operator.make())["organization"]

        first, second = await operator.erase(made["id"]), await operator.erase(made["id"])

        assert first.json()["job_id"] == second.json()["job_id"]

    async def test_starts_a_job_again_that_was_cancelled(self, home, operator):
        made = (await operator.make())["organization"]
        job = (await operator.erase(made["id"])).json()["job_id"]
        cancelled = await operator.call("POST", f"/api/jobs/{job}/cancel")
        stopped = await operator.get(f"{ALL}/{made['id']}/erasure")

        async with home.working():
            await operator.erase(made["id"])
            report = await erased(operator, made["id"])

        assert cancelled.status_code == 200
        assert (stopped["state"], stopped["error"]) == ("stopped", "The job was cancelled before it was done.")
        assert report["nothing_left"]


class TestWhatComesTooLate:
    async def test_an_upload_under_way_is_refused_and_leaves_no_bytes(self, home, operator):
        acme = await home.organisation("Acme")
        begun, gone = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
            yield head + b"x" * 100
            begun.set()
            await gone.wait()
            yield b"y" * 100 + b"\r\n--b--\r\n"

        headers = {KEY: acme.keys["all"], "Content-Type": "multipart/form-data; boundary=b"}
        upload = asyncio.create_task(home.http.post("/api/documents", headers=headers, content=slow()))
        async with home.working():
            await operator.erase(acme.tenant)
            report = await erased(operator, acme.tenant)
            gone.set()
            answer = await upload

        assert report["nothing_left"]
        assert problem(answer, 410)["code"] == "organization-gone"
        assert await home.objects_of(acme.tenant) == []
        assert left(home, acme.tenant) == {}

    async def test_many_uploads_at_once_leave_nothing(self, home, operator):
        acme = await home.organisation("Acme")
        async with home.working():
            uploads = [asyncio.create_task(acme.upload(b"x" * 1000)) for _ in range(60)]
            await asyncio.sleep(0.05)
            await operator.erase(acme.tenant)
            report = await erased(operator, acme.tenant)
            answers = await asyncio.gather(*uploads)

        assert report["nothing_left"]
        assert {answer.status_code for answer in answers} <= {202, 401, 403, 410}
        assert await home.objects_of(acme.tenant) == []
        assert left(home, acme.tenant) == {}


def eraser(home: Home, cache: SharedCache | None = None) -> Erasing:
    house = home.house
    return Erasing(house.database, house.blobs, cache or house.cache, wiring.Rooms(wiring.registry(5)).queue)


class Cut(Exception):
    """The process dies here."""


class TestACutOffErasure:
    @pytest.mark.parametrize("after", [1, 5, 12, 25])
    async def test_is_ended_by_the_next_try(self, home, operator, monkeypatch, after):
        """Wherever it stops, everything before it is committed and the next one goes on from there."""
        async with home.working():
            acme = await furnished(home)
        await operator.erase(acme.tenant)
        erasing = Erasing(
            home.house.database, home.house.blobs, home.house.cache, wiring.Rooms(wiring.registry(5)).queue
        )
        steps, empty = iter(range(100)), RemainsRows.empty

        async def dying(self: RemainsRows, table: Any) -> None:
            if next(steps) == after:
                raise Cut
            await empty(self, table)

        monkeypatch.setattr(RemainsRows, "empty", dying)
        with pytest.raises(Cut):
            await erasing.run(acme.tenant, progress)
        monkeypatch.setattr(RemainsRows, "empty", empty)

        async with home.working():
            report = await erased(operator, acme.tenant)

        assert report["nothing_left"]
        assert report["before"]["rows"]["documents"] == 3
        assert left(home, acme.tenant) == {}


async def progress(done: int, total: int | None) -> None:
    return None


class TestWhatNobodyAskedFor:
    async def test_is_not_erased(self, home):
        acme = await home.organisation("Acme")
        before = home.rows(acme.tenant)

        await eraser(home).run(acme.tenant, progress)

        assert home.rows(acme.tenant) == before
        with psycopg.connect(home.dsn) as connection:
            found = connection.execute("SELECT enabled FROM organizations WHERE id = %s", [acme.tenant]).fetchone()
        assert found == (True,)


class TestTheSharedCache:
    async def test_forgets_the_keys_of_the_organisation_and_no_others(self, home, operator, cache):
        mine, other = (await operator.make())["organization"]["id"], uuid4()
        await operator.erase(mine)
        keys = [f"carrel:limit:{{{UUID(mine).hex}}}:write", f"carrel:search:{{{UUID(mine).hex}}}:{'x' * 40}"]
        kept = [f"carrel:limit:{{{other.hex}}}:write", *(f"noise:{number}" for number in range(3_000))]
        await cache.ask(lambda client: client.mset(dict.fromkeys(keys + kept, b"1")))
        erasing = eraser(home, cache)

        before = await erasing.count(TenantId(UUID(mine)))
        await erasing.run(TenantId(UUID(mine)), progress)

        assert before.cache_keys == 2
        assert await cache.ask(lambda client: client.exists(*keys)) == 0
        assert await cache.ask(lambda client: client.exists(*kept)) == len(kept)
        report = await operator.get(f"{ALL}/{mine}/erasure")
        assert (report["nothing_left"], report["before"]["cache_keys"]) == (True, 2)

    async def test_that_is_away_keeps_the_erasure_from_being_called_complete(
        self, home, operator, mortal_redis, connected
    ):
        made = (await operator.make())["organization"]["id"]
        await operator.erase(made)
        cache = connected(mortal_redis.url)
        mortal_redis.kill()

        with pytest.raises(ErasureIncomplete):
            await eraser(home, cache).run(TenantId(UUID(made)), progress)

        assert not (await operator.get(f"{ALL}/{made}/erasure"))["nothing_left"]
