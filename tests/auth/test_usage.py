import asyncio
from datetime import date, timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from carrel.auth.authenticator import Authenticator
from carrel.auth.usage import KeyUsage
from carrel.core.clock import now
from carrel.infra.db import Role
from tests.auth.givens import caller, counted, given_key, revoke

pytestmark = pytest.mark.anyio
DAYS = "SELECT day, requests, searches, refused FROM api_key_usage WHERE tenant_id = %(tenant)s AND key_id = %(key)s"


@pytest.fixture
async def usage(database):
    usage = KeyUsage(database)
    yield usage
    await usage.close()


async def holder(database, key):
    authenticator = Authenticator(database)
    found = await authenticator.caller_with(key.key.encode())
    await authenticator.close()
    return found


def today():
    return now().date()


def written(dsn, tenant, key):
    with psycopg.connect(dsn) as connection:
        return connection.execute(DAYS + " ORDER BY day", {"tenant": tenant, "key": key.id}).fetchall()


class TestCounting:
    async def test_tells_searches_and_refusals_from_other_calls(self, database, dsn, usage, tenant):
        key = await given_key(database, tenant)
        who = await holder(database, key)

        for scope, refused in [("read", 0), ("search", 0), ("search", 0), ("search", 1), ("admin", 1)]:
            usage.note(who, scope, refused=bool(refused))
        await usage.close()

        assert written(dsn, tenant, key) == [(today(), 5, 2, 2)]

    async def test_is_added_to_what_others_have_counted(self, database, dsn, tenant):
        keys = [await given_key(database, tenant) for _ in range(5)]
        callers = [await holder(database, key) for key in keys]
        servers = [KeyUsage(database) for _ in range(4)]

        for _ in range(3):
            # In other orders: they must not wait for each other in a circle.
            for number, server in enumerate(servers):
                for who in callers if number % 2 else reversed(callers):
                    server.note(who, "search", refused=False)
            await asyncio.gather(*(server.close() for server in servers))

        assert [written(dsn, tenant, key) for key in keys] == [[(today(), 12, 12, 0)]] * 5

    async def test_writes_for_all_organizations_in_one_statement(self, database, dsn, tenant, stranger):
        ours, theirs = await given_key(database, tenant), await given_key(database, stranger)
        callers = [await holder(database, key) for key in (ours, theirs)]
        database = counted(database)
        usage = KeyUsage(database)

        for who in callers:
            usage.note(who, "read", refused=False)
        await usage.close()

        assert database.asked == [Role.GATE]
        assert written(dsn, tenant, ours) == written(dsn, stranger, theirs) == [(today(), 1, 0, 0)]

    async def test_happens_every_so_often_and_not_at_each_call(self, database, dsn, tenant):
        key = await given_key(database, tenant)
        who, database = await holder(database, key), counted(database)
        usage = KeyUsage(database, every=0.2)

        for _ in range(100):
            usage.note(who, "read", refused=False)
        assert database.asked == []
        async with asyncio.timeout(20):
            while not written(dsn, tenant, key):
                await asyncio.sleep(0.02)
        usage.note(who, "read", refused=False)
        await usage.close()

        assert database.asked == [Role.GATE] * 2
        assert written(dsn, tenant, key) == [(today(), 101, 0, 0)]

    async def test_leaves_people_out(self, database, tenant):
        database = counted(database)
        usage = KeyUsage(database)

        usage.note(caller(tenant), "read", refused=False)
        await usage.close()

        assert database.asked == []

    async def test_goes_on_after_a_failure(self, database, dsn, usage, tenant):
        key = await given_key(database, tenant)
        who = await holder(database, key)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("REVOKE INSERT ON api_key_usage FROM carrel_gate")
            try:
                usage.note(who, "search", refused=False)
                await usage.close()
            finally:
                connection.execute("GRANT INSERT ON api_key_usage TO carrel_gate")
        assert written(dsn, tenant, key) == []

        usage.note(who, "read", refused=True)
        await usage.close()

        assert written(dsn, tenant, key) == [(today(), 2, 1, 1)]

    async def test_forgets_a_key_that_has_gone_with_its_organization(self, database, dsn, usage, tenant, stranger):
        gone, stays = await given_key(database, stranger), await given_key(database, tenant)
        callers = [await holder(database, key) for key in (gone, stays)]
        for who in callers:
            usage.note(who, "read", refused=False)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("DELETE FROM organizations WHERE id = %s", [stranger])

        await usage.close()

        assert written(dsn, stranger, gone) == []
        assert written(dsn, tenant, stays) == [(today(), 1, 0, 0)]


class TestOverHttp:
    async def test_counts_what_a_key_does_and_the_tokens_made_from_it(self, town, tenant):
        key, admin = await given_key(town.database, tenant, ["read", "search"]), await town.key(tenant)
        header = {"X-API-Key": key.key}
        token = (await town.post("/api/tokens", {"filter": {}}, headers=header)).json()["token"]
        for headers in (header, {"Authorization": f"Bearer {token}"}):
            assert (await town.http.get("/api/admin/api-keys", headers=headers)).status_code == 403
        await town.usage.close()

        answer = await town.http.get(f"/api/admin/api-keys/{key.id}/usage", headers=admin)

        numbers = {"requests": 3, "searches": 0, "refused": 2}
        assert answer.json() == {
            "key_id": str(key.id),
            "from": str(today() - timedelta(days=29)),
            "to": str(today()),
            "days": [{"day": str(today()), **numbers}],
            "total": numbers,
        }

    async def test_shows_the_days_that_are_asked_for(self, town, dsn, tenant):
        key, admin = await given_key(town.database, tenant), await town.key(tenant)
        with psycopg.connect(dsn, autocommit=True) as connection:
            for day in (1, 2, 3, 5):
                row = [tenant, key.id, date(2026, 3, day), 10 * day, day, 1]
                connection.execute("INSERT INTO api_key_usage VALUES (%s, %s, %s, %s, %s, %s)", row)

        url = f"/api/admin/api-keys/{key.id}/usage"
        answer = await town.http.get(url, params={"from": "2026-03-02", "to": "2026-03-04"}, headers=admin)

        assert [day["day"] for day in answer.json()["days"]] == ["2026-03-02", "2026-03-03"]
        assert answer.json()["total"] == {"requests": 50, "searches": 5, "refused": 2}

    async def test_outlives_a_revocation_and_stays_in_its_organization(self, town, tenant, stranger):
        key, admin, other = await given_key(town.database, tenant), await town.key(tenant), await town.key(stranger)
        await revoke(town.database, tenant, key.id)
        url = f"/api/admin/api-keys/{key.id}/usage"

        answers = [await town.http.get(url, headers=headers) for headers in (admin, other)]
        unknown = await town.http.get(f"/api/admin/api-keys/{uuid4()}/usage", headers=other)

        assert [answer.status_code for answer in answers] == [200, 404]
        assert answers[0].json()["days"] == []
        assert (unknown.status_code, answers[1].json()["code"]) == (404, "api-key-not-found")

    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            ({"from": "2026-02-02", "to": "2026-02-01"}, "period-not-valid"),
            ({"from": "2024-01-01", "to": "2025-01-02"}, "period-not-valid"),
            ({"from": "9999-12-31"}, "period-not-valid"),
            ({"from": "yesterday"}, "invalid-request"),
            ({"to": "2026-02-30"}, "invalid-request"),
            ({"to": ""}, "invalid-request"),
        ],
    )
    async def test_refuses_what_is_no_period(self, town, tenant, asked, code):
        key, admin = await given_key(town.database, tenant), await town.key(tenant)

        answer = await town.http.get(f"/api/admin/api-keys/{key.id}/usage", params=asked, headers=admin)

        assert (answer.status_code, answer.json()["code"]) == (422, code)


class TestTheTable:
    async def test_is_written_by_the_gate_alone(self, database, tenant):
        key = await given_key(database, tenant)

        with pytest.raises(errors.InsufficientPrivilege):
            async with database.transaction(Role.APP, tenant) as db:
                await db.execute(
                    "INSERT INTO api_key_usage VALUES (%(tenant)s, %(key)s, %(day)s, 1, 1, 1)",
                    tenant=tenant,
                    key=key.id,
                    day=today(),
                )
