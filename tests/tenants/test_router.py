"""One's own organisation over HTTP: its view, its usage, and quotas that many clients run into at once."""

import asyncio
from datetime import timedelta

import psycopg
import pytest

from carrel.core.clock import now
from tests.house import Organisation, problem

pytestmark = pytest.mark.anyio

CLIENTS = 200


def limit(organisation: Organisation, **quotas: int | None) -> None:
    sets = ", ".join(f"{name} = %s" for name in quotas)
    with psycopg.connect(organisation.home.dsn, autocommit=True) as connection:
        connection.execute(f"UPDATE organizations SET {sets} WHERE id = %s", [*quotas.values(), organisation.tenant])


class TestTheOrganisation:
    async def test_is_shown_without_what_only_operators_know(self, acme):
        found = await acme.get("/api/organization")

        assert found.keys() == {"id", "name", "slug", "tier", "created_at", "limits"}
        assert (found["id"], found["name"], found["tier"]) == (str(acme.tenant), "Acme", "standard")
        assert found["limits"] == {"documents": 10_000, "storage_bytes": 10_240 * 2**20, "searches_per_day": 10_000}

    async def test_is_not_renamed_by_a_key(self, acme):
        for scope in ("admin", "write", "all"):
            answer = await acme.call("PATCH", "/api/organization", scope=scope, json={"name": "Mine"})

            assert problem(answer, 403)["scope"] == "owner"


class TestUsage:
    async def test_is_exact_at_every_moment(self, acme):
        first = await acme.add("Twelve bytes")
        await acme.add("Ten bytes.")
        for _ in range(3):
            await acme.search("bytes")
        await acme.call("DELETE", f"/api/documents/{first['id']}")

        usage = await acme.get("/api/organization/usage")

        assert (usage["documents"], usage["storage_bytes"], usage["searches_today"]) == (1, 10, 3)
        assert usage["storage_mb"] == 0.0
        assert usage["day"] == now().date().isoformat()
        assert usage["percent"] == {"documents": 0.01, "storage": 0.0, "searches": 0.03}

    async def test_has_no_percentage_of_no_limit(self, acme):
        limit(acme, max_documents=None, max_storage_mb=0, max_searches_per_day=None)

        usage = await acme.get("/api/organization/usage")

        assert usage["limits"] == {"documents": None, "storage_bytes": 0, "searches_per_day": None}
        assert usage["percent"] == {"documents": None, "storage": 100.0, "searches": None}

    async def test_history_shows_the_days_that_were_asked_for(self, acme):
        today = now().date()
        with psycopg.connect(acme.home.dsn, autocommit=True) as connection:
            connection.execute(
                "UPDATE tenant_usage SET today = today - 5, documents = 4, searches_today = 9 WHERE tenant_id = %s",
                [acme.tenant],
            )

        whole = (await acme.get("/api/organization/usage/history"))["data"]
        part = await acme.get(
            "/api/organization/usage/history",
            **{"from": str(today - timedelta(days=5)), "to": str(today - timedelta(days=4))},
        )

        assert [day["searches"] for day in whole] == [9, 0, 0, 0, 0, 0]
        assert part["data"] == whole[:2]
        assert whole[0] == {"day": str(today - timedelta(days=5)), "documents": 4, "storage_bytes": 0, "searches": 9}

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"from": "2026-02-01", "to": "2026-01-01"}, "invalid-period"),
            ({"from": "0001-01-01", "to": "9999-12-31"}, "invalid-period"),
            ({"from": "2026-02-31"}, "invalid-request"),
            ({"to": "yesterday"}, "invalid-request"),
        ],
    )
    async def test_history_refuses_days_that_are_none(self, acme, params, code):
        answer = await acme.call("GET", "/api/organization/usage/history", params=params)

        assert problem(answer, 422)["code"] == code

    async def test_history_may_end_on_the_first_day_of_all(self, acme):
        assert (await acme.get("/api/organization/usage/history", to="0001-01-01"))["data"] == []


class TestQuotas:
    async def test_two_hundred_clients_store_exactly_the_documents_that_fit(self, acme):
        limit(acme, max_documents=37)

        answers = await asyncio.gather(
            *(acme.call("POST", "/api/documents", json={"content": f"Document {number}."}) for number in range(CLIENTS))
        )

        refused = [problem(answer, 403) for answer in answers if answer.status_code != 202]
        assert len(refused) == CLIENTS - 37
        assert {one["title"] for one in refused} == {"Document quota exceeded"}
        assert {(one["code"], one["limit"], one["used"]) for one in refused} == {("document-quota-exceeded", 37, 37)}
        assert (await acme.get("/api/documents", offset=0))["total"] == 37
        assert len(await acme.home.objects_of(acme.tenant)) == 37

    async def test_two_hundred_clients_fill_the_storage_to_what_fits(self, acme):
        limit(acme, max_storage_mb=1)
        size = 2**20 // 23

        answers = await asyncio.gather(*(acme.upload(b"x" * size) for _ in range(CLIENTS)))

        refused = [problem(answer, 403) for answer in answers if answer.status_code != 202]
        assert len(refused) == CLIENTS - 23
        assert {one["title"] for one in refused} == {"Storage quota exceeded"}
        assert (await acme.get("/api/organization/usage"))["storage_bytes"] == 23 * size
        assert len(await acme.home.objects_of(acme.tenant)) == 23

    async def test_two_hundred_clients_make_exactly_the_searches_of_a_day(self, acme):
        limit(acme, max_searches_per_day=120)

        answers = await asyncio.gather(
            *(acme.call("POST", "/api/search", json={"query": "lease"}) for _ in range(CLIENTS))
        )

        refused = [problem(answer, 403) for answer in answers if answer.status_code != 200]
        assert len(refused) == CLIENTS - 120
        assert {(one["title"], one["limit"]) for one in refused} == {("Daily search quota exceeded", 120)}
        assert refused[0]["resets_at"].startswith(str(now().date() + timedelta(days=1)))
        assert (await acme.get("/api/organization/usage"))["searches_today"] == 120
