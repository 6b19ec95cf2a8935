import psycopg
import pytest

from carrel.infra.db import Role, Statement
from carrel.infra.db.errors import DatabaseUnavailable, StatementTimeout

pytestmark = pytest.mark.anyio
WHO = "SELECT current_user::text || ' ' || coalesce(current_setting('app.tenant', true), '')"


class TestTransaction:
    async def test_runs_under_its_role_and_for_its_tenant(self, database, tenant):
        async with database.transaction(Role.APP, tenant) as db:
            assert await db.value(WHO) == f"carrel_app {tenant}"

    async def test_leaves_neither_role_nor_tenant_on_the_connection(self, database, tenant):
        async with database.transaction(Role.APP, tenant) as db:
            await db.value(WHO)

        for connection in [await database.primary.getconn() for _ in range(2)]:
            row = await (await connection.execute(WHO)).fetchone()
            await database.primary.putconn(connection)
            assert str(tenant) not in row[0]
            assert "carrel_app" not in row[0]

    async def test_takes_no_connection_before_its_first_statement(self, database, tenant):
        async with database.transaction(Role.APP, tenant) as db:
            assert not db.is_open

    async def test_undoes_everything_when_the_block_raises(self, database, tenant):
        with pytest.raises(ZeroDivisionError):
            async with database.transaction(Role.APP, tenant) as db:
                await db.execute("UPDATE tenant_usage SET documents = 7 WHERE tenant_id = %(t)s", t=tenant)
                raise ZeroDivisionError

        async with database.transaction(Role.APP, tenant) as db:
            assert await db.value("SELECT documents FROM tenant_usage WHERE tenant_id = %(t)s", t=tenant) == 0

    async def test_refuses_to_commit_when_a_failed_statement_was_ignored(self, database, tenant):
        with pytest.raises(RuntimeError, match="ignored"):
            async with database.transaction(Role.APP, tenant) as db:
                with pytest.raises(psycopg.errors.UndefinedTable):
                    await db.execute("SELECT * FROM nowhere")

    async def test_a_batch_opens_the_transaction_by_itself(self, database, tenant):
        work = database.snapshot(Role.APP, tenant)
        try:
            [[(who,)], [(two,)]] = await work.batch([Statement(WHO), Statement("SELECT 1 + %(n)s::int", {"n": 1})])
        finally:
            await work.abandon()

        assert who == f"carrel_app {tenant}"
        assert two == 2

    async def test_a_snapshot_does_not_see_what_came_after_it(self, database, tenant):
        snapshot = database.snapshot(Role.APP, tenant)
        before = await snapshot.value("SELECT documents FROM tenant_usage WHERE tenant_id = %(t)s", t=tenant)
        async with database.transaction(Role.APP, tenant) as db:
            await db.execute("UPDATE tenant_usage SET documents = 5 WHERE tenant_id = %(t)s", t=tenant)
        after = await snapshot.value("SELECT documents FROM tenant_usage WHERE tenant_id = %(t)s", t=tenant)
        await snapshot.finish()

        assert before == after == 0

    async def test_a_snapshot_cannot_write(self, database, tenant):
        snapshot = database.snapshot(Role.APP, tenant)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await snapshot.execute("UPDATE tenant_usage SET documents = 5 WHERE tenant_id = %(t)s", t=tenant)
        await snapshot.abandon()

    async def test_a_statement_that_takes_too_long_is_a_problem_with_a_hint(self, database, tenant):
        with pytest.raises(StatementTimeout) as refused:
            async with database.transaction(Role.APP, tenant) as db:
                await db.execute("SET LOCAL statement_timeout = 20")
                await db.execute("SELECT pg_sleep(5)")

        assert refused.value.hint

    async def test_a_killed_connection_is_replaced_at_the_next_checkout(self, database, tenant, dsn):
        async with database.transaction(Role.APP, tenant) as db:
            await db.value("SELECT 1")
        with psycopg.connect(dsn, autocommit=True) as operator:
            operator.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND datname = current_database()"
            )

        async with database.transaction(Role.APP, tenant) as db:
            assert await db.value("SELECT 1") == 1

    async def test_a_connection_lost_in_the_middle_is_a_problem_and_not_a_bug(self, database, tenant, dsn):
        with pytest.raises(DatabaseUnavailable) as refused:
            async with database.transaction(Role.APP, tenant) as db:
                pid = await db.value("SELECT pg_backend_pid()")
                with psycopg.connect(dsn, autocommit=True) as operator:
                    operator.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
                await db.value("SELECT 1")

        assert refused.value.status == 503


class TestIsolation:
    async def test_rows_of_another_tenant_are_not_there(self, database, tenant, stranger):
        async with database.transaction(Role.APP, stranger) as db:
            assert await db.value("SELECT count(*) FROM tenant_usage WHERE tenant_id = %(t)s", t=tenant) == 0
            assert await db.value("SELECT count(*) FROM tenant_usage") == 1

    async def test_without_a_tenant_nothing_can_be_read(self, database, tenant):
        with pytest.raises(psycopg.errors.UndefinedObject):
            async with database.transaction(Role.APP) as db:
                await db.value("SELECT count(*) FROM tenant_usage")

    async def test_rows_cannot_be_written_for_another_tenant(self, database, tenant, stranger):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.transaction(Role.APP, stranger) as db:
                await db.execute("INSERT INTO tenant_usage (tenant_id) VALUES (%(t)s)", t=tenant)
