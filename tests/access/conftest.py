"""The whole application, asked by callers who reach whatever a test wants."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from fastapi import Request

from carrel.core.access import EVERYTHING, Access
from carrel.core.ids import TenantId, uuid7
from carrel.entry import web
from carrel.infra.settings import Objects
from carrel.infra.web import Caller
from carrel.infra.web.app import build
from tests.house import (
    Home,
    Organisation,
    acme_fixture,
    home_fixture,
    house_dsn_fixture,
    minilm_fixture,
    running_home_fixture,
    worker_fixture,
)

__all__ = [
    "acme_fixture",
    "home_fixture",
    "house_dsn_fixture",
    "minilm_fixture",
    "running_home_fixture",
    "worker_fixture",
]
NOBODY = Access(readers=frozenset())
"""What a key without `admin` reaches."""


@dataclass
class Window:
    """The same application and data as those of a home, but who asks is whoever the test says."""

    http: httpx.AsyncClient
    callers: dict[str, Caller] = field(default_factory=dict)

    def of(self, tenant: TenantId, access: Access = EVERYTHING, scopes: Iterable[str] = ()) -> "View":
        """What somebody sees who reaches `access`."""
        name, held = uuid7().hex, frozenset(scopes) or frozenset({"read", "write", "search"})
        self.callers[name] = Caller(tenant, f"test:{name}", "test", held, access=access)
        return View(self.http, name)


@dataclass(frozen=True)
class View:
    """Asks as one caller."""

    http: httpx.AsyncClient
    name: str

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"x-name": self.name, **options.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **options)

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def all(self, path: str, **params: Any) -> list[Any]:
        """Everything in a list, which must be as much as it says."""
        page = await self.get(path, offset=0, limit=200, **params)
        assert page["total"] == len(page["data"])
        return list(page["data"])

    async def search(self, query: str, **fields: Any) -> Any:
        answer = await self.call("POST", "/api/search", json={"query": query, "limit": 100, **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module", name="window")
async def window_fixture(running_home: Home) -> AsyncIterator[Window]:
    async def identify(request: Request) -> Caller:
        return window.callers[request.headers["x-name"]]

    app = build(web.ROUTERS, Objects())
    app.state.kit = replace(running_home.app.state.kit, identify=identify)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://carrel.test", timeout=60) as http:
        window = Window(http)
        yield window


async def made(organisation: Organisation, path: str, **body: Any) -> str:
    """Make something as an administrator, and return its id."""
    answer = await organisation.call("POST", path, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def group_of(organisation: Organisation) -> str:
    """A new group, as a reader."""
    return f"group:{await made(organisation, '/api/organization/groups', name=uuid7().hex)}"
