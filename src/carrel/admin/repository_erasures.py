"""SQL over erasures, which outlive their organisations. Needs a transaction of an operator."""

from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg.types.json import Jsonb

from carrel.admin.schemas import ErasureRow, Remains
from carrel.core.ids import JobId, TenantId
from carrel.infra.db import Executor
from carrel.tenants.schemas import Organization

FIND = """
    SELECT e.organization_id, e.slug, e.name, e.requested_by, e.requested_at, e.job_id, j.state AS job_state,
           j.error_detail AS job_error, e.before, e.after, e.erased_at, e.verified_at
    FROM erasures e LEFT JOIN jobs j ON j.tenant_id = e.job_tenant AND j.id = e.job_id
    WHERE e.organization_id = %(id)s
"""
ADD = """
    INSERT INTO erasures (organization_id, slug, name, requested_by, requested_at, job_tenant, job_id)
    VALUES (%(id)s, %(slug)s, %(name)s, %(requested_by)s, %(now)s, %(job_tenant)s, %(job)s)
"""
RESTART = "UPDATE erasures SET job_tenant = %(job_tenant)s, job_id = %(job)s WHERE organization_id = %(id)s"
# What there was is counted once: a second try finds less.
NOTE_BEFORE = "UPDATE erasures SET before = %(found)s WHERE organization_id = %(id)s AND before IS NULL"
NOTE_AFTER = """
    UPDATE erasures
    SET after = %(found)s, verified_at = %(now)s,
        erased_at = CASE WHEN %(nothing)s THEN coalesce(erased_at, %(now)s) ELSE erased_at END
    WHERE organization_id = %(id)s
"""
REMOVE_ORGANIZATION = "DELETE FROM organizations WHERE id = %(id)s AND erasing"


@dataclass(frozen=True, slots=True)
class ErasureRows:
    """The erasure of one organisation."""

    db: Executor
    organization: TenantId

    async def find(self) -> ErasureRow | None:
        return await self.db.one_or_none(ErasureRow, FIND, id=self.organization)

    async def add(self, about: Organization, requested_by: str, moment: datetime, home: TenantId, job: JobId) -> None:
        await self.db.execute(
            ADD,
            id=self.organization,
            slug=about.slug,
            name=about.name,
            requested_by=requested_by,
            now=moment,
            job_tenant=home,
            job=job,
        )

    async def restart(self, home: TenantId, job: JobId) -> None:
        await self.db.execute(RESTART, id=self.organization, job_tenant=home, job=job)

    async def note_before(self, found: Remains) -> None:
        await self.db.execute(NOTE_BEFORE, id=self.organization, found=Jsonb(asdict(found)))

    async def note_after(self, found: Remains, moment: datetime) -> None:
        await self.db.execute(
            NOTE_AFTER, id=self.organization, found=Jsonb(asdict(found)), now=moment, nothing=found.is_nothing
        )

    async def remove_organization(self) -> None:
        """Delete the organisation itself, and with it what only goes by cascade. One that is not condemned stays."""
        await self.db.execute(REMOVE_ORGANIZATION, id=self.organization)
