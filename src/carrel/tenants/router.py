"""One's own organisation over HTTP."""

from datetime import date
from typing import Annotated

from fastapi import Query

from carrel.infra.web import Router, provided, requires
from carrel.tenants.schemas import History, OwnOrganization, Renaming, UsageReport
from carrel.tenants.service import Home, UsageReports

router = Router(prefix="/api/organization", tags=["organization"])

Own = Annotated[Home, provided(Home)]
Reports = Annotated[UsageReports, provided(UsageReports)]
First = Annotated[date | None, Query(alias="from", description="The first day; 30 days before the last if left out.")]
Last = Annotated[date | None, Query(alias="to", description="The last day; today if left out.")]


@router.get("", operation_id="get_organization", dependencies=[requires("read")])
async def get_organization(home: Own) -> OwnOrganization:
    """Your organization and what it may use."""
    return await home.view()


@router.patch("", operation_id="rename_organization", dependencies=[requires("owner")])
async def rename_organization(wanted: Renaming, home: Own) -> OwnOrganization:
    """Change what your organization is called. Its slug is changed by an operator of the server."""
    return await home.rename(wanted.name)


@router.get("/usage", operation_id="get_usage", dependencies=[requires("read")])
async def get_usage(reports: Reports) -> UsageReport:
    """What your organization uses at this moment, of what it may use."""
    return await reports.present()


@router.get("/usage/history", operation_id="get_usage_history", dependencies=[requires("read")])
async def get_usage_history(reports: Reports, first: First = None, last: Last = None) -> History:
    """What your organization used, day by day (UTC)."""
    return await reports.days(first, last)
