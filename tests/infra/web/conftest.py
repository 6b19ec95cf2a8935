"""The web kit under a small room, in memory and on a socket."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest
import structlog
import uvicorn
from fastapi import FastAPI, Request
from prometheus_client import REGISTRY
from starlette.types import ASGIApp

from carrel.auth.errors import CredentialsRequired
from carrel.core.ids import TenantId
from carrel.infra.db import Database, Role
from carrel.infra.settings import Objects
from carrel.infra.web import Caller, Cursors, Kit
from carrel.infra.web.app import build
from tests.infra.web import notes

LIMITS = Objects(json_max_bytes=10_000, upload_max_bytes=50_000)
KEY = "x-api-key"
Knock = Callable[..., httpx.AsyncClient]


def key(tenant: TenantId, *scopes: str, subject: str = "key") -> dict[str, str]:
    """The header of a caller who says who it is."""
    return {KEY: f"{tenant}:{subject}:{','.join(scopes)}"}


@pytest.fixture
def asked() -> list[str]:
    """The paths for which somebody wanted to know who asks."""
    return []


@pytest.fixture
def app(database: Database, asked: list[str]) -> FastAPI:
    async def identify(request: Request) -> Caller:
        asked.append(request.scope["path"])
        if KEY not in request.headers:
            raise CredentialsRequired("This needs credentials.")
        tenant, subject, scopes = request.headers[KEY].split(":")
        return Caller(TenantId(UUID(tenant)), subject, "test", frozenset(scopes.split(",")))

    app = build([notes.router], LIMITS)
    cursors = Cursors(b"secret of the tests")
    app.state.kit = Kit(database, identify, {notes.Notes: notes.Notes}, cursors, 10_000, 50_000)
    app.state.gate = asyncio.Event()
    return app


@pytest.fixture
async def knock(app: FastAPI) -> AsyncIterator[Knock]:
    """A client for whoever is named."""
    made: list[httpx.AsyncClient] = []

    def client_of(tenant: TenantId | None, *scopes: str, subject: str = "key") -> httpx.AsyncClient:
        headers = key(tenant, *scopes or ("read", "write", "search"), subject=subject) if tenant else {}
        transport = httpx.ASGITransport(app)
        made.append(httpx.AsyncClient(transport=transport, base_url="http://carrel.test", headers=headers))
        return made[-1]

    yield client_of
    for client in made:
        await client.aclose()


@pytest.fixture
def client(knock: Knock, tenant: TenantId) -> httpx.AsyncClient:
    return knock(tenant)


@pytest.fixture
def texts(database: Database, tenant: TenantId) -> Callable[..., Any]:
    """What an organisation has noted, oldest first."""

    async def read(of: TenantId = tenant) -> list[str]:
        async with database.transaction(Role.APP, of) as db:
            sql = "SELECT array_agg(name ORDER BY id) FROM api_keys WHERE tenant_id = %(tenant)s"
            return await db.value(sql, tenant=of) or []

    return read


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What was logged. Kept from the terminal, where the traces of bugs that are meant would take seconds to draw."""
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as events:
        yield events


class Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
async def port(app: FastAPI) -> AsyncIterator[int]:
    """The application on a socket, served as it is in earnest."""
    config = uvicorn.Config(
        app, http="httptools", lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server, listener = Server(config), socket.create_server(("127.0.0.1", 0))
    app.state.server = server
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield listener.getsockname()[1]
    server.should_exit = True
    await serving


@dataclass
class Exchange:
    """One request to the application itself, with what happened in which order."""

    order: list[str] = field(default_factory=list)
    status: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    body: bytes = b""

    @property
    def problem(self) -> Any:
        return json.loads(self.body)


async def conversation(
    app: ASGIApp, method: str, path: str, headers: dict[str, str], *, body: Sequence[bytes | None]
) -> Exchange:
    """Ask by hand, giving the body piece by piece; None is a client that hangs up."""
    told, waiting = Exchange(), list(body)

    async def receive() -> Any:
        told.order.append("read")
        piece = waiting.pop(0) if waiting else None
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            told.status, told.headers = message["status"], httpx.Headers(message["headers"])
        elif message.get("body"):
            told.order.append("answered")
            told.body += message["body"]

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "scheme": "http",
        "server": ("carrel.test", 80),
        "client": ("127.0.0.1", 1),
        "http_version": "1.1",
    }
    await app(scope, receive, send)
    return told


def series() -> set[tuple[str, ...]]:
    """Method, route and status of all requests that are counted."""
    found = next(metric for metric in REGISTRY.collect() if metric.name == "http_requests")
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"])
        for sample in found.samples
        if sample.name.endswith("_total")
    }


def count(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("http_requests_total", labels) or 0.0
