"""A town whose people log in at a provider of identities, and the browser of one of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from pydantic import SecretStr

from carrel.auth.openid_provider import Provider
from carrel.core.ids import uuid7
from carrel.infra.db import Database
from carrel.infra.settings import OpenId
from tests.auth.provider import CLIENT, SECRET
from tests.auth.town import Town, new_email, opened_town, settings_of
from tests.conftest import given_organisation

LOGIN, CALLBACK = "/api/auth/oidc/login", "/api/auth/oidc/callback"
ROLE = """
    SELECT m.role FROM memberships m JOIN users u ON u.id = m.user_id JOIN organizations o ON o.id = m.tenant_id
    WHERE u.email = %(email)s AND o.slug = %(slug)s
"""


@dataclass
class World:
    town: Town
    provider: Provider
    browser: httpx.AsyncClient
    slug: str
    subject: str
    email: str

    async def orders(self, **orders: Any) -> None:
        """Tell the provider what to say from now on. Who logs in there is this test's own person."""
        claims = {"sub": self.subject, "email": self.email, **orders.pop("claims", {})}
        async with httpx.AsyncClient(base_url=self.provider.issuer) as outside:
            answer = await outside.post("/control", json={"claims": claims, **orders})
        assert answer.status_code == 200

    async def asked(self, path: str) -> int:
        """How often the provider was asked for a path, since its last orders."""
        async with httpx.AsyncClient(base_url=self.provider.issuer) as outside:
            return int((await outside.get("/asked")).json().get(path, 0))

    async def leave(self, **query: Any) -> dict[str, str]:
        """Go to the provider, log in there, and get what it sends back to the callback."""
        departure = await self.browser.get(LOGIN, params=query)
        assert departure.status_code == 302, departure.text
        async with httpx.AsyncClient() as outside:
            answer = await outside.get(departure.headers["location"])
        assert answer.status_code == 302, answer.text
        back = urlsplit(answer.headers["location"])
        assert back.path == CALLBACK
        return {name: values[0] for name, values in parse_qs(back.query).items()}

    async def walk(self) -> httpx.Response:
        return await self.browser.get(CALLBACK, params=await self.leave())

    async def role(self) -> Any:
        return await self.town.value(ROLE, email=self.email, slug=self.slug)


def told(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code")


@asynccontextmanager
async def opened_world(database: Database, issuer: str, **settings: Any) -> AsyncIterator[World]:
    slug = f"org-{(await given_organisation(database)).hex}"
    client = {"issuer": issuer, "client_id": CLIENT, "client_secret": SecretStr(SECRET), "organization": slug}
    provider = Provider(OpenId(**{**client, **settings}), production=False)
    async with opened_town(database, settings_of(), provider=provider) as town:
        world = World(town, provider, town.http, slug, f"lina {uuid7().hex}", new_email())
        await world.orders()
        yield world
