import asyncio
import os

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from carrel.core.ids import uuid7
from carrel.infra.db import migrate as runner
from carrel.infra.db.errors import DatabaseMisconfigured, DatabaseUnavailable, MigrationPending

pytestmark = pytest.mark.anyio


@pytest.fixture
def empty():
    server, name = os.environ["CARREL_TEST_SERVER"], f"empty_{uuid7().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield make_conninfo(server, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class TestMigrate:
    async def test_brings_an_empty_database_to_this_release(self, empty):
        applied = await runner.migrate(empty)

        assert applied == runner.available()
        assert await runner.pending(empty) == []

    async def test_changes_nothing_the_second_time(self, empty):
        await runner.migrate(empty)

        assert await runner.migrate(empty) == []

    async def test_two_at_once_apply_each_file_once(self, empty):
        first, second = await asyncio.gather(runner.migrate(empty), runner.migrate(empty))

        assert sorted(map(len, [first, second])) == [0, len(runner.available())]

    async def test_a_failing_file_leaves_those_before_it_and_nothing_of_itself(self, empty, monkeypatch):
        broken = runner.Migration(9999, "broken", "CREATE TABLE half (id int); SELECT 1 / 0;")
        good = runner.available()
        monkeypatch.setattr(runner, "available", lambda: [*good, broken])

        with pytest.raises(psycopg.errors.DivisionByZero):
            await runner.migrate(empty)

        assert await runner.pending(empty) == [broken]
        with psycopg.connect(empty) as connection:
            assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)

    async def test_refuses_a_file_that_was_changed_after_it_was_applied(self, empty, monkeypatch):
        await runner.migrate(empty)
        first, *rest = runner.available()
        changed = runner.Migration(first.version, first.name, first.sql + "\n-- changed")
        monkeypatch.setattr(runner, "available", lambda: [changed, *rest])

        with pytest.raises(MigrationPending, match="changed after"):
            await runner.migrate(empty)

    async def test_its_script_does_the_same_by_hand(self, empty):
        with psycopg.connect(empty, autocommit=True) as connection:
            connection.execute(runner.script(runner.available()).encode())

        assert await runner.pending(empty) == []

    async def test_require_current_names_what_is_missing(self, empty):
        with pytest.raises(MigrationPending, match="0001 ground"):
            await runner.require_current(empty)

    async def test_a_server_that_is_not_there_is_a_clear_problem(self):
        with pytest.raises(DatabaseUnavailable) as refused:
            await runner.migrate("postgresql://nobody@127.0.0.1:1/none")

        assert "DATABASE_URL" in str(refused.value.hint)

    async def test_an_address_that_is_none_is_a_clear_problem(self):
        with pytest.raises(DatabaseMisconfigured, match="cannot be understood"):
            await runner.migrate("mysql://somewhere")

    async def test_a_login_without_rights_is_told_what_to_do(self, empty):
        with psycopg.connect(empty, autocommit=True) as connection:
            name = f"weak_{uuid7().hex}"
            connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'weak'")
        try:
            with pytest.raises(DatabaseMisconfigured) as refused:
                await runner.migrate(make_conninfo(empty, user=name, password="weak"))
            assert "carrel migrate --sql" in str(refused.value.hint)
        finally:
            with psycopg.connect(empty, autocommit=True) as connection:
                connection.execute(f"DROP OWNED BY {name}")
                connection.execute(f"DROP ROLE {name}")
