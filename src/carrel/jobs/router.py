"""Following and leading jobs over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from carrel.core.ids import JobId
from carrel.infra.web import Page, Paged, Paging, Router, provided, requires
from carrel.jobs.following import Stream
from carrel.jobs.schemas import JobDetail, JobSummary, JobsWithSummary, JobView, Replay, Replayed, State, Wanted
from carrel.jobs.service import Queue

router = Router(prefix="/api/jobs", tags=["jobs"])
administration = Router(prefix="/api/admin/jobs", tags=["administration"])

Jobs = Annotated[Queue, provided(Queue)]
Name = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]
_TEXT = {"type": "string"}
EVENT = {"type": "object", "properties": {"id": _TEXT, "event": _TEXT, "data": _TEXT}, "required": ["event", "data"]}
"""Before 3.2 a document of OpenAPI describes one event and means a stream of them."""


async def _wanted(
    state: State | None = None,
    task: Name = None,
    error_code: Name = None,
    created_from: AwareDatetime | None = None,
    created_before: AwareDatetime | None = None,
) -> Wanted:
    return Wanted(state, task, error_code, created_from, created_before)


Filters = Annotated[Wanted, Depends(_wanted)]


@router.get("", operation_id="list_jobs", dependencies=[requires("read")])
async def list_jobs(queue: Jobs, paging: Paged, wanted: Filters) -> Page[JobView]:
    """List the jobs of your organisation, newest first. Finished jobs are forgotten after some days.

    Whoever does not administer the organisation sees the jobs of the documents that they see.
    """
    return await _page(queue, paging, wanted)


@router.get("/{job_id}", operation_id="get_job", dependencies=[requires("read")])
async def get_job(job_id: UUID, queue: Jobs) -> JobDetail:
    """How far a job is, and what has happened to it. `succeeded`, `failed` and `cancelled` are final."""
    return await queue.detail(JobId(job_id))


@router.get(
    "/{job_id}/events",
    operation_id="follow_job",
    dependencies=[requires("read")],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": EVENT}}, "description": "Events."}},
)
async def follow_job(job_id: UUID, queue: Jobs, stream: Annotated[Stream, provided(Stream)]) -> StreamingResponse:
    """Follow a job as server-sent events: `progress` at once and after each change, `done` when it has ended.

    Each event holds the whole job, so that a connection that was lost has missed nothing.
    """
    stream.followers.require_room()
    return StreamingResponse(stream.of(await queue.get(JobId(job_id))), media_type="text/event-stream")


@router.post("/{job_id}/cancel", operation_id="cancel_job", dependencies=[requires("write")])
async def cancel_job(job_id: UUID, queue: Jobs) -> JobView:
    """End a job: at once while it waits, within seconds while it runs. Nothing that it does after this is kept."""
    return await queue.cancel(JobId(job_id))


@router.post("/{job_id}/retry", operation_id="retry_job", dependencies=[requires("write")])
async def retry_job(job_id: UUID, queue: Jobs) -> JobView:
    """Put a failed or cancelled job back into the queue, with all its tries before it."""
    return await queue.retry(JobId(job_id))


@administration.get("", operation_id="list_admin_jobs", dependencies=[requires("admin")])
async def list_admin_jobs(queue: Jobs, paging: Paged, wanted: Filters) -> JobsWithSummary:
    """The same list with a summary of the whole queue: jobs by state, how many wait, and for how long."""
    page = await _page(queue, paging, wanted)
    return JobsWithSummary(**dict(page), summary=JobSummary(await queue.counts(), await queue.line()))


@administration.post("/retry", operation_id="retry_jobs", dependencies=[requires("admin")])
async def retry_jobs(wanted: Replay, queue: Jobs) -> Replayed:
    """Put many failed or cancelled jobs back into the queue, the oldest first; how many were.

    Jobs whose work is under way already stay as they are. Repeat it until `retried` is 0 for more than `limit`.
    """
    return Replayed(retried=await queue.retry_all(wanted.wanted, wanted.limit))


@administration.post("/{job_id}/retry", operation_id="retry_admin_job", dependencies=[requires("admin")])
async def retry_admin_job(job_id: UUID, queue: Jobs) -> JobView:
    """Put a failed or cancelled job back into the queue, with all its tries before it."""
    return await queue.retry(JobId(job_id))


async def _page(queue: Queue, paging: Paging, wanted: Wanted) -> Page[JobView]:
    after = None if paging.after is None else (datetime.fromisoformat(paging.after[0]), JobId(UUID(paging.after[1])))
    total = await queue.total(wanted) if paging.wants_total else None
    jobs = await queue.list(wanted, after=after, offset=paging.offset or 0, limit=paging.fetch)
    return paging.page(jobs, lambda job: [job.created_at.isoformat(), str(job.id)], total=total)
