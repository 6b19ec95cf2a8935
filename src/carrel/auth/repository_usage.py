"""All SQL over how often keys are used."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date

from carrel.auth.schemas_usage import Counted, DayOfUse
from carrel.core.ids import KeyId, TenantId
from carrel.infra.db import Executor

# Joined, because a key may have gone with its organisation since it was counted. Ordered, so that two processes that
# write down the same keys wait for each other and not in a circle.
ADD = """
    INSERT INTO api_key_usage AS u (tenant_id, key_id, day, requests, searches, refused)
    SELECT k.tenant_id, k.id, c.day, c.requests, c.searches, c.refused
    FROM unnest(%(tenant)s::uuid[], %(key)s::uuid[], %(day)s::date[], %(requests)s::bigint[], %(searches)s::bigint[],
                %(refused)s::bigint[]) AS c (tenant, key, day, requests, searches, refused)
    JOIN api_keys k ON k.tenant_id = c.tenant AND k.id = c.key
    ORDER BY k.tenant_id, k.id, c.day
    ON CONFLICT (tenant_id, key_id, day) DO UPDATE
        SET requests = u.requests + excluded.requests, searches = u.searches + excluded.searches,
            refused = u.refused + excluded.refused
"""
OF_A_KEY = """
    SELECT day, requests, searches, refused FROM api_key_usage
    WHERE tenant_id = %(tenant)s AND key_id = %(key)s AND day BETWEEN %(first)s AND %(last)s
    ORDER BY day
"""


@dataclass(frozen=True, slots=True)
class DaysOfUse:
    """The days of the keys of one organisation."""

    db: Executor
    tenant: TenantId

    async def of(self, key_id: KeyId, first: date, last: date) -> list[DayOfUse]:
        return await self.db.all(DayOfUse, OF_A_KEY, tenant=self.tenant, key=key_id, first=first, last=last)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The days of all keys. Needs a transaction of the gate."""

    db: Executor

    async def add(self, counted: Sequence[Counted]) -> None:
        """Add what was counted to what is there already, in one statement."""
        columns = {field.name: [getattr(one, field.name) for one in counted] for field in fields(Counted)}
        await self.db.execute(ADD, **columns)
