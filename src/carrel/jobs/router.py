"""Following jobs over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from carrel.core.ids import JobId
from carrel.infra.web import Page, Paged, Paging, Router, provided, requires
from carrel.jobs.schemas import JobView, State
from carrel.jobs.service import Queue

router = Router(prefix="/api/jobs", tags=["jobs"])


@router.get("", operation_id="list_jobs", dependencies=[requires("read")])
async def list_jobs(
    queue: Annotated[Queue, provided(Queue)], paging: Paged, state: State | None = None
) -> Page[JobView]:
    """List the jobs of your organisation, newest first. Finished jobs are forgotten after some days."""
    return await _page(queue, paging, state)


@router.get("/{job_id}", operation_id="get_job", dependencies=[requires("read")])
async def get_job(job_id: UUID, queue: Annotated[Queue, provided(Queue)]) -> JobView:
    """How far a job is. `succeeded`, `failed` and `cancelled` are final; everything else may still change."""
    return await queue.get(JobId(job_id))


@router.post("/{job_id}/cancel", operation_id="cancel_job", dependencies=[requires("write")])
async def cancel_job(job_id: UUID, queue: Annotated[Queue, provided(Queue)]) -> JobView:
    """End a job: at once while it waits, within seconds while it runs. Nothing that it does after this is kept."""
    return await queue.cancel(JobId(job_id))


@router.post("/{job_id}/retry", operation_id="retry_job", dependencies=[requires("write")])
async def retry_job(job_id: UUID, queue: Annotated[Queue, provided(Queue)]) -> JobView:
    """Put a failed or cancelled job back into the queue, with all its tries before it."""
    return await queue.retry(JobId(job_id))


async def _page(queue: Queue, paging: Paging, state: State | None) -> Page[JobView]:
    after = None if paging.after is None else (datetime.fromisoformat(paging.after[0]), JobId(UUID(paging.after[1])))
    total = await queue.total(state) if paging.wants_total else None
    jobs = await queue.list(state=state, after=after, offset=paging.offset or 0, limit=paging.fetch)
    return paging.page(jobs, lambda job: [job.created_at.isoformat(), str(job.id)], total=total)
