"""Organisations and their usage."""

import re
from dataclasses import asdict, dataclass

from carrel.core.clock import now
from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Executor
from carrel.tenants.errors import InvalidSlug, OrganizationNotFound, SlugTaken
from carrel.tenants.quota import refusal
from carrel.tenants.repository import OrganizationRows, UsageRow
from carrel.tenants.schemas import Organization, Quota, UsageView

DEFAULT_SLUG = "default"
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SLUG_LENGTH = 63
STANDARD = Quota()


@dataclass(frozen=True, slots=True)
class Organizations:
    """All organisations. Needs a transaction of the gate or of an operator; others see their own or none."""

    db: Executor

    async def create(self, name: str, slug: str, quota: Quota = STANDARD) -> Organization:
        """Add an organisation that uses nothing yet. Raises `SlugTaken` or `InvalidSlug`; nothing is added then."""
        if len(slug) > SLUG_LENGTH or not SLUG.fullmatch(slug):
            raise InvalidSlug(
                "A slug has 1 to 63 lower-case letters, digits and single hyphens between them.",
                hint="Write it like `acme-corp`.",
            )
        organization = _new(name, slug, quota)
        if not await OrganizationRows(self.db).add(organization):
            raise SlugTaken(f"Another organization has the slug `{slug}`.", hint="Choose another slug.", slug=slug)
        return organization

    async def ensure_default(self) -> Organization:
        """The organisation `default`, made if it is missing. Two processes that start at once get the same one."""
        rows = OrganizationRows(self.db)
        if (found := await rows.by_slug(DEFAULT_SLUG)) is not None:
            return found
        await rows.add(_new("Default", DEFAULT_SLUG, STANDARD))
        # Read in either case: when a rival was faster, its row is the one that counts.
        found = await rows.by_slug(DEFAULT_SLUG)
        if found is None:
            raise LookupError("The default organisation was deleted while it was being made.")
        return found

    async def by_id(self, tenant: TenantId) -> Organization:
        """The organisation with this id. Raises `OrganizationNotFound`."""
        found = await OrganizationRows(self.db).by_id(tenant)
        if found is None:
            raise _not_found(tenant)
        return found


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


def _new(name: str, slug: str, quota: Quota) -> Organization:
    return Organization(id=TenantId(uuid7()), name=name, slug=slug, created_at=now(), enabled=True, **asdict(quota))


def _require_size(size_bytes: int) -> None:
    if size_bytes < 0:
        raise ValueError("A document cannot have less than no bytes.")


def _not_found(tenant: TenantId) -> OrganizationNotFound:
    return OrganizationNotFound("No organization has this id.", organization_id=str(tenant))
