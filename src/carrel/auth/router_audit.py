"""The audit log over HTTP."""

from typing import Annotated, Any

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from carrel.auth.audit_reading import AuditCheck, AuditExport, AuditLog, ServerLog, require_order
from carrel.auth.schemas_audit import AuditEvent, ExportFormat, Filter, Verification
from carrel.infra.web import Page, Paged, Router, provided, requires

router = Router(prefix="/api/admin/audit", tags=["administration"])

MEDIA_TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The events, oldest first: one JSON object or one row of CSV on each line.",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}, "text/csv": {"schema": {"type": "string"}}},
    }
}
Text = Annotated[str | None, Query(max_length=500, pattern=r"^[^\x00]*$")]
From = Annotated[AwareDatetime | None, Query(alias="from", description="Events from this moment on.")]
To = Annotated[AwareDatetime | None, Query(alias="to", description="Events before this moment.")]


async def _wanted(
    action: Annotated[Text, Query(description="Such as `login.failed`.")] = None,
    actor: Annotated[Text, Query(description="Such as `user:<id>` or `key:<id>`.")] = None,
    target: Annotated[Text, Query(description="The id of what an event is about.")] = None,
    since: From = None,
    until: To = None,
) -> Filter:
    return Filter(action, actor, target, since, until)


Wanted = Annotated[Filter, Depends(_wanted)]


@router.get("", operation_id="list_audit_events", dependencies=[requires("admin")])
async def list_audit_events(
    paging: Paged, wanted: Wanted, log: Annotated[AuditLog, provided(AuditLog)]
) -> Page[AuditEvent]:
    """What happened in your organization that matters to its security, newest first. All given filters must match."""
    return await log.page(wanted, paging)


@router.get(
    "/export",
    operation_id="export_audit_events",
    dependencies=[requires("admin")],
    response_class=StreamingResponse,
    responses=EXPORTED,
)
async def export_audit_events(
    export: Annotated[AuditExport, provided(AuditExport)],
    form: Annotated[ExportFormat, Query(alias="format")] = "ndjson",
    since: From = None,
    until: To = None,
) -> StreamingResponse:
    """The audit log of your organization as a file, as it is at this moment."""
    wanted = Filter(since=since, until=until)
    require_order(wanted)
    headers = {"Content-Disposition": f'attachment; filename="audit.{form}"'}
    return StreamingResponse(export.lines(form, wanted), headers=headers, media_type=MEDIA_TYPES[form])


@router.get("/verify", operation_id="verify_audit_log", dependencies=[requires("admin")])
async def verify_audit_log(check: Annotated[AuditCheck, provided(AuditCheck)]) -> Verification:
    """Whether the audit log of your organization is as it was written: none changed, none missing, none added."""
    return await check.verify()


@router.get("/server", operation_id="list_server_audit_events", dependencies=[requires("operator")])
async def list_server_audit_events(
    paging: Paged, wanted: Wanted, log: Annotated[ServerLog, provided(ServerLog)]
) -> Page[AuditEvent]:
    """What happened on this server that belongs to no organization: strangers who were refused, and attempts to reach
    what is another organization's.
    """
    return await log.page(wanted, paging)
