"""Reading the audit log: pages, whole exports, and whether it is as it was written."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from carrel.auth import audit_lines
from carrel.auth.audit_chain import Fault, Head, Walk
from carrel.auth.repository_audit import ChainRows
from carrel.auth.schemas_audit import AuditEvent, ExportFormat, Filter, Verification
from carrel.core.ids import TenantId
from carrel.infra.db import Executor
from carrel.infra.web import Page, Paging
from carrel.infra.web.errors import Invalid

BATCH = 500
Opening = Callable[[], AbstractAsyncContextManager[Executor]]


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The log of one organisation, or of the server."""

    db: Executor
    tenant: TenantId

    async def page(self, wanted: Filter, paging: Paging) -> Page[AuditEvent]:
        """Events, newest first. Raises `Invalid` for a time that ends before it begins."""
        require_order(wanted)
        rows, before = ChainRows(self.db, self.tenant), int(paging.after[0]) if paging.after else None
        found = await rows.page(wanted, before=before, offset=paging.offset or 0, limit=paging.fetch)
        total = await rows.count(wanted) if paging.wants_total else None
        return paging.page([AuditEvent.of(event) for event in found], lambda event: [event.sequence], total=total)


class ServerLog(AuditLog):
    """The log of what belongs to no organisation."""


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """Whether a log is as it was written. `db` is a snapshot: events may come meanwhile."""

    db: Executor
    tenant: TenantId

    async def verify(self) -> Verification:
        """Follow the chain from its anchor to its head."""
        rows = ChainRows(self.db, self.tenant)
        head = await rows.head()
        walk = Walk.of(head)
        fault = await follow(rows, walk) or walk.end()
        return _told(head, walk, fault)


@dataclass(frozen=True, slots=True)
class AuditExport:
    """A whole log, written while it is read, in transactions of its own: the reader may take all the time they want."""

    opening: Opening
    tenant: TenantId

    async def lines(self, form: ExportFormat, wanted: Filter) -> AsyncIterator[str]:
        """The events there are at the beginning, oldest first, some at a time."""
        async with self.opening() as db:
            last = (await ChainRows(db, self.tenant).head()).sequence
        line, after = (audit_lines.as_csv if form == "csv" else audit_lines.as_json), 0
        if form == "csv":
            yield audit_lines.csv_head()
        while after < last:
            async with self.opening() as db:
                found = await ChainRows(db, self.tenant).following(after, limit=BATCH, wanted=wanted)
            events = [event for event in found if event.sequence <= last]
            yield "".join(line(AuditEvent.of(event)) for event in events)
            after = events[-1].sequence if len(events) == BATCH else last


def require_order(wanted: Filter) -> None:
    if wanted.since is not None and wanted.until is not None and wanted.since > wanted.until:
        raise Invalid(
            "`from` lies after `to`.",
            hint="Give the earlier moment as `from`.",
            errors=[{"field": "query.from", "code": "order", "message": "It lies after `to`."}],
        )


async def follow(rows: ChainRows, walk: Walk, *, upto: int | None = None) -> Fault | None:
    """Take every event, or those up to one. The first thing that is wrong, if anything is."""
    while found := await rows.following(walk.sequence, limit=BATCH):
        for event in found:
            if upto is not None and event.sequence > upto:
                return None
            if (fault := walk.step(event)) is not None:
                return fault
    return None


def _told(head: Head, walk: Walk, fault: Fault | None) -> Verification:
    told = Verification(
        ok=fault is None,
        events=walk.count,
        first_sequence=head.anchor_sequence + 1,
        last_sequence=head.sequence,
        last_hash=head.hash.hex(),
    )
    return told if fault is None else replace(told, broken_at=fault.sequence, reason=fault.reason)
