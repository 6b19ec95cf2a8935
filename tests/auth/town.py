"""The routes for people over a real database, and people who use them."""

import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from uuid import UUID

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI

from carrel.auth import (
    router,
    router_audit,
    router_factors,
    router_groups,
    router_members,
    router_openid,
    router_people,
    router_tokens,
    router_users,
)
from carrel.auth.audit_chain import Stored
from carrel.auth.audit_watch import Watch
from carrel.auth.authenticator import Authenticator
from carrel.auth.desk import Desk
from carrel.auth.hashing import Passwords
from carrel.auth.keyring import ring_of
from carrel.auth.repository_audit import ChainRows
from carrel.auth.schemas_audit import Filter
from carrel.auth.usage import KeyUsage
from carrel.core.ids import TenantId, uuid7
from carrel.entry.wiring import for_auditors, for_keys, for_people
from carrel.infra.db import Database, Role
from carrel.infra.settings import Accounts, Encryption, Mail, Objects, OpenId, Settings, Tokens
from carrel.infra.web import Cursors, Kit
from carrel.infra.web.app import build
from tests.auth.givens import given_key
from tests.auth.postbox import Postbox

PASSWORD = "four quiet herons 41"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""What is tested here is who gets in, not how hard a hash is."""
ADDRESSES = itertools.count(os.getpid() << 12)


@dataclass
class Citizen:
    """Somebody with a session."""

    town: "Town"
    email: str
    password: str
    tokens: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.tokens["user"]["id"])

    @property
    def organization(self) -> str:
        return str(self.tokens["organization"]["id"])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return await self.town.http.request(method, path, headers=headers, **options)

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()


@dataclass
class Town:
    database: Database
    desk: Desk
    authenticator: Authenticator
    app: Any
    http: httpx.AsyncClient
    watch: Watch
    usage: KeyUsage
    links: list[str] = field(default_factory=list)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return await self.http.post(path, json=body, **options)

    async def register(self, email: str = "", organization: str = "Acme", password: str = PASSWORD) -> Citizen:
        email = email or new_email()
        answer = await self.post(
            "/api/auth/register", {"email": email, "password": password, "organization": organization}
        )
        assert answer.status_code == 201, answer.text
        return Citizen(self, email, password, answer.json())

    async def login(self, email: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
        return await self.post("/api/auth/login", {"email": email, "password": password, **more})

    async def hired(self, boss: Citizen, role: str, email: str = "") -> Citizen:
        """Somebody who has accepted an invitation of `boss`."""
        email = email or new_email()
        invited = await boss.call("POST", "/api/organization/invitations", json={"email": email, "role": role})
        assert invited.status_code == 201, invited.text
        accepted = await self.post("/api/auth/invitations/accept", {"token": self.token(), "password": PASSWORD})
        assert accepted.status_code == 201, accepted.text
        return Citizen(self, email, PASSWORD, accepted.json())

    async def operator(self) -> Citizen:
        """Somebody who looks after the whole server."""
        lina = await self.register()
        await self.change("UPDATE users SET operator = true WHERE id = %(id)s", id=lina.id)
        return lina

    def token(self) -> str:
        """The token of the link that was written last."""
        return self.links[-1].partition("#token=")[2]

    async def key(self, tenant: Any, *scopes: str) -> dict[str, str]:
        return {"X-API-Key": (await given_key(self.database, TenantId(UUID(str(tenant))), scopes or ("admin",))).key}

    async def value(self, sql: str, **parameters: Any) -> Any:
        async with self.database.transaction(Role.GATE) as db:
            return await db.value(sql, **parameters)

    async def change(self, sql: str, role: Role = Role.GATE, **parameters: Any) -> int:
        async with self.database.transaction(role) as db:
            return await db.execute(sql, **parameters)

    async def events(self, tenant: Any, action: str = "") -> list[Stored]:
        """What the log of an organisation, or of the server, holds: all, or what was done by one name."""
        await self.watch.close()
        await self.desk.background.close()
        async with self.database.transaction(Role.GATE) as db:
            rows = ChainRows(db, TenantId(UUID(str(tenant))))
            return await rows.following(0, limit=100_000, wanted=Filter(action=action or None))

    async def event(self, tenant: Any, action: str) -> Stored:
        """The one event of this name."""
        [found] = await self.events(tenant, action)
        return found

    def forget(self) -> None:
        """What a server knows a few seconds later: nothing from before."""
        self.authenticator._good._entries.clear()
        self.authenticator._refused._entries.clear()

    @asynccontextmanager
    async def elsewhere(self) -> AsyncIterator["Town"]:
        """The same town, seen from another address."""
        async with client_of(self.app) as http:
            yield replace(self, http=http)


def new_email() -> str:
    return f"person-{uuid7().hex}@example.org"


def client_of(app: Any) -> httpx.AsyncClient:
    number = next(ADDRESSES)
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    transport = httpx.ASGITransport(app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers={"User-Agent": "Test/1 (here)"})


def settings_of(
    *, registration: Any = "open", environment: Any = "test", postbox: Postbox | None = None, **tokens: Any
) -> Settings:
    settings = Settings(environment=environment)
    mail: dict[str, Any] = {"host": "127.0.0.1", "port": postbox.port, "security": "none"} if postbox else {}
    # The parts are cached where the environment would be read.
    settings.__dict__["accounts"] = Accounts(registration=registration)
    settings.__dict__["encryption"] = Encryption()
    settings.__dict__["openid"] = OpenId(issuer=None)
    settings.__dict__["mail"] = Mail(**{"host": None, "sender": "carrel@example.org", **mail})
    settings.__dict__["tokens"] = Tokens(**tokens)
    return settings


@cache
def built() -> FastAPI:
    """Made once, because that takes longer than most tests; whose it is, its kit says."""
    people = [router_users.router, router_users.published, router_members.router, router_groups.router]
    people += [router_people.router, router_factors.router, router_openid.router]
    return build([router.router, router_tokens.router, router_audit.router, *people], Objects())


@asynccontextmanager
async def opened_town(database: Database, settings: Settings, **tools: Any) -> AsyncIterator[Town]:
    ring = await ring_of(settings.tokens, database, production=False)
    desk = replace(Desk.of(settings, database, ring, Passwords(QUICK)), **tools)
    authenticator, usage = Authenticator(database, ring), KeyUsage(database)
    app, watch = built(), Watch(database)
    app.state.kit = Kit(
        database=database,
        identify=lambda request: desk.browsers.caller_of(request, authenticator),
        providers={**for_keys(ring), **for_people(desk), **for_auditors()},
        cursors=Cursors(b"secret of a test"),
        json_max_bytes=100_000,
        upload_max_bytes=100_000,
        observer=watch,
        count=usage.note,
    )
    async with client_of(app) as http:
        town = Town(database, desk, authenticator, app, http, watch, usage)
        yield town
    await watch.close()
    await usage.close()
    await desk.close()
    await authenticator.close()
