"""All SQL over organisations and what they use."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.types.json import Jsonb

from carrel.core.ids import TenantId
from carrel.infra.db import Executor
from carrel.tenants.schemas import MEBIBYTE, Day, Organization, UsageView, Wanted

Place = tuple[datetime, TenantId]

COLUMNS = (
    "id, name, slug, created_at, max_documents, max_storage_mb, max_searches_per_day, enabled, tier, "
    "rate_limit_per_minute, metadata, erasing"
)

# Waits for a rival that has inserted the same slug and not yet ended, so that the answer is final.
ADD = f"""
    INSERT INTO organizations ({COLUMNS})
    VALUES (%(tenant)s, %(name)s, %(slug)s, %(created_at)s, %(max_documents)s, %(max_storage_mb)s,
            %(max_searches_per_day)s, %(enabled)s, %(tier)s, %(rate_limit_per_minute)s, %(metadata)s, %(erasing)s)
    ON CONFLICT (slug) DO NOTHING
"""
ADD_USAGE = "INSERT INTO tenant_usage (tenant_id) VALUES (%(tenant)s)"
BY_ID = f"SELECT {COLUMNS} FROM organizations WHERE id = %(tenant)s"
BY_ID_HELD = f"{BY_ID} FOR NO KEY UPDATE"
BY_SLUG = f"SELECT {COLUMNS} FROM organizations WHERE slug = %(slug)s"

FILTER = """
    (%(tier)s::text IS NULL OR tier = %(tier)s) AND (%(enabled)s::boolean IS NULL OR enabled = %(enabled)s)
    AND (%(q)s::text IS NULL OR starts_with(slug, %(q)s))
"""
PAGE = f"""
    SELECT {COLUMNS} FROM organizations
    WHERE {FILTER} AND (%(at)s::timestamptz IS NULL OR (created_at, id) < (%(at)s, %(last)s::uuid))
    ORDER BY created_at DESC, id DESC
    LIMIT %(limit)s OFFSET %(offset)s
"""
COUNT = f"SELECT count(*) FROM organizations WHERE {FILTER}"
CHANGE = """
    UPDATE organizations
    SET name = %(name)s, slug = %(slug)s, max_documents = %(max_documents)s, max_storage_mb = %(max_storage_mb)s,
        max_searches_per_day = %(max_searches_per_day)s, enabled = %(enabled)s, tier = %(tier)s,
        rate_limit_per_minute = %(rate_limit_per_minute)s, metadata = %(metadata)s, erasing = %(erasing)s
    WHERE id = %(tenant)s
"""
RENAME = "UPDATE organizations SET name = %(name)s WHERE id = %(tenant)s"

CURRENT = """
    SELECT u.documents, u.storage_bytes, (now() AT TIME ZONE 'UTC')::date AS today, o.max_documents, o.max_storage_mb,
           o.max_searches_per_day,
           CASE WHEN u.today = (now() AT TIME ZONE 'UTC')::date THEN u.searches_today ELSE 0 END AS searches_today
    FROM tenant_usage u JOIN organizations o ON o.id = u.tenant_id
    WHERE u.tenant_id = %(tenant)s
"""
CURRENT_HELD = f"{CURRENT} FOR UPDATE OF u"
HISTORY = """
    SELECT day, documents, storage_bytes, searches FROM usage_by_day
    WHERE tenant_id = %(tenant)s AND day BETWEEN %(first)s AND %(last)s
    ORDER BY day
"""

# One statement, so that it is exact: a rival's update is waited for, and the condition is tried again on its result.
TAKE = f"""
    UPDATE tenant_usage u
    SET documents = u.documents + 1, storage_bytes = u.storage_bytes + %(size)s, updated_at = now()
    FROM organizations o
    WHERE u.tenant_id = %(tenant)s AND o.id = u.tenant_id
      AND (o.max_documents IS NULL OR u.documents < o.max_documents)
      AND (o.max_storage_mb IS NULL OR u.storage_bytes + %(size)s <= o.max_storage_mb * {MEBIBYTE})
"""
# Stops at zero: a count that went wrong must not keep anybody from deleting a document.
RELEASE = """
    UPDATE tenant_usage
    SET documents = greatest(0, documents - 1), storage_bytes = greatest(0, storage_bytes - %(size)s),
        updated_at = now()
    WHERE tenant_id = %(tenant)s
"""


@dataclass(frozen=True, slots=True)
class OrganizationRows:
    """The organisations themselves. Bound to no tenant: only gate and operator transactions see more than one."""

    db: Executor

    async def add(self, organization: Organization) -> bool:
        """Whether the organisation was added, with its row of usage; False when its slug is taken."""
        if not await self.db.execute(ADD, **_values(organization)):
            return False
        await self.db.execute(ADD_USAGE, tenant=organization.id)
        return True

    async def change(self, organization: Organization) -> None:
        """Write an organisation as it shall be. A slug that is taken breaks the constraint of that name."""
        await self.db.execute(CHANGE, **_values(organization))

    async def rename(self, tenant: TenantId, name: str) -> None:
        await self.db.execute(RENAME, tenant=tenant, name=name)

    async def by_id(self, tenant: TenantId) -> Organization | None:
        return await self.db.one_or_none(Organization, BY_ID, tenant=tenant)

    async def hold(self, tenant: TenantId) -> Organization | None:
        """The organisation, which nobody else can change before this transaction ends."""
        return await self.db.one_or_none(Organization, BY_ID_HELD, tenant=tenant)

    async def by_slug(self, slug: str) -> Organization | None:
        return await self.db.one_or_none(Organization, BY_SLUG, slug=slug)

    async def page(self, wanted: Wanted, *, after: Place | None, offset: int, limit: int) -> list[Organization]:
        at, last = after or (None, None)
        return await self.db.all(Organization, PAGE, **_filter(wanted), at=at, last=last, offset=offset, limit=limit)

    async def count(self, wanted: Wanted) -> int:
        return int(await self.db.value(COUNT, **_filter(wanted)))


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What one organisation uses."""

    db: Executor
    tenant: TenantId

    async def current(self) -> UsageView | None:
        return await self.db.one_or_none(UsageView, CURRENT, tenant=self.tenant)

    async def hold(self) -> UsageView | None:
        """The present usage, which nobody else can change before this transaction ends."""
        return await self.db.one_or_none(UsageView, CURRENT_HELD, tenant=self.tenant)

    async def take(self, size_bytes: int) -> bool:
        return await self.db.execute(TAKE, tenant=self.tenant, size=size_bytes) == 1

    async def release(self, size_bytes: int) -> bool:
        return await self.db.execute(RELEASE, tenant=self.tenant, size=size_bytes) == 1

    async def days(self, first: date, last: date) -> list[Day]:
        return await self.db.all(Day, HISTORY, tenant=self.tenant, first=first, last=last)


def _values(organization: Organization) -> dict[str, Any]:
    values = {name: getattr(organization, name) for name in COLUMNS.split(", ")}
    return {**values, "tenant": values.pop("id"), "metadata": Jsonb(organization.metadata)}


def _filter(wanted: Wanted) -> Mapping[str, Any]:
    return {"tier": wanted.tier, "enabled": wanted.enabled, "q": wanted.q}
