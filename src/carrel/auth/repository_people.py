"""All SQL over people as operators look after them, in whichever organisations. Needs transactions of the gate."""

from dataclasses import dataclass
from typing import Any

from carrel.auth.records import FoundUser, Known
from carrel.auth.schemas_people import Carried, UserChange, UserFilter
from carrel.auth.schemas_users import UserId
from carrel.core.ids import TenantId
from carrel.infra.db import Executor

RECORD = """
    SELECT u.id, u.email, u.name, u.tier, u.operator, u.enabled, u.email_verified_at IS NOT NULL AS email_verified,
           u.password_hash IS NOT NULL AS has_password, u.created_at,
           EXISTS (SELECT FROM second_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL) AS second_factor,
           coalesce((SELECT jsonb_agg(jsonb_build_array(o.slug, m.role) ORDER BY o.slug)
                     FROM memberships m JOIN organizations o ON o.id = m.tenant_id WHERE m.user_id = u.id),
                    '[]') AS organizations
    FROM users u
"""
WANTED = """
    (%(q)s::text IS NULL OR position(lower(%(q)s) IN lower(u.email || ' ' || u.name)) > 0)
    AND (%(tier)s::text IS NULL OR u.tier = %(tier)s)
    AND (%(enabled)s::boolean IS NULL OR u.enabled = %(enabled)s)
    AND (%(operator)s::boolean IS NULL OR u.operator = %(operator)s)
    AND (%(organization)s::text IS NULL OR EXISTS (
        SELECT FROM memberships m JOIN organizations o ON o.id = m.tenant_id
        WHERE m.user_id = u.id AND o.slug = %(organization)s))
"""
BY_ID = f"{RECORD} WHERE u.id = %(id)s"
BY_KEY = f"{RECORD} WHERE u.email_key = %(key)s"
PAGE = f"""{RECORD}
    WHERE {WANTED} AND (%(after)s::uuid IS NULL OR u.id < %(after)s)
    ORDER BY u.id DESC
    LIMIT %(limit)s OFFSET %(offset)s
"""
COUNT = f"SELECT count(*) FROM users u WHERE {WANTED}"
CHANGE = """
    UPDATE users SET tier = coalesce(%(tier)s, tier), enabled = coalesce(%(enabled)s, enabled),
                     operator = coalesce(%(operator)s, operator)
    WHERE id = %(id)s
"""
KNOWN = "SELECT id, email, name, tier, operator, enabled, password_hash FROM users WHERE email_key = %(key)s"
KNOWN_HELD = f"{KNOWN} FOR NO KEY UPDATE"
SET_HASH = "UPDATE users SET password_hash = %(hash)s WHERE id = %(id)s"
RENAME = "UPDATE users SET name = %(name)s WHERE id = %(id)s"
ORGANIZATION = "SELECT id FROM organizations WHERE slug = %(slug)s"
CARRIED = """
    SELECT u.email, u.name, u.tier, u.operator, u.enabled, o.slug AS organization, m.role, u.password_hash
    FROM users u
    LEFT JOIN memberships m ON m.user_id = u.id
    LEFT JOIN organizations o ON o.id = m.tenant_id
    ORDER BY u.created_at, u.id, o.slug
"""


@dataclass(frozen=True, slots=True)
class PeopleRows:
    """Everybody who has an account."""

    db: Executor

    async def page(self, wanted: UserFilter, *, after: UserId | None, offset: int, limit: int) -> list[FoundUser]:
        place: dict[str, Any] = {"after": after, "offset": offset, "limit": limit}
        return await self.db.all(FoundUser, PAGE, **wanted.model_dump(), **place)

    async def count(self, wanted: UserFilter) -> int:
        return int(await self.db.value(COUNT, **wanted.model_dump()))

    async def by_id(self, user: UserId) -> FoundUser | None:
        return await self.db.one_or_none(FoundUser, BY_ID, id=user)

    async def by_key(self, key: str) -> FoundUser | None:
        return await self.db.one_or_none(FoundUser, BY_KEY, key=key)

    async def change(self, user: UserId, wanted: UserChange) -> bool:
        return await self.db.execute(CHANGE, id=user, **wanted.model_dump()) == 1

    async def known(self, key: str) -> Known | None:
        return await self.db.one_or_none(Known, KNOWN, key=key)

    async def hold(self, key: str) -> Known | None:
        """The account, which nobody else changes before this transaction ends."""
        return await self.db.one_or_none(Known, KNOWN_HELD, key=key)

    async def set_password(self, user: UserId, hashed: str) -> None:
        await self.db.execute(SET_HASH, id=user, hash=hashed)

    async def rename(self, user: UserId, name: str) -> None:
        await self.db.execute(RENAME, id=user, name=name)

    async def organization(self, slug: str) -> TenantId | None:
        found = await self.db.value(ORGANIZATION, slug=slug)
        return None if found is None else TenantId(found)

    async def carried(self) -> list[Carried]:
        """Everybody, once for each organisation that they belong to, who has been here longest first."""
        return await self.db.all(Carried, CARRIED)
