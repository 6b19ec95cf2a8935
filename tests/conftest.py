"""One PostgreSQL for the whole run, one database for each worker, one organisation for each test that asks."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from carrel.core.clock import now
from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Database, Role
from carrel.infra.db.migrate import migrate
from carrel.infra.postgres import EmbeddedPostgres
from carrel.infra.settings import Database as DatabaseSettings

SERVER = "CARREL_TEST_SERVER"
TEMPLATE = "template_carrel"
# What a crash would lose here is a test run; the crash tests start servers of their own, with everything on.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}

_server: EmbeddedPostgres | None = None
_folder: tempfile.TemporaryDirectory[str] | None = None


def pytest_sessionstart(session: pytest.Session) -> None:
    """The controlling process owns the server: workers come and go, and it must end with the run."""
    global _server, _folder  # noqa: PLW0603  (pytest's hooks have no other place to keep it)
    if os.environ.get(SERVER) or session.config.option.collectonly:
        return
    _folder = tempfile.TemporaryDirectory(prefix="carrel-tests-", ignore_cleanup_errors=True)
    _server = EmbeddedPostgres(Path(_folder.name) / "postgres", settings=FAST)
    _server.start()
    os.environ[SERVER] = _server.dsn()
    with psycopg.connect(_server.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    asyncio.run(migrate(make_conninfo(_server.dsn(), dbname=TEMPLATE)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _server is not None and _folder is not None:
        _server.stop()
        _folder.cleanup()
        del os.environ[SERVER]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def dsn() -> Iterator[str]:
    """An empty database with the schema of this release, for this worker alone; the login is a superuser."""
    server, name = os.environ[SERVER], f"test_{uuid7().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        yield make_conninfo(server, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    database = Database.at(dsn, DatabaseSettings(pool_size=10), purpose="test")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def tenant(database: Database) -> TenantId:
    """An organisation of this test's own."""
    return await given_organisation(database)


@pytest.fixture
async def stranger(database: Database) -> TenantId:
    """Another organisation, which must never see anything of `tenant`."""
    return await given_organisation(database)


async def given_organisation(database: Database) -> TenantId:
    tenant = TenantId(uuid7())
    async with database.transaction(Role.GATE) as db:
        await db.execute(
            "INSERT INTO organizations (id, name, slug, created_at) VALUES (%(id)s, 'Test', %(slug)s, %(now)s)",
            id=tenant,
            slug=f"org-{tenant.hex}",
            now=now(),
        )
        await db.execute("INSERT INTO tenant_usage (tenant_id) VALUES (%(id)s)", id=tenant)
    return tenant
