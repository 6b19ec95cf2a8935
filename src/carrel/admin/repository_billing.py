"""SQL over the usage of all organisations. Needs a transaction of an operator."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from carrel.admin.schemas import Bill
from carrel.core.ids import TenantId
from carrel.infra.db import Executor

PAGE = """
    SELECT o.id AS organization_id, o.slug, o.name, o.tier, d.days, d.searches, d.documents_peak, d.documents_average,
           d.storage_bytes_peak, d.storage_bytes_average
    FROM (
        SELECT id, slug, name, tier FROM organizations
        WHERE %(after)s::uuid IS NULL OR id > %(after)s
        ORDER BY id LIMIT %(limit)s
    ) o
    CROSS JOIN LATERAL (
        SELECT count(*) AS days, coalesce(sum(searches), 0)::bigint AS searches,
               coalesce(max(documents), 0) AS documents_peak, coalesce(max(storage_bytes), 0) AS storage_bytes_peak,
               coalesce(round(avg(documents), 3), 0)::float8 AS documents_average,
               coalesce(round(avg(storage_bytes), 3), 0)::float8 AS storage_bytes_average
        FROM usage_by_day WHERE tenant_id = o.id AND day BETWEEN %(first)s AND %(last)s
    ) d
    ORDER BY o.id
"""


@dataclass(frozen=True, slots=True)
class Bills:
    """What organisations used from `first` to `last`, in the order of their ids."""

    db: Executor
    first: date
    last: date

    async def page(self, after: TenantId | None, limit: int) -> Sequence[Bill]:
        """The next ones, those that did not exist in these days included."""
        return await self.db.all(Bill, PAGE, after=after, limit=limit, first=self.first, last=self.last)
