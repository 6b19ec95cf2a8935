"""SQL over the searches that organisations make, taken in blocks."""

from dataclasses import dataclass
from datetime import date

from carrel.core.ids import TenantId
from carrel.infra.db import Database, Role
from carrel.tenants.schemas import Block
from carrel.tenants.stock import LARGEST_BLOCK, LAST_ONES

TODAY = "(now() AT TIME ZONE 'UTC')::date"
LEFT = "o.max_searches_per_day - s.used"

# The size of a block is that of `stock.block_size`.
GRANTED = f"""
    SELECT s.tenant_id, s.used, o.max_searches_per_day AS quota,
           CASE WHEN o.max_searches_per_day IS NULL THEN {LARGEST_BLOCK}
                ELSE greatest(0, least({LARGEST_BLOCK}, greatest(1, o.max_searches_per_day / 100),
                                       greatest(1, ({LEFT}) / {LAST_ONES}), {LEFT})) END AS size
    FROM held s JOIN organizations o ON o.id = s.tenant_id
"""
SHOWN = f"""
    SELECT size::int, quota, used, {TODAY} AS day, ({TODAY} + 1)::timestamp AT TIME ZONE 'UTC' AS resets_at,
           extract(epoch FROM (({TODAY} + 1)::timestamp AT TIME ZONE 'UTC') - now())::float8 AS seconds_left
    FROM granted
"""
HELD = f"""
    SELECT u.tenant_id, CASE WHEN u.today = {TODAY} THEN u.searches_today ELSE 0 END AS used
    FROM tenant_usage u WHERE u.tenant_id = %(tenant)s
"""
# The row is locked first and read then, so that blocks never overlap.
TAKE = f"""
    WITH held AS ({HELD} FOR UPDATE OF u),
    granted AS ({GRANTED}),
    moved AS (
        UPDATE tenant_usage u SET searches_today = g.used + g.size, today = {TODAY}, updated_at = now()
        FROM granted g WHERE u.tenant_id = g.tenant_id AND g.size > 0
    )
    {SHOWN}
"""
PEEK = f"WITH held AS ({HELD}), granted AS ({GRANTED}) {SHOWN}"
# Closes the days before, if nothing has done so yet.
TURN = f"UPDATE tenant_usage SET updated_at = now() WHERE tenant_id = %(tenant)s AND today < {TODAY}"
ADJUST_TODAY = """
    UPDATE tenant_usage SET searches_today = greatest(0, searches_today + %(by)s), updated_at = now()
    WHERE tenant_id = %(tenant)s AND today = %(day)s
"""
ADJUST_DAY = """
    UPDATE tenant_usage_history SET searches = greatest(0, searches + %(by)s)
    WHERE tenant_id = %(tenant)s AND day = %(day)s
"""


@dataclass(frozen=True, slots=True)
class SearchCounts:
    """The searches of one organisation, each change in a short transaction of its own."""

    database: Database
    tenant: TenantId

    async def take(self) -> Block | None:
        """The next block, of no searches when none are left; None when the organisation is gone."""
        async with self.database.transaction(Role.APP, self.tenant) as db:
            return await db.one_or_none(Block, TAKE, tenant=self.tenant)

    async def peek(self) -> Block | None:
        """What `take` would give. Reads only, from a replica if there is one."""
        snapshot = self.database.snapshot(Role.APP, self.tenant)
        try:
            return await snapshot.one_or_none(Block, PEEK, tenant=self.tenant)
        finally:
            await snapshot.abandon()

    async def adjust(self, day: date, by: int) -> None:
        """Count `by` more searches on a day, or fewer when it is negative, whether that day is over or not."""
        async with self.database.transaction(Role.APP, self.tenant) as db:
            await db.execute(TURN, tenant=self.tenant)
            if not await db.execute(ADJUST_TODAY, tenant=self.tenant, day=day, by=by):
                await db.execute(ADJUST_DAY, tenant=self.tenant, day=day, by=by)
