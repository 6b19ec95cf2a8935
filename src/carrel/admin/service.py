"""What operators do with organisations. All of it needs a transaction of an operator."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date

from carrel.admin.errors import ConfirmationWrong, ErasureNotFound
from carrel.admin.repository_erasures import ErasureRows
from carrel.admin.schemas import Erasure, ErasureRow, ErasureState, MadeOrganization, Remains
from carrel.auth.schemas import ADMIN
from carrel.auth.service import Keys
from carrel.core.clock import now
from carrel.core.ids import JobId, TenantId
from carrel.infra.db import Executor
from carrel.infra.web import Caller, Page, Paging
from carrel.tenants.errors import OrganizationNotFound
from carrel.tenants.schemas import (
    History,
    NewOrganization,
    Organization,
    OrganizationChange,
    UsageReport,
    Wanted,
)
from carrel.tenants.service import Organizations, UsageReports

FIRST_KEY = "Administrator"
STATES: dict[str | None, ErasureState] = {"queued": "waiting", "running": "erasing"}
Begin = Callable[[TenantId, TenantId], Awaitable[JobId]]
"""Puts the erasure of the second organisation into the queue of the first, and gives the job."""


@dataclass(frozen=True, slots=True)
class Operation:
    """All organisations, for an operator."""

    db: Executor
    operator: Caller
    begin: Begin
    unused: Callable[[TenantId], int]

    async def make(self, wanted: NewOrganization) -> MadeOrganization:
        """A new organisation, with a key for its administrator if one is wanted. Raises as `Organizations.create`."""
        made = await Organizations(self.db).make(wanted)
        if not wanted.with_key:
            return MadeOrganization(made)
        # For the length of this call the operator stands for the organisation's first administrator.
        founder = Caller(made.id, self.operator.subject, self.operator.name, frozenset({ADMIN}))
        key = await Keys(self.db, founder).create(FIRST_KEY, "The first key, made with the organization.", [ADMIN])
        return MadeOrganization(made, key.key)

    async def page(self, paging: Paging, wanted: Wanted) -> Page[Organization]:
        return await Organizations(self.db).page(paging, wanted)

    async def get(self, organization: TenantId) -> Organization:
        return await Organizations(self.db).by_id(organization)

    async def change(self, organization: TenantId, wanted: OrganizationChange) -> Organization:
        return await Organizations(self.db).change(organization, wanted)

    async def usage(self, organization: TenantId) -> UsageReport:
        return await UsageReports(self.db, organization, self.unused).present()

    async def days(self, organization: TenantId, first: date | None, last: date | None) -> History:
        return await UsageReports(self.db, organization, self.unused).days(first, last)

    async def erase(self, organization: TenantId, confirm: str) -> Erasure:
        """Disable an organisation at once and for good, and have everything of it erased by a job.

        Asked again, it starts a job that has stopped. Raises `ConfirmationWrong`, `DefaultOrganization`,
        `OrganizationNotFound`, also for one that is erased, and `OrganizationErasing` when another request is faster.
        """
        rows, organizations = ErasureRows(self.db, organization), Organizations(self.db)
        known, home = await rows.find(), await organizations.default()
        if known is not None:
            _require_confirmed(known.slug, confirm)
            if known.erased_at is not None:
                raise OrganizationNotFound("The organization is erased.", organization_id=str(organization))
            await rows.restart(home.id, await self.begin(home.id, organization))
            return await self.erasure(organization)
        found = await organizations.hold(organization)
        _require_confirmed(found.slug, confirm)
        await organizations.condemn(found)
        job = await self.begin(home.id, organization)
        await rows.add(found, self.operator.subject, now(), home.id, job)
        return await self.erasure(organization)

    async def erasure(self, organization: TenantId) -> Erasure:
        """How far an erasure is, and what it found. Raises `ErasureNotFound`."""
        found = await ErasureRows(self.db, organization).find()
        if found is None:
            raise ErasureNotFound(
                "Nobody has asked for this organization to be erased.", organization_id=str(organization)
            )
        return _shown(found)


def _shown(row: ErasureRow) -> Erasure:
    after = None if row.after is None else Remains(**row.after)
    stopped = row.erased_at is None and row.job_state not in STATES
    return Erasure(
        organization_id=row.organization_id,
        slug=row.slug,
        name=row.name,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        state="erased" if row.erased_at is not None else STATES.get(row.job_state, "stopped"),
        error=row.job_error if stopped else None,
        job_id=row.job_id,
        before=None if row.before is None else Remains(**row.before),
        after=after,
        nothing_left=after is not None and after.is_nothing,
        erased_at=row.erased_at,
        verified_at=row.verified_at,
    )


def _require_confirmed(slug: str, confirm: str) -> None:
    if confirm != slug:
        raise ConfirmationWrong(
            "`confirm` is not the slug of this organization.",
            hint=f"An erasure cannot be undone. To confirm it, add ?confirm={slug} to the address.",
        )
