"""All SQL over organisations and what they use."""

from dataclasses import dataclass

from carrel.core.ids import TenantId
from carrel.infra.db import Executor
from carrel.tenants.schemas import MEBIBYTE, Organization, UsageView

COLUMNS = "id, name, slug, created_at, max_documents, max_storage_mb, max_searches_per_day, enabled"

# Waits for a rival that has inserted the same slug and not yet ended, so that the answer is final.
ADD = f"""
    INSERT INTO organizations ({COLUMNS})
    VALUES (%(tenant)s, %(name)s, %(slug)s, %(created_at)s,
            %(max_documents)s, %(max_storage_mb)s, %(max_searches_per_day)s, %(enabled)s)
    ON CONFLICT (slug) DO NOTHING
"""
ADD_USAGE = "INSERT INTO tenant_usage (tenant_id) VALUES (%(tenant)s)"
BY_ID = f"SELECT {COLUMNS} FROM organizations WHERE id = %(tenant)s"
BY_SLUG = f"SELECT {COLUMNS} FROM organizations WHERE slug = %(slug)s"

CURRENT = """
    SELECT u.documents, u.storage_bytes, u.today, o.max_documents, o.max_storage_mb, o.max_searches_per_day,
           CASE WHEN u.today = (now() AT TIME ZONE 'UTC')::date THEN u.searches_today ELSE 0 END AS searches_today
    FROM tenant_usage u JOIN organizations o ON o.id = u.tenant_id
    WHERE u.tenant_id = %(tenant)s
"""
CURRENT_HELD = f"{CURRENT} FOR UPDATE OF u"

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
        values = {name: getattr(organization, name) for name in COLUMNS.split(", ") if name != "id"}
        if not await self.db.execute(ADD, tenant=organization.id, **values):
            return False
        await self.db.execute(ADD_USAGE, tenant=organization.id)
        return True

    async def by_id(self, tenant: TenantId) -> Organization | None:
        return await self.db.one_or_none(Organization, BY_ID, tenant=tenant)

    async def by_slug(self, slug: str) -> Organization | None:
        return await self.db.one_or_none(Organization, BY_SLUG, slug=slug)


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
