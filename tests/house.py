"""The whole application in the test's own process: real routers, providers, model, object store, queue and worker.

It stands on a database of its own, so that its worker meets only jobs that the tests of this house put in. A folder
of tests that needs it imports the fixtures into its `conftest.py`.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from psycopg import sql
from psycopg.conninfo import make_conninfo

from carrel.auth.service import Keys
from carrel.core.ids import TenantId, uuid7
from carrel.entry import web
from carrel.entry.house import House, LazyModel, opened
from carrel.entry.wiring import for_jobs, registry
from carrel.infra.db import Role
from carrel.infra.models import AsyncEmbedder, Embedder, load, resolve
from carrel.infra.models.release import MINILM
from carrel.infra.settings import Accounts, Jobs, Limits, Mail, Objects, Redis, Settings
from carrel.infra.settings import Database as DatabaseSettings
from carrel.infra.web import Caller
from carrel.infra.web.app import build
from carrel.ingestion.sandbox import Sandbox
from carrel.jobs.backoff import Backoff
from carrel.jobs.worker import Worker
from carrel.tenants.service import Organizations
from tests.conftest import SERVER, TEMPLATE

KEY = "X-API-Key"
ALL = "all"
SCOPES = ("read", "write", "search", "admin")
PATIENCE = 30
BESIDE = ("audit_", "api_key_usage")
PROBLEM_MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}
TENANT_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind = 'r' ORDER BY 1
"""


@dataclass
class Home:
    """One running application, and what tests do with it."""

    dsn: str
    house: House
    app: FastAPI
    model: LazyModel
    sandbox: Sandbox
    http: httpx.AsyncClient

    async def organisation(self, name: str = "Organisation") -> "Organisation":
        """An organisation with a key for each scope alone, and one that holds all of them."""
        database = self.house.database
        async with database.transaction(Role.GATE) as db:
            made = await Organizations(db).create(name, f"org-{uuid7().hex}")
        wanted = {ALL: SCOPES, **{scope: (scope,) for scope in SCOPES}}
        async with database.transaction(Role.APP, made.id) as db:
            keys = Keys(db, Caller(made.id, "key:test", "test", frozenset({"admin"})))
            made_keys = {
                called: await keys.create(f"{name} {called}", name, scopes) for called, scopes in wanted.items()
            }
        return Organisation(
            self,
            made.id,
            {called: key.key for called, key in made_keys.items()},
            {called: str(key.id) for called, key in made_keys.items()},
        )

    @asynccontextmanager
    async def working(
        self, encoder: AsyncEmbedder | None = None, sandbox: Sandbox | None = None, **settings: Any
    ) -> AsyncIterator[Worker]:
        """A real worker, for as long as the block runs."""
        chosen: dict[str, Any] = {"lease": timedelta(seconds=5), **settings}
        worker = Worker(
            self.house.database,
            registry(self.house.settings.jobs.max_attempts),
            for_jobs(self.house, self.model if encoder is None else self.model_of(encoder), sandbox or self.sandbox),
            Jobs(**chosen),
            name="test",
            backoff=Backoff(base=timedelta(milliseconds=5)),
        )
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()
            await running

    def model_of(self, encoder: AsyncEmbedder) -> LazyModel:
        return LazyModel(self.house.settings, self.house.data_dir, _encoder=encoder)

    def rows(self, tenant: TenantId) -> dict[str, list[Any]]:
        """Every row that an organisation has, by table, read by somebody whom no policy holds back."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return {
                table: [
                    row
                    for (row,) in connection.execute(
                        sql.SQL("SELECT to_jsonb(t) FROM {} t WHERE tenant_id = %s ORDER BY to_jsonb(t)::text").format(
                            sql.Identifier(table)
                        ),
                        [tenant],
                    )
                ]
                for (table,) in connection.execute(TENANT_TABLES).fetchall()
            }

    async def objects(self) -> list[str]:
        """The keys of everything in the object store, what is on its way in included."""
        stored = [entry.key async for entry in self.house.blobs.list()]
        return sorted(stored + [path.name for path in self.house.blobs.incoming.glob("*") if path.is_file()])

    async def objects_of(self, tenant: TenantId) -> list[str]:
        return [key for key in await self.objects() if key.startswith(str(tenant))]

    def forget_jobs(self) -> None:
        """Throw away what is left in the queue, so that the next test's worker does not begin with it."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("DELETE FROM jobs")


@dataclass(frozen=True)
class Organisation:
    """A tenant with its keys, by the name of the scope that each holds, or `all`."""

    home: Home
    tenant: TenantId
    keys: Mapping[str, str]
    key_ids: Mapping[str, str]

    async def call(self, method: str, path: str, *, scope: str = ALL, **options: Any) -> httpx.Response:
        """One request with this organisation's key for `scope`."""
        headers = {KEY: self.keys[scope], **options.pop("headers", {})}
        return await self.home.http.request(method, path, headers=headers, **options)

    async def get(self, path: str, **params: Any) -> Any:
        """The body of a GET that is answered with 200."""
        answer = await self.call("GET", path, params=params or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def add(self, content: str = "Some text.", **fields: Any) -> dict[str, Any]:
        """A text that is accepted, as the API shows it."""
        answer = await self.call("POST", "/api/documents", json={"content": content, **fields})
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def upload(self, content: Any, filename: str = "file.txt", **fields: Any) -> httpx.Response:
        return await self.call("POST", "/api/documents", files={"file": (filename, content)}, data=fields)

    async def ended(self, document_id: str) -> dict[str, Any]:
        """The document once it is `indexed` or `failed`. A worker must be there."""

        async def look() -> dict[str, Any] | None:
            document = await self.get(f"/api/documents/{document_id}")
            return document if document["status"] in {"indexed", "failed"} else None

        return dict(await eventually(look))

    async def indexed(self, content: str, **fields: Any) -> dict[str, Any]:
        """A text that can be searched. A worker must be there."""
        document = await self.ended((await self.add(content, **fields))["id"])
        assert document["status"] == "indexed", document
        return document

    async def search(self, query: str, **fields: Any) -> dict[str, Any]:
        answer = await self.call("POST", "/api/search", json={"query": query, **fields})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def text(self, document_id: str) -> str:
        return str((await self.get(f"/api/documents/{document_id}/text"))["text"])

    def rows(self) -> dict[str, list[Any]]:
        """What the organisation has, without what is noted beside the answers: that comes when it comes."""
        rows = self.home.rows(self.tenant)
        # Searches are taken in stock, and what is not used goes back after a while.
        rows["tenant_usage"] = [{**row, "searches_today": None, "updated_at": None} for row in rows["tenant_usage"]]
        return {table: found for table, found in rows.items() if not table.startswith(BESIDE)}


async def eventually(look: Callable[[], Awaitable[Any]]) -> Any:
    """What `look` finds, as soon as it finds something."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await look()):
            await asyncio.sleep(0.02)
    return found


def problem(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    """The body of a refusal, which has its form whatever was wrong."""
    assert 400 <= answer.status_code < 500 or answer.status_code in statuses, answer.text[:500]
    assert not statuses or answer.status_code in statuses, (answer.status_code, answer.text[:500])
    assert answer.headers["content-type"] == "application/problem+json"
    body = dict(answer.json())
    assert body.keys() >= PROBLEM_MEMBERS
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


@asynccontextmanager
async def opened_home(
    dsn: str, folder: Path, embedder: Embedder, *, redis: Redis | None = None, objects: Objects | None = None
) -> AsyncIterator[Home]:
    """A house with its doors open, put together as the API process and the worker process do it."""
    settings = Settings(data_dir=folder)
    # The parts are cached where the environment would be read.
    settings.__dict__["database"] = DatabaseSettings(url=dsn, pool_size=10)
    settings.__dict__["redis"] = redis or Redis(url=None)
    settings.__dict__["objects"] = objects or Objects()
    settings.__dict__["accounts"] = Accounts(registration="open")
    settings.__dict__["mail"] = Mail(host=None)
    # Tests ask more often than people do; those of the limits bring a limiter of their own.
    settings.__dict__["limits"] = Limits(enabled=False)
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(opened(settings, purpose="test"))
        model = LazyModel(settings, folder, _encoder=AsyncEmbedder(embedder))
        sandbox = Sandbox()
        stack.push_async_callback(sandbox.close)
        app = build(web.ROUTERS, settings.objects)
        app.state.kit = await stack.enter_async_context(web.equipped(house, model))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        http = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://carrel.test", timeout=60)
        )
        yield Home(dsn, house, app, model, sandbox, http)


@cache
def _minilm(folder: Path, converted: Path) -> Embedder:
    return load(resolve(data_dir=folder, name=MINILM.name), cache=converted)


@pytest.fixture(scope="session", name="minilm")
def minilm_fixture(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Embedder:
    """The real model. Its conversion is shared with all tests of this run, and made once."""
    base = tmp_path_factory.getbasetemp()
    run = base if worker_id == "master" else base.parent
    return _minilm(base, run / "converted-models")


@pytest.fixture(scope="module", name="house_dsn")
def house_dsn_fixture() -> Iterator[str]:
    """An empty database with the schema of this release; the login is a superuser."""
    server, name = os.environ[SERVER], f"house_{uuid7().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, TEMPLATE))))
        yield make_conninfo(server, dbname=name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module", name="running_home")
async def running_home_fixture(
    house_dsn: str, tmp_path_factory: pytest.TempPathFactory, minilm: Embedder
) -> AsyncIterator[Home]:
    async with opened_home(house_dsn, tmp_path_factory.mktemp("house"), minilm) as home:
        yield home


@pytest.fixture(name="home")
def home_fixture(running_home: Home) -> Iterator[Home]:
    """The application of this module. Each test begins with an empty queue."""
    yield running_home
    running_home.forget_jobs()


@pytest.fixture(name="acme")
async def acme_fixture(home: Home) -> Organisation:
    """An organisation of this test's own."""
    return await home.organisation("Acme")


@pytest.fixture(name="worker")
async def worker_fixture(home: Home) -> AsyncIterator[Worker]:
    """A worker, for the whole of the test."""
    async with home.working() as worker:
        yield worker
