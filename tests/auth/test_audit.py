"""Writing into the log, and what the database and the hashes do against those who change it."""

import asyncio
from dataclasses import asdict

import psycopg
import pytest
from psycopg.types.json import Jsonb

from carrel.auth.audit import SERVER, SYSTEM, Event, Target, record
from carrel.auth.audit_actions import Action
from carrel.auth.audit_chain import START, Detail, Entry, digest_of
from carrel.auth.audit_reading import AuditCheck
from carrel.auth.repository_audit import ADD, ChainRows
from carrel.core.clock import now
from carrel.infra.db import Role

pytestmark = pytest.mark.anyio
ROLES = [Role.APP, Role.GATE, Role.OPERATOR, Role.QUEUE]


@pytest.fixture
def write(database, tenant):
    async def write(*names: str, role: Role = Role.APP) -> None:
        for name in names:
            async with database.transaction(role, tenant) as db:
                await record(db, Event(tenant, Action.LOGOUT, SYSTEM, Target("session", name), {"name": name}))

    return write


@pytest.fixture
def check(database, tenant):
    async def check():
        snapshot = database.snapshot(Role.APP, tenant)
        try:
            return await AuditCheck(snapshot, tenant).verify()
        finally:
            await snapshot.abandon()

    return check


@pytest.fixture
def administrator(dsn):
    """Somebody with all rights, whom no trigger stops."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


async def events(database, tenant):
    async with database.transaction(Role.APP, tenant) as db:
        return await ChainRows(db, tenant).following(0, limit=1000)


class TestRecord:
    async def test_keeps_what_it_is_told(self, database, tenant):
        before = now()
        event = Event(
            tenant, Action.MEMBER_REMOVED, "user:1", Target("member", tenant), {"role": "owner", "many": ["a", "b"]},
            outcome="failure",
        )  # fmt: skip
        async with database.transaction(Role.APP, tenant) as db:
            await record(db, event)

        [found] = await events(database, tenant)

        assert (found.actor, found.action, found.outcome) == ("user:1", "member.removed", "failure")
        assert (found.target_kind, found.target_id) == ("member", str(tenant))
        assert found.details == {"role": "owner", "many": ["a", "b"]}
        assert (found.sequence, found.previous, found.hash) == (1, START, digest_of(found))
        assert before <= found.at <= now()
        assert (found.address, found.request_id) == (None, None)

    async def test_leaves_nothing_when_its_transaction_fails(self, database, tenant, write):
        await write("first")
        with pytest.raises(RuntimeError):
            async with database.transaction(Role.APP, tenant) as db:
                await record(db, Event(tenant, Action.LOGOUT, SYSTEM))
                raise RuntimeError
        await write("second")

        found = await events(database, tenant)

        assert [event.details["name"] for event in found] == ["first", "second"]
        assert [event.sequence for event in found] == [1, 2]

    async def test_takes_text_of_any_kind_and_keeps_what_can_be_stored(self, database, tenant, check):
        odd: dict[str, Detail] = {
            "null": "a\x00b",
            "half": "\ud800",
            "arabic": "ليلى",
            "long": "x" * 10_000,
            "number": 2**53 + 1,
        }
        async with database.transaction(Role.APP, tenant) as db:
            await record(db, Event(tenant, Action.LOGOUT, "user:\x00", details=odd))

        [found] = await events(database, tenant)

        assert found.details["null"] == "a\ufffdb"
        assert found.details["number"] == 2**53 + 1
        assert len(found.details["long"]) == 500
        assert (await check()).ok

    async def test_refuses_more_details_than_anybody_reads(self, database, tenant):
        many = {str(number): number for number in range(21)}

        with pytest.raises(ValueError, match="at most 20"):
            async with database.transaction(Role.APP, tenant) as db:
                await record(db, Event(tenant, Action.LOGOUT, SYSTEM, details=many))

    async def test_makes_one_chain_of_fifty_at_once(self, write, check):
        await asyncio.gather(*(write(f"number {number}") for number in range(50)))

        told = await check()

        assert (told.ok, told.events, told.last_sequence) == (True, 50, 50)

    async def test_may_be_called_by_gate_and_operator_too(self, write, check):
        await write("app")
        await write("gate", role=Role.GATE)
        await write("operator", role=Role.OPERATOR)

        assert (await check()).events == 3

    async def test_keeps_an_organisation_out_of_the_logs_of_others(self, database, tenant, stranger):
        for other in (stranger, SERVER):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                async with database.transaction(Role.APP, tenant) as db:
                    await record(db, Event(other, Action.LOGOUT, SYSTEM))

    async def test_ends_with_the_organisation(self, dsn, database, tenant, stranger, write):
        await write("first", "second")
        async with database.transaction(Role.APP, stranger) as db:
            await record(db, Event(stranger, Action.LOGOUT, SYSTEM))

        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("DELETE FROM organizations WHERE id = %s", [tenant])
            left = connection.execute("SELECT count(*) FROM audit_events WHERE tenant_id = %s", [tenant]).fetchone()
            heads = connection.execute("SELECT count(*) FROM audit_heads WHERE tenant_id = %s", [tenant]).fetchone()

        assert (left, heads) == ((0,), (0,))
        assert len(await events(database, stranger)) == 1


class TestTheDatabase:
    @pytest.mark.parametrize("role", ROLES)
    @pytest.mark.parametrize("statement", ["UPDATE audit_events SET actor = 'nobody'", "DELETE FROM audit_events",
                                           "TRUNCATE audit_events", "DELETE FROM audit_heads", "TRUNCATE audit_heads",
                                           "UPDATE audit_heads SET anchor_sequence = sequence"])  # fmt: skip
    async def test_lets_no_role_change_or_remove_events(self, database, tenant, write, role, statement):
        await write("first")

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.transaction(role, tenant) as db:
                await db.execute(statement)

    @pytest.mark.parametrize("statement", ["UPDATE audit_events SET actor = 'nobody' WHERE tenant_id = %(tenant)s",
                                           "DELETE FROM audit_events WHERE tenant_id = %(tenant)s",
                                           "DELETE FROM audit_heads WHERE tenant_id = %(tenant)s",
                                           "TRUNCATE audit_events", "TRUNCATE audit_heads CASCADE"])  # fmt: skip
    @pytest.mark.parametrize("owner", [True, False])
    async def test_refuses_even_its_owner_and_its_administrator(self, dsn, database, tenant, write, statement, owner):
        await write("first")

        with psycopg.connect(dsn, autocommit=True) as connection:
            if owner:
                connection.execute("SET ROLE carrel_owner")
            try:
                touched = connection.execute(statement, {"tenant": tenant}).rowcount
            except psycopg.errors.IntegrityConstraintViolation:
                touched = 0

        assert touched == 0
        assert len(await events(database, tenant)) == 1

    @pytest.mark.parametrize("role", [Role.APP, Role.GATE, Role.OPERATOR])
    @pytest.mark.parametrize("change", ["sequence = 0", "sequence = sequence + 1", "hash = '\\x00'"])
    async def test_moves_no_head_but_by_an_event(self, database, tenant, write, role, change):
        await write("first", "second")

        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            async with database.transaction(role, tenant) as db:
                await db.execute(f"UPDATE audit_heads SET {change} WHERE tenant_id = %(tenant)s", tenant=tenant)

    @pytest.mark.parametrize("sequence", [1, 2, 4])
    async def test_takes_no_event_that_does_not_follow(self, database, tenant, write, sequence):
        await write("first", "second")
        [_, last] = await events(database, tenant)
        values = {**asdict(last), "details": Jsonb({}), "sequence": sequence, "previous": last.hash}

        with pytest.raises((psycopg.errors.UniqueViolation, psycopg.errors.IntegrityConstraintViolation)):
            async with database.transaction(Role.APP, tenant) as db:
                await db.execute(ADD, **values)

    async def test_forgets_nothing_young_and_nothing_by_the_application(self, database, tenant, write):
        await write("first")

        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="20 hours"):
            async with database.transaction(Role.GATE) as db:
                await ChainRows(db, tenant).forget(1)
        for role in (Role.APP, Role.OPERATOR, Role.QUEUE):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                async with database.transaction(role, tenant) as db:
                    await ChainRows(db, tenant).forget(1)


class TestTampering:
    """By somebody with all rights in the database, behind the back of everything that refuses it."""

    @pytest.mark.parametrize(
        "change",
        ["actor = 'nobody'", "action = 'login.failed'", "at = at + interval '1 microsecond'", "target_id = NULL",
         "target_kind = 'user'", "outcome = 'failure'", "address = ''", "request_id = 'req_1'", "details = '{}'",
         "details = details || '{\"more\": 1}'", "previous = hash", "hash = previous"],
    )  # fmt: skip
    async def test_a_changed_event_is_found(self, tenant, write, check, administrator, change):
        await write("one", "two", "three")
        administrator.execute(f"UPDATE audit_events SET {change} WHERE tenant_id = %s AND sequence = 2", [tenant])

        told = await check()

        assert (told.ok, told.broken_at, told.events) == (False, 2, 1)

    @pytest.mark.parametrize("place", [1, 2, 3])
    async def test_a_missing_event_is_found_also_at_the_end(self, tenant, write, check, administrator, place):
        await write("one", "two", "three")
        administrator.execute("DELETE FROM audit_events WHERE tenant_id = %s AND sequence = %s", [tenant, place])

        told = await check()

        assert (told.ok, told.broken_at) == (False, place)
        assert f"Event {place} is missing" in str(told.reason)

    async def test_a_swapped_pair_is_found(self, tenant, write, check, administrator):
        await write("one", "two", "three", "four")
        for change in ("-2 WHERE tenant_id = %s AND sequence = 2", "2 WHERE tenant_id = %s AND sequence = 3",
                       "3 WHERE tenant_id = %s AND sequence = -2"):  # fmt: skip
            administrator.execute(f"UPDATE audit_events SET sequence = {change}", [tenant])

        assert (await check()).broken_at == 2

    async def test_a_forged_event_at_the_end_is_found(self, database, tenant, write, check, administrator):
        await write("one", "two")
        [*_, last] = await events(database, tenant)
        values = {**asdict(last), "sequence": 3, "previous": last.hash}
        del values["hash"]
        digest = digest_of(Entry(**values))
        administrator.execute(ADD, {**values, "details": Jsonb(values["details"]), "hash": digest})

        assert (await check()).broken_at == 3

    async def test_a_head_that_was_set_back_is_found(self, tenant, write, check, administrator):
        await write("one", "two")
        administrator.execute("UPDATE audit_heads SET sequence = 1 WHERE tenant_id = %s", [tenant])

        assert (await check()).broken_at == 2

    async def test_what_others_do_to_their_log_breaks_no_other(self, tenant, stranger, write, check, administrator):
        await write("one")
        administrator.execute("UPDATE audit_heads SET sequence = 9 WHERE tenant_id = %s", [stranger])

        assert (await check()).ok
