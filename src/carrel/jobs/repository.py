"""SQL over the jobs of one tenant."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from carrel.core.ids import JobId, TenantId, uuid7
from carrel.infra.db import Transaction
from carrel.jobs.errors import JobNotFound
from carrel.jobs.history import noting
from carrel.jobs.schemas import ALL, Ending, Hold, JobCounts, JobError, JobRow, Line, NewJob, Sight, Wanted

Cursor = tuple[datetime, JobId]

COLUMNS = """
    id, task, arguments, state, priority, step, progress_done, progress_total, worker, attempt, max_attempts,
    error_code, error_detail, created_at, started_at, finished_at, run_at
"""

GET = f"SELECT {COLUMNS} FROM jobs WHERE tenant_id = %(tenant)s AND id = %(id)s {{seen}}"
HISTORY = "SELECT history FROM jobs WHERE tenant_id = %(tenant)s AND id = %(id)s"

FILTER = """
    tenant_id = %(tenant)s
    AND (%(state)s::text IS NULL OR state = %(state)s)
    AND (%(task)s::text IS NULL OR task = %(task)s)
    AND (%(error_code)s::text IS NULL OR error_code = %(error_code)s)
    AND (%(created_from)s::timestamptz IS NULL OR created_at >= %(created_from)s)
    AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)
    {seen}
"""

PAGE = f"""
    SELECT {COLUMNS} FROM jobs
    WHERE {FILTER}
      AND (%(at)s::timestamptz IS NULL OR (created_at, id) < (%(at)s, %(last)s))
    ORDER BY created_at DESC, id DESC
    LIMIT %(limit)s OFFSET %(offset)s
"""

TOTAL = f"SELECT count(*) FROM jobs WHERE {FILTER}"
IDS = f"SELECT id FROM jobs WHERE {FILTER} ORDER BY created_at, id LIMIT %(limit)s"

LINE = """
    SELECT count(*) FILTER (WHERE due) AS depth, count(*) FILTER (WHERE NOT due) AS postponed,
           extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE due))::float8 AS oldest_seconds
    FROM jobs WHERE tenant_id = %(tenant)s AND state = 'queued' {seen}
"""

COUNTS = """
    SELECT count(*) FILTER (WHERE state = 'queued') AS queued,
           count(*) FILTER (WHERE state = 'running') AS running,
           count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE state = 'failed') AS failed,
           count(*) FILTER (WHERE state = 'cancelled') AS cancelled
    FROM jobs WHERE tenant_id = %(tenant)s {seen}
"""

UNDER_WAY = """
    SELECT id FROM jobs
    WHERE tenant_id = %(tenant)s AND unique_key = %(unique_key)s AND state IN ('queued', 'running')
"""

# The tenant's place in virtual time for a line: after its own last job, or at the present when it was idle.
STEP_CLOCK = """
    INSERT INTO job_clock AS c (tenant_id, lines)
    SELECT %(tenant)s, jsonb_build_object(%(line)s::text, present.virtual_time + 1)
    FROM (
        SELECT coalesce(max(virtual_time), 0) AS virtual_time FROM queue_clock
        WHERE queue = %(queue)s AND priority = %(priority)s
    ) present
    ON CONFLICT (tenant_id) DO UPDATE SET lines = c.lines || jsonb_build_object(
        %(line)s::text,
        greatest(
            (c.lines ->> %(line)s::text)::float8,
            (SELECT virtual_time FROM queue_clock WHERE queue = %(queue)s AND priority = %(priority)s),
            0
        ) + 1 / c.weight
    )
    RETURNING (lines ->> %(line)s::text)::float8 - 1 / weight AS start
"""

INSERT = f"""
    WITH clock AS ({STEP_CLOCK}),
    job AS (
        INSERT INTO jobs (
            tenant_id, id, queue, task, arguments, state, due, priority, virtual_time, lock_key, unique_key, run_at,
            max_attempts, created_at
        )
        SELECT %(tenant)s, %(id)s, %(queue)s, %(task)s, %(arguments)s::jsonb, 'queued',
               coalesce(%(run_at)s::timestamptz <= now(), true), %(priority)s, clock.start, %(lock_key)s,
               %(unique_key)s, coalesce(%(run_at)s, now()), %(max_attempts)s, clock_timestamp()
        FROM clock
        ON CONFLICT (tenant_id, unique_key) WHERE unique_key IS NOT NULL AND state IN ('queued', 'running')
            DO NOTHING
        RETURNING id, queue
    )
    SELECT id, pg_notify('carrel_jobs', queue) FROM job
"""

PLACE = "SELECT queue, priority FROM jobs WHERE tenant_id = %(tenant)s AND id = %(id)s"

REPLAY = f"""
    WITH clock AS ({STEP_CLOCK}),
    job AS (
        UPDATE jobs
        SET state = 'queued', due = true, virtual_time = clock.start, run_at = now(), attempt = 0, lost = 0,
            interrupted = 0, lost_at = NULL, worker = NULL, lease_until = NULL, cancel_requested = false, step = NULL,
            progress_done = 0, progress_total = NULL, error_code = NULL, error_detail = NULL, started_at = NULL,
            finished_at = NULL, {noting("'retried'")}
        FROM clock
        WHERE tenant_id = %(tenant)s AND id = %(id)s AND state IN ('failed', 'cancelled')
        RETURNING id, queue
    )
    SELECT id, pg_notify('carrel_jobs', queue) FROM job
"""

REQUEST_CANCEL = """
    UPDATE jobs SET cancel_requested = true
    WHERE tenant_id = %(tenant)s AND id = %(id)s AND state = 'running'
"""

HELD = "tenant_id = %(tenant)s AND id = %(id)s AND worker IS NOT DISTINCT FROM %(worker)s AND attempt = %(attempt)s"
STILL_MINE = f"{HELD} AND state = 'running' AND lease_until > clock_timestamp()"

ADVANCED = "step = coalesce(%(step)s, step), progress_done = %(done)s, progress_total = %(total)s"
ADVANCE = f"UPDATE jobs SET {ADVANCED} WHERE {STILL_MINE} RETURNING cancel_requested"
STEP_NOTED = noting("'step'", step="%(step)s::text")
FINISH_STEP = f"UPDATE jobs SET {ADVANCED}, {STEP_NOTED} WHERE {STILL_MINE} RETURNING cancel_requested"

COMPLETE = f"""
    UPDATE jobs
    SET state = 'succeeded', step = coalesce(%(step)s, step), progress_done = %(done)s, progress_total = %(total)s,
        lease_until = NULL, error_code = NULL, error_detail = NULL, finished_at = clock_timestamp(),
        {noting("'succeeded'", step="%(step)s::text")}
    WHERE {STILL_MINE}
    RETURNING cancel_requested
"""

# A hold is enough here, the lease is not asked for: these write down that nothing was done, which stays true.
END = f"""
    UPDATE jobs
    SET state = %(state)s, error_code = %(code)s, error_detail = %(detail)s, lost = lost + %(lost)s,
        lost_at = CASE %(lost)s WHEN 0 THEN lost_at ELSE clock_timestamp() END,
        lease_until = NULL, finished_at = clock_timestamp(),
        {noting("%(state)s::text", code="%(code)s::text", detail="%(detail)s::text")}
    WHERE {HELD} AND state IN ('queued', 'running')
      AND (%(lost)s = 0 OR lease_until < clock_timestamp())
"""

POSTPONE = f"""
    UPDATE jobs
    SET state = 'queued', due = false, run_at = clock_timestamp() + %(delay)s, worker = NULL, lease_until = NULL,
        error_code = %(code)s, error_detail = %(detail)s,
        {noting("'postponed'", code="%(code)s::text", detail="%(detail)s::text")}
    WHERE {HELD} AND state = 'running' AND NOT cancel_requested
"""

RELEASE_LOST = f"""
    WITH job AS (
        UPDATE jobs
        SET state = 'queued', worker = NULL, lease_until = NULL, error_code = %(code)s, error_detail = %(detail)s,
            lost = lost + %(alone)s::int, interrupted = interrupted + 1 - %(alone)s::int, lost_at = clock_timestamp(),
            due = %(delay)s = interval '0', run_at = clock_timestamp() + %(delay)s,
            {noting("'lost'", code="%(code)s::text", detail="%(detail)s::text")}
        WHERE {HELD} AND state = 'running' AND lease_until < clock_timestamp()
        RETURNING id, queue
    )
    SELECT id, pg_notify('carrel_jobs', queue) FROM job
"""

WEIGH = """
    INSERT INTO job_clock (tenant_id, weight) VALUES (%(tenant)s, %(weight)s)
    ON CONFLICT (tenant_id) DO UPDATE SET weight = excluded.weight
"""


@dataclass(frozen=True, slots=True)
class Named:
    id: JobId


@dataclass(frozen=True, slots=True)
class Place:
    queue: str
    priority: int


@dataclass(frozen=True, slots=True)
class Jobs:
    """All SQL over the jobs of one tenant. Bound to it at birth, and to what of them is seen by who looks."""

    db: Transaction
    tenant: TenantId
    sight: Sight = ALL

    async def insert(self, job: NewJob) -> JobId | None:
        """The new job's id, or None when the same work (by `unique_key`) is under way."""
        written: JobId | None = await self.db.value(
            INSERT,
            tenant=self.tenant,
            id=uuid7(),
            line=_line(job.queue, job.priority),
            queue=job.queue,
            task=job.task,
            arguments=job.arguments,
            priority=job.priority,
            run_at=job.run_at,
            lock_key=job.lock_key,
            unique_key=job.unique_key,
            max_attempts=job.max_attempts,
        )
        return written

    async def under_way(self, unique_key: str) -> JobId | None:
        found: JobId | None = await self.db.value(UNDER_WAY, tenant=self.tenant, unique_key=unique_key)
        return found

    async def get(self, job_id: JobId) -> JobRow:
        found = await self.db.one_or_none(JobRow, self._seen(GET), **self._whose(), id=job_id)
        if found is None:
            raise JobNotFound("No job has this id.", hint="Finished jobs are forgotten after a while.")
        return found

    async def history(self, job_id: JobId) -> list[dict[str, Any]]:
        return await self.db.value(HISTORY, tenant=self.tenant, id=job_id) or []

    async def page(self, wanted: Wanted, *, after: Cursor | None, offset: int, limit: int) -> Sequence[JobRow]:
        at, last = after or (None, None)
        place = {"at": at, "last": last, "offset": offset, "limit": limit}
        return await self.db.all(JobRow, self._seen(PAGE), **self._whose(), **asdict(wanted), **place)

    async def total(self, wanted: Wanted) -> int:
        counted: int = await self.db.value(self._seen(TOTAL), **self._whose(), **asdict(wanted))
        return counted

    async def ids(self, wanted: Wanted, *, limit: int) -> list[JobId]:
        """The oldest first."""
        found = await self.db.all(Named, self._seen(IDS), **self._whose(), **asdict(wanted), limit=limit)
        return [one.id for one in found]

    async def line(self) -> Line:
        return await self.db.one(Line, self._seen(LINE), **self._whose())

    async def counts(self) -> JobCounts:
        return await self.db.one(JobCounts, self._seen(COUNTS), **self._whose())

    async def request_cancel(self, job_id: JobId) -> bool:
        return await self.db.execute(REQUEST_CANCEL, tenant=self.tenant, id=job_id) == 1

    async def replay(self, job_id: JobId) -> bool:
        """Put a failed or cancelled job back, as if it had never been tried. False when it is neither."""
        place = await self.db.one_or_none(Place, PLACE, tenant=self.tenant, id=job_id)
        if place is None:
            return False
        line = _line(place.queue, place.priority)
        found = await self.db.value(
            REPLAY, tenant=self.tenant, id=job_id, line=line, queue=place.queue, priority=place.priority
        )
        return found is not None

    async def advance(self, hold: Hold, step: str | None, done: int, total: int | None) -> bool | None:
        """Whether the job's end is asked for; None when it is no longer ours."""
        statement = ADVANCE if step is None else FINISH_STEP
        asked: bool | None = await self.db.value(statement, **self._held(hold), step=step, done=done, total=total)
        return asked

    async def complete(self, hold: Hold, step: str | None, done: int, total: int | None) -> bool | None:
        """As `advance`; the job has then succeeded."""
        asked: bool | None = await self.db.value(COMPLETE, **self._held(hold), step=step, done=done, total=total)
        return asked

    async def end(self, hold: Hold, ending: Ending, *, lost: bool) -> bool:
        """False when the job was not held like this any more. `lost`: only if its lease has run out."""
        told = {"state": ending.state, "code": ending.code, "detail": ending.detail}
        return await self.db.execute(END, **self._held(hold), **told, lost=int(lost)) == 1

    async def postpone(self, hold: Hold, delay: timedelta, code: str, detail: str) -> bool:
        """False when the job is no longer held like this, or its end is asked for."""
        changed = await self.db.execute(POSTPONE, **self._held(hold), delay=delay, code=code, detail=detail)
        return changed == 1

    async def release_lost(self, hold: Hold, error: JobError, delay: timedelta, *, alone: bool) -> bool:
        """Have it run again after `delay`. `alone`: its worker had nothing else in hand."""
        told = {"code": error.code, "detail": error.detail, "delay": delay, "alone": alone}
        return await self.db.value(RELEASE_LOST, **self._held(hold), **told) is not None

    async def weigh(self, weight: float) -> None:
        await self.db.execute(WEIGH, tenant=self.tenant, weight=weight)

    def _seen(self, statement: str) -> str:
        return statement.format(seen=self.sight.condition)

    def _whose(self) -> dict[str, Any]:
        return {"tenant": self.tenant, **self.sight.parameters}

    def _held(self, hold: Hold) -> dict[str, object]:
        return {"tenant": self.tenant, "id": hold.id, "worker": hold.worker, "attempt": hold.attempt}


def _line(queue: str, priority: int) -> str:
    return f"{queue}/{priority}"
