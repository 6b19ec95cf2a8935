"""Bytes follow their rows, whatever happens to the commit."""

import asyncio

import psycopg
import pytest

from carrel.core.access import EVERYTHING
from carrel.core.ids import DocumentId, uuid7
from carrel.documents.deposits import Deposits
from carrel.documents.repository import Content, Rows
from carrel.documents.schemas import Draft
from carrel.infra.blobs import ObjectStoreUnavailable
from carrel.infra.db import Database, Role
from carrel.infra.settings import Database as DatabaseSettings
from tests.documents.conftest import eventually

pytestmark = pytest.mark.anyio


class Trouble(Exception):
    pass


async def some_bytes():
    yield b"bytes"


@pytest.fixture
def document_id():
    return DocumentId(uuid7())


@pytest.fixture
def deposits(blobs, database, tenant):
    return Deposits(blobs, database, tenant, limit=100)


@pytest.fixture
def key(tenant, document_id):
    return f"{tenant}/{document_id}/1"


async def test_bytes_stay_when_all_goes_well(deposits, document_id, key, stored_keys):
    async with deposits:
        await deposits.put(document_id, key, some_bytes())
        deposits.settle()

    assert await stored_keys() == [key]


async def test_bytes_go_when_the_work_fails(deposits, document_id, key, stored_keys):
    with pytest.raises(Trouble):
        async with deposits:
            await deposits.put(document_id, key, some_bytes())
            raise Trouble

    assert await stored_keys() == []


async def test_bytes_go_when_the_commit_fails(deposits, document_id, key, stored_keys):
    with pytest.raises(Trouble):
        async with deposits:
            await deposits.put(document_id, key, some_bytes())
            deposits.settle()
            raise Trouble

    assert await stored_keys() == []


async def test_bytes_stay_when_the_row_is_committed_although_the_request_failed(
    deposits, document_id, key, stored_keys, given
):
    with pytest.raises(Trouble):
        async with deposits:
            await deposits.put(document_id, key, some_bytes())
            deposits.settle()
            await given.document(document_id)
            raise Trouble

    assert await stored_keys() == [key]


async def test_a_commit_that_is_still_under_way_is_waited_for(
    deposits, document_id, key, stored_keys, database, tenant
):
    held, commit = asyncio.Event(), asyncio.Event()

    async def slow_commit() -> None:
        async with database.transaction(Role.APP, tenant) as db:
            await Rows(db, tenant, EVERYTHING).hold(document_id)
            held.set()
            await commit.wait()
            draft = Draft("x", True, None, [], {}, None, None, None)
            await Rows(db, tenant, EVERYTHING).add(document_id, draft, Content(key, 5, ""))

    async def failing_request() -> None:
        async with deposits:
            await deposits.put(document_id, key, some_bytes())
            deposits.settle()
            raise Trouble

    slow = asyncio.create_task(slow_commit())
    await held.wait()
    failing = asyncio.create_task(failing_request())
    await eventually(lambda: is_waiting_for_a_lock(database))
    commit.set()
    await slow

    with pytest.raises(Trouble):
        await failing
    assert await stored_keys() == [key]


async def is_waiting_for_a_lock(database):
    async with database.transaction(Role.GATE) as db:
        return await db.value(
            "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


async def test_bytes_stay_when_the_database_cannot_tell(blobs, tenant, document_id, key, stored_keys, tmp_path):
    gone = Database.at(f"host={tmp_path} user=x dbname=x", DatabaseSettings(pool_size=2), purpose="test")
    deposits = Deposits(blobs, gone, tenant, limit=100)

    with pytest.raises(Trouble):
        async with deposits:
            await deposits.put(document_id, key, some_bytes())
            deposits.settle()
            raise Trouble

    assert await stored_keys() == [key]


async def test_the_first_failure_is_the_one_that_is_told(database, tenant, document_id, key, blobs):
    class Stubborn:
        """A store that takes and never gives back."""

        async def put(self, key, chunks, *, limit):
            return await blobs.put(key, chunks, limit=limit)

        async def delete(self, key):
            raise ObjectStoreUnavailable("Not now.")

    deposits = Deposits(Stubborn(), database, tenant, limit=100)

    with pytest.raises(Trouble):
        async with deposits:
            await deposits.put(document_id, key, some_bytes())
            raise Trouble


async def test_a_request_whose_commit_is_refused_leaves_nothing(client, given, stored_keys, dsn):
    name = f"refuse_{uuid7().hex}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'refused at commit'; END $$"
        )
        connection.execute(
            f"CREATE CONSTRAINT TRIGGER {name} AFTER INSERT ON documents DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
            f"WHEN (NEW.tenant_id = '{given.tenant}') EXECUTE FUNCTION {name}()"
        )
        try:
            answer = await client.post("/api/documents", json={"content": "text"}, headers={"idempotency-key": "k"})
        finally:
            connection.execute(f"DROP TRIGGER {name} ON documents")
            connection.execute(f"DROP FUNCTION {name}()")

    assert answer.status_code == 500
    assert await stored_keys() == []
    assert await given.usage() == (0, 0)
    assert (await client.post("/api/documents", json={"content": "text"}, headers={"idempotency-key": "k"})).is_success
