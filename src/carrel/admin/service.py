"""What operators do with organisations. All of it needs a transaction of an operator."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import date

from carrel.admin.errors import ConfirmationWrong, ErasureNotFound
from carrel.admin.repository_erasures import ErasureRows
from carrel.admin.schemas import Erasure, ErasureRow, ErasureState, MadeOrganization, Remains
from carrel.auth.schemas import ADMIN
from carrel.auth.service import SERVER, Action, Detail, Event, Keys, Target, also_of_server, record, record_all
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
ENABLED, DISABLED = Action.ORGANIZATION_ENABLED, Action.ORGANIZATION_DISABLED
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
        key = await self._first_key(made.id) if wanted.with_key else None
        created = self._event(Action.ORGANIZATION_CREATED, made.id, slug=made.slug, with_key=wanted.with_key)
        await record_all(self.db, also_of_server(created))
        return MadeOrganization(made, key)

    async def page(self, paging: Paging, wanted: Wanted) -> Page[Organization]:
        return await Organizations(self.db).page(paging, wanted)

    async def get(self, organization: TenantId) -> Organization:
        return await Organizations(self.db).by_id(organization)

    async def change(self, organization: TenantId, wanted: OrganizationChange) -> Organization:
        organizations = Organizations(self.db)
        before = await organizations.hold(organization)
        after = await organizations.change(organization, wanted)
        for event in self._changes(before, after):
            await record_all(self.db, also_of_server(event))
        return after

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
            # The organisation may be gone already, and its log with it.
            again = self._event(Action.ORGANIZATION_ERASURE_ASKED, organization, slug=known.slug, again=True)
            await record(self.db, replace(again, tenant=SERVER))
            return await self.erasure(organization)
        found = await organizations.hold(organization)
        _require_confirmed(found.slug, confirm)
        await organizations.condemn(found)
        job = await self.begin(home.id, organization)
        await rows.add(found, self.operator.subject, now(), home.id, job)
        asked = self._event(Action.ORGANIZATION_ERASURE_ASKED, organization, slug=found.slug, again=False)
        await record_all(self.db, also_of_server(asked))
        return await self.erasure(organization)

    async def erasure(self, organization: TenantId) -> Erasure:
        """How far an erasure is, and what it found. Raises `ErasureNotFound`."""
        found = await ErasureRows(self.db, organization).find()
        if found is None:
            raise ErasureNotFound(
                "Nobody has asked for this organization to be erased.", organization_id=str(organization)
            )
        return _shown(found)

    async def _first_key(self, organization: TenantId) -> str:
        # For the length of this call the operator stands for the organisation's first administrator.
        founder = Caller(organization, self.operator.subject, self.operator.name, frozenset({ADMIN}))
        made = await Keys(self.db, founder).create(FIRST_KEY, "The first key, made with the organization.", [ADMIN])
        return made.key

    def _changes(self, before: Organization, after: Organization) -> Iterator[Event]:
        changed = [one.name for one in fields(Organization) if getattr(before, one.name) != getattr(after, one.name)]
        if "enabled" in changed:
            changed.remove("enabled")
            yield self._event(ENABLED if after.enabled else DISABLED, after.id, slug=after.slug)
        if changed:
            yield self._event(Action.ORGANIZATION_CHANGED, after.id, slug=after.slug, changed=changed)

    def _event(self, action: Action, organization: TenantId, **details: Detail) -> Event:
        return Event(organization, action, self.operator.subject, Target("organization", organization), details)


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
