"""The whole application, and an operator."""

from typing import Any

import httpx
import pytest

from carrel.core.ids import uuid7
from tests.house import (
    KEY,
    Home,
    acme_fixture,
    home_fixture,
    house_dsn_fixture,
    minilm_fixture,
    running_home_fixture,
    worker_fixture,
)
from tests.infra.limits.conftest import cache, connected, mortal_redis, redis_server

__all__ = [
    "acme_fixture",
    "cache",
    "connected",
    "home_fixture",
    "house_dsn_fixture",
    "minilm_fixture",
    "mortal_redis",
    "redis_server",
    "running_home_fixture",
    "worker_fixture",
]

ALL = "/api/admin/organizations"


class Operator:
    """Whoever runs the server."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.key = (home.house.data_dir / "admin.key").read_text("utf-8").strip()

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self.home.http.request(method, path, headers={KEY: self.key}, **options)

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.call("GET", path, params=params or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def make(self, **fields: Any) -> dict[str, Any]:
        """An organisation, as the API answers."""
        body = {"name": "Acme", "slug": f"acme-{uuid7().hex}", **fields}
        answer = await self.call("POST", ALL, json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def change(self, organization: object, **fields: Any) -> httpx.Response:
        return await self.call("PATCH", f"{ALL}/{organization}", json=fields)

    async def erase(self, organization: object) -> httpx.Response:
        slug = (await self.get(f"{ALL}/{organization}"))["slug"]
        return await self.call("DELETE", f"{ALL}/{organization}", params={"confirm": slug})


@pytest.fixture(name="operator")
def operator_fixture(home: Home) -> Operator:
    return Operator(home)
