"""The real application over PostgreSQL and a folder of objects, with one route group: documents."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Request

from carrel.auth.directory import Directory
from carrel.core.access import EVERYTHING
from carrel.core.ids import DocumentId, TenantId
from carrel.documents.deposits import Deposits
from carrel.documents.events import DocumentAccepted, DocumentDeleted
from carrel.documents.placing import Places
from carrel.documents.repository import Content, Rows
from carrel.documents.router import router
from carrel.documents.schemas import DocumentRow, Draft
from carrel.documents.service import Documents, Holdings
from carrel.documents.tasks import discard
from carrel.index.repository import IndexWriter
from carrel.index.schemas import Recipe
from carrel.index.service import Index
from carrel.infra.blobs import Blobs
from carrel.infra.db import Database, Role
from carrel.infra.settings import Objects
from carrel.infra.web import Caller, Cursors, Kit, Scope
from carrel.infra.web.app import build
from carrel.jobs.service import Job, Queue, Registry, task
from carrel.tenants.service import Usage

RECIPE = Recipe(splitter="test", analyser="test", model="test", dimension=384)
LIMIT = 12 * 2**20
KEY = "x-api-key"


@task("test.ingest", timeout=timedelta(seconds=60), lock="document:{document_id}")
async def ingest(job: Job, document_id: DocumentId, version: int) -> None:
    """Stands in the queue where the reading of documents will."""
    raise NotImplementedError


REGISTRY = Registry([ingest, discard], {DocumentAccepted: [ingest], DocumentDeleted: [discard]})


async def identify(request: Request) -> Caller:
    """The key says who it is: `<tenant>` or `<tenant>:<scope>`."""
    tenant, _, scope = request.headers[KEY].partition(":")
    scopes = frozenset({scope}) if scope else frozenset({"read", "write"})
    return Caller(TenantId(UUID(tenant)), "key", "test", scopes)


def holdings_of(scope: Scope, blobs: Blobs) -> Holdings:
    return Holdings(
        db=scope.db,
        tenant=scope.tenant,
        store=Deposits(blobs, scope.database, scope.tenant, scope.kit.upload_max_bytes),
        queue=Queue(scope.db, scope.tenant, REGISTRY),
        usage=Usage(scope.db, scope.tenant),
        shelf=Index(IndexWriter(scope.db, scope.tenant), RECIPE),
        places=Places(scope.db, scope.tenant, scope.caller.access, Directory(scope.database, scope.tenant)),
    )


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs.at(None, tmp_path)


@pytest.fixture
def app(database: Database, blobs: Blobs) -> FastAPI:
    return application(database, blobs, Objects(upload_max_bytes=LIMIT, json_max_bytes=2**20))


def application(database: Database, blobs: Blobs, limits: Objects) -> FastAPI:
    app = build([router], limits)
    app.state.kit = Kit(
        database,
        identify,
        {
            Documents: lambda scope: Documents(scope.db, scope.tenant, scope.caller.access),
            Holdings: lambda scope: holdings_of(scope, blobs),
        },
        Cursors(b"secret of the tests"),
        limits.json_max_bytes,
        limits.upload_max_bytes,
    )
    return app


@pytest.fixture
async def knock(app: FastAPI) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """A client for whoever is named."""
    made: list[httpx.AsyncClient] = []

    def client_of(tenant: TenantId, scope: str | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        key = f"{tenant}:{scope}" if scope else str(tenant)
        made.append(httpx.AsyncClient(transport=transport, base_url="http://carrel.test", headers={KEY: key}))
        return made[-1]

    yield client_of
    for client in made:
        await client.aclose()


@pytest.fixture
def client(knock: Callable[..., httpx.AsyncClient], tenant: TenantId) -> httpx.AsyncClient:
    return knock(tenant)


@pytest.fixture
def outsider(knock: Callable[..., httpx.AsyncClient], stranger: TenantId) -> httpx.AsyncClient:
    return knock(stranger)


@pytest.fixture
def stored_keys(blobs: Blobs) -> Callable[[], Any]:
    async def keys() -> list[str]:
        return [entry.key async for entry in blobs.list()]

    return keys


class Given:
    """Brings about what a test begins with, and looks at what it left."""

    def __init__(self, database: Database, tenant: TenantId) -> None:
        self.database, self.tenant = database, tenant

    async def document(self, document_id: DocumentId, **told: Any) -> DocumentRow:
        """A row without bytes or job."""
        draft = {
            "title": "Untitled",
            "title_given": False,
            "external_id": None,
            "tags": [],
            "metadata": {},
            "source_url": None,
            "filename": None,
            "mime_type": None,
        }
        content = Content(f"{self.tenant}/{document_id}/1", 5, "0" * 64)
        async with self.database.transaction(Role.APP, self.tenant) as db:
            row = await Rows(db, self.tenant, EVERYTHING).add(document_id, Draft(**{**draft, **told}), content)
        assert row is not None
        return row

    async def indexed(self, document_id: DocumentId, text: str = "Some text.", **found: Any) -> DocumentRow:
        """The document after it was read."""
        reading = {
            "text": text,
            "doc_type": "text",
            "mime_type": "text/plain",
            "language": "en",
            "chunk_count": 1,
            **found,
        }
        async with self.database.transaction(Role.APP, self.tenant) as db:
            return await Documents(db, self.tenant, EVERYTHING).publish(document_id, 1, **reading)

    async def failed(self, document_id: DocumentId, code: str = "no-text", detail: str = "No text was found.") -> None:
        async with self.database.transaction(Role.APP, self.tenant) as db:
            await Documents(db, self.tenant, EVERYTHING).fail(document_id, 1, code, detail)

    async def usage(self) -> tuple[int, int]:
        async with self.database.transaction(Role.APP, self.tenant) as db:
            view = await Usage(db, self.tenant).current()
        return view.documents, view.storage_bytes

    async def limits(self, **limits: int) -> None:
        changes = ", ".join(f"{name} = %({name})s" for name in limits)
        async with self.database.transaction(Role.OPERATOR) as db:
            await db.execute(f"UPDATE organizations SET {changes} WHERE id = %(id)s", id=self.tenant, **limits)

    async def jobs(self) -> list[tuple[str, str, Any]]:
        async with self.database.transaction(Role.APP, self.tenant) as db:
            jobs = await Queue(db, self.tenant, REGISTRY).list()
            arguments = [
                await db.value(
                    "SELECT arguments FROM jobs WHERE tenant_id = %(t)s AND id = %(id)s", t=self.tenant, id=job.id
                )
                for job in jobs
            ]
        return [(job.task, str(job.state), told) for job, told in zip(jobs, arguments, strict=True)]


@pytest.fixture
def given(database: Database, tenant: TenantId) -> Given:
    return Given(database, tenant)


async def eventually(holds: Callable[[], Awaitable[Any]]) -> Any:
    """The first true answer to a question that is asked again and again, for half a minute."""
    async with asyncio.timeout(30):
        while not (answer := await holds()):
            await asyncio.sleep(0.02)
    return answer
