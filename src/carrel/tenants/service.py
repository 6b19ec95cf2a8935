"""Organisations and their usage."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from carrel.core.clock import now
from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Executor
from carrel.infra.web import Page, Paging
from carrel.tenants.errors import (
    DefaultOrganization,
    InvalidPeriod,
    OrganizationErasing,
    OrganizationNotFound,
    SingleOrganization,
    SlugTaken,
)
from carrel.tenants.quota import refusal, reported
from carrel.tenants.repository import OrganizationRows, Place, UsageRow
from carrel.tenants.schemas import (
    History,
    Limits,
    NewOrganization,
    Organization,
    OrganizationChange,
    OwnOrganization,
    Quota,
    UsageReport,
    UsageView,
    Wanted,
)
from carrel.tenants.slugs import require_slug
from carrel.tenants.tiers import TIERS, UNNAMED

DEFAULT_SLUG = "default"
STANDARD = Quota()
USUAL_SPAN = timedelta(days=30)
LONGEST_SPAN = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Organizations:
    """All organisations. Needs a transaction of the gate or of an operator; others see their own or none."""

    db: Executor

    async def create(self, name: str, slug: str, quota: Quota = STANDARD, **others: Any) -> Organization:
        """Add an organisation that uses nothing yet. `others` are further columns of it.

        Raises `SlugTaken`, `InvalidSlug` or `ReservedSlug`; nothing is added then.
        """
        require_slug(slug)
        organization = _new(name, slug, quota, **others)
        if not await OrganizationRows(self.db).add(organization):
            raise _taken(slug)
        return organization

    async def make(self, wanted: NewOrganization) -> Organization:
        """As `create`, with what an operator has said about it."""
        quota = STANDARD if wanted.tier is None else TIERS[wanted.tier]
        return await self.create(
            wanted.name,
            wanted.slug,
            replace(quota, **wanted.said()),
            tier=wanted.tier or UNNAMED,
            rate_limit_per_minute=wanted.rate_limit_per_minute,
            metadata=wanted.metadata,
        )

    async def ensure_default(self) -> Organization:
        """The organisation `default`, made if it is missing. Two processes that start at once get the same one."""
        rows = OrganizationRows(self.db)
        if (found := await rows.by_slug(DEFAULT_SLUG)) is not None:
            return found
        await rows.add(_new("Default", DEFAULT_SLUG, STANDARD))
        # Read in either case: when a rival was faster, its row is the one that counts.
        return await self.default()

    async def default(self) -> Organization:
        """The organisation `default`, which every server has."""
        found = await OrganizationRows(self.db).by_slug(DEFAULT_SLUG)
        if found is None:
            raise LookupError("The default organisation was deleted while it was needed.")
        return found

    async def by_id(self, tenant: TenantId) -> Organization:
        """The organisation with this id. Raises `OrganizationNotFound`."""
        return _found(tenant, await OrganizationRows(self.db).by_id(tenant))

    async def page(self, paging: Paging, wanted: Wanted) -> Page[Organization]:
        """Newest first."""
        rows = OrganizationRows(self.db)
        found = await rows.page(wanted, after=_place(paging), offset=paging.offset or 0, limit=paging.fetch)
        total = await rows.count(wanted) if paging.wants_total else None
        return paging.page(found, lambda one: [one.created_at.isoformat(), one.id], total=total)

    async def change(self, tenant: TenantId, wanted: OrganizationChange) -> Organization:
        """Change what was said. Credentials of an organisation that is disabled are refused everywhere within 5 s.

        Raises `OrganizationNotFound`, `OrganizationErasing`, `DefaultOrganization`, and what `create` raises for slugs.
        """
        before = await self.hold(tenant)
        after = replace(before, **_changes(wanted))
        if before.slug == DEFAULT_SLUG and (after.slug != DEFAULT_SLUG or not after.enabled):
            raise _protected()
        if after.slug != before.slug:
            require_slug(after.slug)
        await self._write(after)
        return after

    async def hold(self, tenant: TenantId) -> Organization:
        """An organisation that nobody else changes before this transaction ends. Raises as `change` does."""
        found = _found(tenant, await OrganizationRows(self.db).hold(tenant))
        if found.erasing:
            raise OrganizationErasing(
                "The organization is being erased.",
                hint=f"GET /api/admin/organizations/{tenant}/erasure tells how far that is.",
            )
        return found

    async def condemn(self, organization: Organization) -> None:
        """Disable an organisation for good, because it will be erased. Raises `DefaultOrganization`."""
        if organization.slug == DEFAULT_SLUG:
            raise _protected()
        await self._write(replace(organization, enabled=False, erasing=True))

    async def _write(self, organization: Organization) -> None:
        try:
            await OrganizationRows(self.db).change(organization)
        except psycopg.errors.UniqueViolation as error:
            raise _taken(organization.slug) from error


@dataclass(frozen=True, slots=True)
class Home:
    """The organisation of whoever asks, as everybody in it may see it."""

    db: Executor
    tenant: TenantId

    async def view(self) -> OwnOrganization:
        found = _found(self.tenant, await OrganizationRows(self.db).by_id(self.tenant))
        limits = Limits(found.max_documents, _bytes(found.max_storage_mb), found.max_searches_per_day)
        return OwnOrganization(found.id, found.name, found.slug, found.tier, found.created_at, limits)

    async def rename(self, name: str) -> OwnOrganization:
        await OrganizationRows(self.db).rename(self.tenant, name)
        return await self.view()


@dataclass(frozen=True, slots=True)
class Usage:
    """What one organisation uses. Counts in the caller's transaction: what rolls back was never counted.

    From the first change on, the organisation's count is locked until that transaction ends; so take or release
    last, after everything that is slow.
    """

    db: Executor
    tenant: TenantId

    async def take_document(self, size_bytes: int) -> None:
        """Count one more document. Exact, however many do so at once.

        Raises `DocumentQuotaExceeded` or `StorageQuotaExceeded` with `limit` and `used`; nothing is counted then.
        """
        _require_size(size_bytes)
        row = UsageRow(self.db, self.tenant)
        while not await row.take(size_bytes):
            # Held and read anew: between the refusal and this line another transaction may have made room.
            usage = await row.hold()
            if usage is None:
                raise _not_found(self.tenant)
            if (no := refusal(usage, size_bytes)) is not None:
                raise no

    async def release_document(self, size_bytes: int) -> None:
        """Count one document less. Never below zero."""
        _require_size(size_bytes)
        if not await UsageRow(self.db, self.tenant).release(size_bytes):
            raise _not_found(self.tenant)

    async def current(self) -> UsageView:
        """What is used now, and what may be."""
        usage = await UsageRow(self.db, self.tenant).current()
        if usage is None:
            raise _not_found(self.tenant)
        return usage


@dataclass(frozen=True, slots=True)
class UsageReports:
    """What one organisation uses, as people read it. `unused` is how many searches this process holds in stock."""

    db: Executor
    tenant: TenantId
    unused: Callable[[TenantId], int]

    async def present(self) -> UsageReport:
        """This moment. Searches that other processes hold in stock count as used until they give them back."""
        return reported(await Usage(self.db, self.tenant).current(), self.unused(self.tenant))

    async def days(self, first: date | None, last: date | None) -> History:
        """The days from `first` to `last`; without them the last 30 days and today. Raises `InvalidPeriod`."""
        end = last or now().date()
        begin = first or _back(end, USUAL_SPAN)
        if begin > end or end - begin > LONGEST_SPAN:
            raise InvalidPeriod(
                "The days do not follow one another." if begin > end else "These are more days than ten years have.",
                hint="Give `from` and `to` as dates, the earlier one first.",
            )
        _found(self.tenant, await OrganizationRows(self.db).by_id(self.tenant))
        return History(await UsageRow(self.db, self.tenant).days(begin, end))


def require_many(*, multi_tenant: bool) -> None:
    """Raises `SingleOrganization` where the server has one organisation only."""
    if not multi_tenant:
        raise SingleOrganization(
            "This server has one organization only.", hint="Its operator decides that with MULTI_TENANT_MODE."
        )


def _changes(wanted: OrganizationChange) -> dict[str, Any]:
    """What shall be otherwise, by column. A tier brings its quotas; those that are spelt out go before them."""
    said = {name: getattr(wanted, name) for name in ("name", "slug", "tier", "metadata", "enabled")}
    changes: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    if wanted.tier is not None:
        changes |= asdict(TIERS[wanted.tier])
    if "rate_limit_per_minute" in wanted.model_fields_set:
        changes["rate_limit_per_minute"] = wanted.rate_limit_per_minute
    return changes | wanted.said()


def _new(name: str, slug: str, quota: Quota, **others: Any) -> Organization:
    plain: dict[str, Any] = {"tier": UNNAMED, "rate_limit_per_minute": None, "metadata": {}}
    given = {**plain, **others, **asdict(quota)}
    return Organization(
        id=TenantId(uuid7()), name=name, slug=slug, created_at=now(), enabled=True, erasing=False, **given
    )


def _require_size(size_bytes: int) -> None:
    if size_bytes < 0:
        raise ValueError("A document cannot have less than no bytes.")


def _place(paging: Paging) -> Place | None:
    if paging.after is None:
        return None
    created_at, tenant = paging.after
    return datetime.fromisoformat(created_at), TenantId(UUID(tenant))


def _back(day: date, span: timedelta) -> date:
    return date.min if day - date.min < span else day - span


def _bytes(megabytes: int | None) -> int | None:
    return None if megabytes is None else megabytes * 2**20


def _found(tenant: TenantId, organization: Organization | None) -> Organization:
    if organization is None:
        raise _not_found(tenant)
    return organization


def _not_found(tenant: TenantId) -> OrganizationNotFound:
    return OrganizationNotFound("No organization has this id.", organization_id=str(tenant))


def _taken(slug: str) -> SlugTaken:
    return SlugTaken(f"Another organization has the slug `{slug}`.", hint="Choose another slug.", slug=slug)


def _protected() -> DefaultOrganization:
    return DefaultOrganization(
        "The organization `default` belongs to the server and stays as it is.",
        hint="It can be renamed and given other quotas; it keeps its slug and stays enabled.",
    )
