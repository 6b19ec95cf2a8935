import asyncio
import time
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from starlette.datastructures import Headers
from structlog.testing import CapturingLogger

from carrel.auth import authenticator as auth
from carrel.auth.authenticator import Authenticator
from carrel.auth.errors import CredentialsRequired, InvalidCredentials
from carrel.auth.keys import new_key
from carrel.core.access import EVERYTHING, Access
from carrel.core.clock import now
from carrel.infra.db import Database, Role
from carrel.infra.db.errors import DatabaseUnavailable
from carrel.infra.settings import Database as DatabaseSettings
from carrel.tenants.errors import OrganizationDisabled
from tests.auth.givens import Clock, change, counted, enable, given_key, revoke

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def authenticator(database, clock):
    authenticator = Authenticator(database, clock=clock)
    yield authenticator
    await authenticator.close()


async def refusal(authenticator, key):
    with pytest.raises(InvalidCredentials) as refused:
        await authenticator.caller_with(key.encode())
    problem = refused.value
    return problem.code, problem.title, problem.status, problem.detail, problem.hint, problem.facts, problem.headers


async def last_use(database, tenant, key_id):
    async with database.transaction(Role.APP, tenant) as db:
        return await db.value(
            "SELECT last_used_at FROM api_keys WHERE tenant_id = %(tenant)s AND id = %(id)s", tenant=tenant, id=key_id
        )


class TestAGoodKey:
    @pytest.mark.parametrize("header", [("X-API-Key", "{}"), ("Authorization", "Bearer {}")])
    async def test_is_its_organization_with_its_scopes(self, database, authenticator, tenant, header):
        key = await given_key(database, tenant, ["read", "search"], name="Reader")

        caller = await authenticator.authenticate(Headers({header[0]: header[1].format(key.key)}))

        assert (caller.tenant, caller.name, caller.scopes) == (tenant, "Reader", {"read", "search", "token"})
        assert caller.subject == f"key:{key.id}"
        assert caller.may("read")
        assert not caller.may("write")

    async def test_is_looked_up_once_for_many_who_ask_at_once(self, database, tenant):
        key, database = await given_key(database, tenant), counted(database)
        authenticator = Authenticator(database)

        callers = await asyncio.gather(*(authenticator.caller_with(key.key.encode()) for _ in range(50)))

        await authenticator.close()
        assert len(set(callers)) == 1
        assert database.looked_up == 1

    async def test_needs_no_database_for_two_seconds(self, database, tenant, clock):
        key, database = await given_key(database, tenant), counted(database)
        authenticator = Authenticator(database, clock=clock)
        for moment in (0, 0.5, 1.0, 1.99):
            clock.time = 1000 + moment
            await authenticator.caller_with(key.key.encode())
        assert database.looked_up == 1

        clock.time = 1002.0
        await authenticator.caller_with(key.key.encode())

        await authenticator.close()
        assert database.looked_up == 2

    async def test_is_known_for_a_moment_after_the_database_has_gone(self, database, tenant, dsn, clock):
        key, other = await given_key(database, tenant), await given_key(database, tenant)
        going = Database.at(dsn, DatabaseSettings(pool_size=2), purpose="going")
        await going.open()
        authenticator = Authenticator(going, clock=clock)
        await authenticator.caller_with(key.key.encode())
        await authenticator.close()
        await going.close()

        assert (await authenticator.caller_with(key.key.encode())).tenant == tenant
        with pytest.raises(DatabaseUnavailable):
            await authenticator.caller_with(other.key.encode())

    async def test_outlives_the_one_who_asked_first_and_went_away(self, database, authenticator, tenant):
        key = (await given_key(database, tenant)).key.encode()
        first, second = (asyncio.create_task(authenticator.caller_with(key)) for _ in range(2))
        await asyncio.sleep(0)

        first.cancel()

        assert (await second).tenant == tenant
        assert first.cancelled()

    async def test_two_keys_are_two_callers(self, database, authenticator, tenant, stranger):
        ours, theirs = await given_key(database, tenant), await given_key(database, stranger)

        callers = [await authenticator.caller_with(key.key.encode()) for key in (ours, theirs, ours)]

        assert [caller.tenant for caller in callers] == [tenant, stranger, tenant]


class TestARefusal:
    async def test_is_the_same_for_unknown_expired_and_revoked_keys(self, database, authenticator, tenant):
        expired = await given_key(database, tenant, expires_at=now() + timedelta(hours=1))
        await change(database, tenant, expired.id, "expires_at = %(at)s", at=now() - timedelta(seconds=1))
        revoked = await given_key(database, tenant)
        await revoke(database, tenant, revoked.id)

        answers = [await refusal(authenticator, key) for key in (new_key(), "short", expired.key, revoked.key)]

        assert answers[0][:3] == ("invalid-credentials", "The credentials are not valid", 401)
        assert answers[0][-1] == {"WWW-Authenticate": "Bearer"}
        assert all(answer == answers[0] for answer in answers)

    async def test_is_not_looked_up_again_within_a_second(self, database, clock):
        database, key = counted(database), new_key()
        authenticator = Authenticator(database, clock=clock)
        for moment in (0, 0.5, 0.99):
            clock.time = 1000 + moment
            await refusal(authenticator, key)
        assert database.looked_up == 1

        clock.time = 1001.0
        await refusal(authenticator, key)

        assert database.looked_up == 2

    async def test_follows_a_revocation_within_two_seconds(self, database, authenticator, tenant, clock):
        key = await given_key(database, tenant)
        await authenticator.caller_with(key.key.encode())

        await revoke(database, tenant, key.id)
        clock.time += 2.0

        await refusal(authenticator, key.key)

    async def test_comes_at_the_expiry_and_not_two_seconds_later(self, database, authenticator, tenant, clock):
        key = await given_key(database, tenant, expires_at=now() + timedelta(minutes=10))
        soon = now() + timedelta(seconds=1.5)
        await change(database, tenant, key.id, "expires_at = %(at)s", at=soon)
        await authenticator.caller_with(key.key.encode())

        await change(database, tenant, key.id, "expires_at = %(at)s", at=now() - timedelta(seconds=1))
        clock.time += 1.5

        await refusal(authenticator, key.key)

    async def test_tells_a_disabled_organization_from_a_wrong_key(self, database, authenticator, tenant, clock):
        key = (await given_key(database, tenant)).key.encode()
        await enable(database, tenant, False)

        with pytest.raises(OrganizationDisabled) as refused:
            await authenticator.caller_with(key)
        assert refused.value.status == 403

        await enable(database, tenant, True)
        clock.time += 1.0
        assert (await authenticator.caller_with(key)).tenant == tenant

    async def test_of_a_revoked_key_does_not_tell_that_its_organization_is_disabled(
        self, database, authenticator, tenant
    ):
        key = await given_key(database, tenant)
        await revoke(database, tenant, key.id)
        await enable(database, tenant, False)

        await refusal(authenticator, key.key)

    async def test_a_flood_of_wrong_keys_leaves_the_good_ones_known(self, database, tenant, clock):
        good = await given_key(database, tenant)
        database = counted(database)
        authenticator = Authenticator(database, clock=clock)
        await authenticator.caller_with(good.key.encode())
        for _ in range(50):
            await refusal(authenticator, new_key())

        before = database.looked_up
        await authenticator.caller_with(good.key.encode())

        await authenticator.close()
        assert database.looked_up == before

    async def test_asks_for_credentials_when_there_are_none(self, authenticator):
        with pytest.raises(CredentialsRequired):
            await authenticator.authenticate(Headers({}))


class TestTheLastUse:
    async def test_is_written_behind_the_answer(self, database, authenticator, tenant):
        key = await given_key(database, tenant)
        before = now()

        await authenticator.caller_with(key.key.encode())
        await authenticator.close()

        assert before <= await last_use(database, tenant, key.id) <= now()

    async def test_is_written_once_a_minute(self, database, tenant):
        key = await given_key(database, tenant)
        for age in (59, 61):
            used = now() - timedelta(seconds=age)
            await change(database, tenant, key.id, "last_used_at = %(at)s", at=used)
            authenticator = Authenticator(database)
            await authenticator.caller_with(key.key.encode())
            await authenticator.close()

            assert (await last_use(database, tenant, key.id) > used) is (age > 60)

    async def test_is_not_written_over_a_newer_one_of_another_server(self, database, tenant):
        key = await given_key(database, tenant)
        servers = [Authenticator(database) for _ in range(5)]
        await asyncio.gather(*(server.caller_with(key.key.encode()) for server in servers))
        await asyncio.gather(*(server.close() for server in servers))
        first = await last_use(database, tenant, key.id)

        late = Authenticator(database)
        await late.caller_with(key.key.encode())
        await late.close()

        assert await last_use(database, tenant, key.id) == first

    async def test_that_cannot_be_written_is_logged_and_hurts_nobody(self, database, tenant, dsn, monkeypatch):
        logger = CapturingLogger()
        monkeypatch.setattr(auth, "log", logger)
        key = await given_key(database, tenant)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("REVOKE UPDATE ON api_keys FROM carrel_app")
            try:
                authenticator = Authenticator(database)
                caller = await authenticator.caller_with(key.key.encode())
                await authenticator.close()
            finally:
                connection.execute("GRANT UPDATE ON api_keys TO carrel_app")

        assert caller.tenant == tenant
        (call,) = logger.calls
        assert call.method_name == "warning"
        assert call.kwargs["key_id"] == str(key.id)
        assert key.key not in str(call)
        assert await last_use(database, tenant, key.id) is None


class TestWhatACallerMay:
    async def test_follows_the_limits_of_the_key(self, database, authenticator, tenant):
        group, collection = uuid4(), uuid4()
        narrowed = await given_key(
            database, tenant, ["read"], rate_limit=7, tags=["a", "b"], collections=[collection], groups=[group]
        )
        plain, admin = await given_key(database, tenant), await given_key(database, tenant, ["admin"])

        callers = [await authenticator.caller_with(key.key.encode()) for key in (narrowed, plain, admin)]

        assert [one.rate_limit for one in callers] == [7, None, None]
        assert [one.access for one in callers] == [
            Access((frozenset({"a", "b"}),), frozenset({collection}), None, frozenset({f"group:{group}"})),
            Access(readers=frozenset()),
            EVERYTHING,
        ]

    async def test_follows_the_rate_of_the_organization(self, database, authenticator, tenant, clock):
        key = (await given_key(database, tenant)).key.encode()
        before = await authenticator.caller_with(key)

        async with database.transaction(Role.OPERATOR) as db:
            await db.execute("UPDATE organizations SET rate_limit_per_minute = 250 WHERE id = %(id)s", id=tenant)
        clock.time += 2.0

        assert before.tenant_rate is None
        assert (await authenticator.caller_with(key)).tenant_rate == 250

    async def test_follows_the_role_and_the_organization_of_a_person(self, town):
        lina = await town.register()
        omar = await town.hired(lina, "viewer")
        change = "UPDATE organizations SET rate_limit_per_minute = 250 WHERE id = %(id)s"
        await town.change(change, Role.OPERATOR, id=lina.organization)
        town.forget()

        callers = [await town.authenticator.caller_with(one.tokens["access_token"].encode()) for one in (lina, omar)]

        assert [one.access for one in callers] == [EVERYTHING, Access(readers=frozenset({f"user:{omar.id}"}))]
        assert [one.tenant_rate for one in callers] == [250, 250]


class TestSeveralServers:
    async def test_all_know_within_five_seconds_what_one_has_revoked_or_changed(self, database, town, tenant):
        """By the clock on the wall, and with nothing but the database between them."""
        admin = await town.key(tenant)
        revoked, changed = await given_key(database, tenant), await given_key(database, tenant)
        header = {"X-API-Key": revoked.key}
        token = (await town.post("/api/tokens", {"filter": {}}, headers=header)).json()["token"]
        servers = [Authenticator(database, town.desk.ring) for _ in range(2)]
        for server in servers:
            for key in (revoked.key, changed.key, token):
                await server.caller_with(key.encode())

        begin = time.monotonic()
        assert (await town.http.delete(f"/api/admin/api-keys/{revoked.id}", headers=admin)).status_code == 204
        change = {"scopes": ["read"], "tags": ["a"]}
        assert (
            await town.http.patch(f"/api/admin/api-keys/{changed.id}", headers=admin, json=change)
        ).status_code == 200

        for server in servers:
            while not await is_refused(server, revoked.key, token) or (await scopes(server, changed.key)) != {"read"}:
                assert time.monotonic() - begin < 5
                await asyncio.sleep(0.05)
        await asyncio.gather(*(server.close() for server in servers))


async def is_refused(server, *keys):
    answers = await asyncio.gather(*(server.caller_with(key.encode()) for key in keys), return_exceptions=True)
    return all(isinstance(answer, InvalidCredentials) for answer in answers)


async def scopes(server, key):
    return (await server.caller_with(key.encode())).scopes - {"token"}
