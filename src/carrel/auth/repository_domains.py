"""All SQL over domains. Needs transactions of the gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from carrel.auth.schemas_domains import DomainId, DomainRow
from carrel.core.ids import TenantId
from carrel.infra.db import Executor

COLUMNS = "id, host, token, created_at, verified_at"
ALL = f"SELECT {COLUMNS} FROM domains WHERE tenant_id = %(tenant)s ORDER BY id"
GET = f"SELECT {COLUMNS} FROM domains WHERE tenant_id = %(tenant)s AND id = %(id)s"
# Held until the transaction ends, so that two who add at once do not both see the last free place.
HOLD = "SELECT pg_advisory_xact_lock(hashtextextended('domains of ' || %(tenant)s::text, 0))"
ADD = """
    INSERT INTO domains (tenant_id, id, host, token, created_at)
    VALUES (%(tenant)s, %(id)s, %(host)s, %(token)s, %(created_at)s)
    ON CONFLICT (tenant_id, host) DO NOTHING
"""
# One that was verified before keeps its moment.
VERIFY = """
    UPDATE domains SET verified_at = coalesce(verified_at, %(now)s) WHERE tenant_id = %(tenant)s AND id = %(id)s
"""
DOUBT = "UPDATE domains SET verified_at = NULL WHERE tenant_id = %(tenant)s AND id = %(id)s"
REMOVE = "DELETE FROM domains WHERE tenant_id = %(tenant)s AND id = %(id)s"
# Comes before the tenant is known.
HOME = "SELECT tenant_id FROM domains WHERE host = %(host)s AND verified_at IS NOT NULL"


@dataclass(frozen=True, slots=True)
class DomainRows:
    """The domains of one organisation."""

    db: Executor
    tenant: TenantId

    async def hold(self) -> Sequence[DomainRow]:
        """All of them; nobody adds another one before this transaction ends."""
        await self.db.value(HOLD, tenant=self.tenant)
        return await self.all()

    async def all(self) -> list[DomainRow]:
        return await self.db.all(DomainRow, ALL, tenant=self.tenant)

    async def get(self, domain: DomainId) -> DomainRow | None:
        return await self.db.one_or_none(DomainRow, GET, tenant=self.tenant, id=domain)

    async def add(self, row: DomainRow) -> bool:
        """Whether it was added; False when the organisation has named the host before."""
        values = {"id": row.id, "host": row.host, "token": row.token, "created_at": row.created_at}
        return await self.db.execute(ADD, tenant=self.tenant, **values) == 1

    async def verify(self, domain: DomainId, moment: datetime) -> bool:
        """Whether it is there. A host that another organisation has breaks the constraint `domains_host`."""
        return await self.db.execute(VERIFY, tenant=self.tenant, id=domain, now=moment) == 1

    async def doubt(self, domain: DomainId) -> bool:
        return await self.db.execute(DOUBT, tenant=self.tenant, id=domain) == 1

    async def remove(self, domain: DomainId) -> bool:
        return await self.db.execute(REMOVE, tenant=self.tenant, id=domain) == 1


@dataclass(frozen=True, slots=True)
class HomeRows:
    """Whose a host is, for the gate."""

    db: Executor

    async def find(self, host: str) -> TenantId | None:
        found = await self.db.value(HOME, host=host)
        return None if found is None else TenantId(found)
