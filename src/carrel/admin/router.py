"""Organisations over HTTP, for operators of the server."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Response
from fastapi.responses import StreamingResponse

from carrel.admin.billing import Billing, as_csv, as_json
from carrel.admin.schemas import Erasure, MadeOrganization
from carrel.admin.service import Operation
from carrel.core.ids import TenantId
from carrel.infra.web import Page, Paged, Router, carries_secret, provided, requires
from carrel.tenants.schemas import (
    History,
    NewOrganization,
    Organization,
    OrganizationChange,
    TierName,
    UsageReport,
    Wanted,
)

router = Router(prefix="/api/admin", tags=["operators"])

All = Annotated[Operation, provided(Operation)]
First = Annotated[date | None, Query(alias="from", description="The first day; 30 days before the last if left out.")]
Last = Annotated[date | None, Query(alias="to", description="The last day; today if left out.")]
Confirm = Annotated[str, Query(max_length=200, description="The slug of the organization, because this is for good.")]
Period = Annotated[
    str, Query(max_length=7, pattern=r"^2\d{3}-(0[1-9]|1[0-2])$", description="A month, such as 2026-11.")
]
Form = Annotated[Literal["csv", "json"], Query(alias="format")]
EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}, "application/json": {"schema": {"type": "object"}}}}
}


async def _wanted(
    tier: TierName | None = None,
    enabled: bool | None = None,
    q: Annotated[str | None, Query(max_length=63, pattern=r"^[^\x00]*$", description="The slug begins so.")] = None,
) -> Wanted:
    return Wanted(tier, enabled, q)


@router.post(
    "/organizations",
    operation_id="create_organization",
    status_code=201,
    dependencies=[requires("operator"), carries_secret()],
)
async def create_organization(wanted: NewOrganization, operation: All) -> MadeOrganization:
    """Make an organization. Quotas that are spelt out go before those of the tier; null is no limit.

    `with_key` makes a first API key with the scope `admin`, shown this once, to be handed to whoever it is for.
    """
    return await operation.make(wanted)


@router.get("/organizations", operation_id="list_organizations", dependencies=[requires("operator")])
async def list_organizations(
    paging: Paged, operation: All, wanted: Annotated[Wanted, Depends(_wanted)]
) -> Page[Organization]:
    """All organizations, newest first."""
    return await operation.page(paging, wanted)


@router.get(
    "/organizations/{organization_id}", operation_id="get_any_organization", dependencies=[requires("operator")]
)
async def get_any_organization(organization_id: TenantId, operation: All) -> Organization:
    """One organization, with its quotas and what operators have noted about it."""
    return await operation.get(organization_id)


@router.patch(
    "/organizations/{organization_id}", operation_id="change_organization", dependencies=[requires("operator")]
)
async def change_organization(organization_id: TenantId, wanted: OrganizationChange, operation: All) -> Organization:
    """Change what is sent and leave the rest. A `tier` sets all quotas that are not spelt out beside it.

    `enabled: false` refuses every key, session and token of the organization, on all servers within 5 seconds; what it
    had accepted before is still worked on.
    """
    return await operation.change(organization_id, wanted)


@router.delete(
    "/organizations/{organization_id}",
    operation_id="erase_organization",
    status_code=202,
    dependencies=[requires("operator")],
)
async def erase_organization(
    organization_id: TenantId, confirm: Confirm, operation: All, response: Response
) -> Erasure:
    """Disable an organization at once and erase everything of it: rows, files, cache. There is no way back.

    `Location` is the report, which stays when the organization is gone.
    """
    response.headers["location"] = f"/api/admin/organizations/{organization_id}/erasure"
    return await operation.erase(organization_id, confirm)


@router.get("/organizations/{organization_id}/erasure", operation_id="get_erasure", dependencies=[requires("operator")])
async def get_erasure(organization_id: TenantId, operation: All) -> Erasure:
    """What became of an organization that is erased: what was there before, and what was counted after."""
    return await operation.erasure(organization_id)


@router.get("/organizations/{organization_id}/usage", operation_id="get_any_usage", dependencies=[requires("operator")])
async def get_any_usage(organization_id: TenantId, operation: All) -> UsageReport:
    """What an organization uses at this moment."""
    return await operation.usage(organization_id)


@router.get(
    "/organizations/{organization_id}/usage/history",
    operation_id="get_any_usage_history",
    dependencies=[requires("operator")],
)
async def get_any_usage_history(
    organization_id: TenantId, operation: All, first: First = None, last: Last = None
) -> History:
    """What an organization used, day by day (UTC)."""
    return await operation.days(organization_id, first, last)


@router.get(
    "/usage/export",
    operation_id="export_usage",
    dependencies=[requires("operator")],
    response_class=Response,
    responses=EXPORTED,
)
async def export_usage(period: Period, billing: Annotated[Billing, provided(Billing)], form: Form = "csv") -> Response:
    """What every organization used in a month: searches, and the peak and average of documents and storage.

    Of the present month, the days so far. Organizations that are erased are not in it any more.
    """
    bills = await billing.bills(period)
    lines: AsyncIterator[str] = as_csv(bills) if form == "csv" else as_json(bills, period)
    kind = "text/csv; charset=utf-8; header=present" if form == "csv" else "application/json"
    named = {"content-disposition": f'attachment; filename="usage-{period}.{form}"'}
    return StreamingResponse(lines, media_type=kind, headers=named)
