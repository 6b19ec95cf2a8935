"""Keys and callers for the tests of this room."""

from dataclasses import dataclass, field
from typing import Any

from carrel.auth.narrowing import Narrowing
from carrel.auth.service import Keys
from carrel.core.access import EVERYTHING
from carrel.infra.db import Database, Role
from carrel.infra.web import Caller

ADMIN = frozenset({"admin"})


def caller(tenant, scopes=ADMIN, access=EVERYTHING):
    return Caller(tenant, "key:test", "test", frozenset(scopes), access=access)


async def given_key(
    database, tenant, scopes=("read", "write", "search"), expires_at=None, name="Importer", rate_limit=None, **narrowing
):
    async with database.transaction(Role.APP, tenant) as db:
        keys = Keys(db, caller(tenant))
        return await keys.create(name, "for tests", scopes, expires_at, rate_limit, Narrowing(**narrowing))


async def revoke(database, tenant, key_id):
    async with database.transaction(Role.APP, tenant) as db:
        await Keys(db, caller(tenant)).revoke(key_id)


async def change(database, tenant, key_id, assignment, **values):
    async with database.transaction(Role.APP, tenant) as db:
        changed = await db.execute(
            f"UPDATE api_keys SET {assignment} WHERE tenant_id = %(tenant)s AND id = %(id)s",
            tenant=tenant,
            id=key_id,
            **values,
        )
    assert changed == 1


async def enable(database, tenant, enabled):
    async with database.transaction(Role.OPERATOR) as db:
        await db.execute("UPDATE organizations SET enabled = %(on)s WHERE id = %(id)s", on=enabled, id=tenant)


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@dataclass(frozen=True, slots=True)
class Counted(Database):
    """A database that remembers under which roles it was asked."""

    asked: list[Role] = field(default_factory=list)

    def transaction(self, role: Role, tenant: Any = None) -> Any:
        self.asked.append(role)
        return Database.transaction(self, role, tenant)

    @property
    def looked_up(self) -> int:
        return self.asked.count(Role.GATE)


def counted(database):
    return Counted(database.primary, database.reads)
