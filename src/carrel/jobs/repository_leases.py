"""SQL over the jobs of all tenants: taking, keeping and clearing away. Runs under the queue's role.

The only statements of this room that name no tenant, because whose turn it is can only be told by looking at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from carrel.core.ids import JobId, TenantId
from carrel.infra.db import Transaction
from carrel.jobs.history import noting
from carrel.jobs.schemas import LOWEST_PRIORITY, Expired, Hold, Taken

FRONT = 100
"""So many of the first waiting jobs are looked at before the tenants are asked one by one."""
LOCK_SPACE = 0x6A6F6273  # "jobs": the first half of our advisory locks' keys, the second is the tenant

RUNNING = """
    held AS (SELECT tenant_id, lock_key FROM jobs WHERE state = 'running'),
    busy AS (SELECT tenant_id, count(*) AS running FROM held GROUP BY tenant_id)
"""
UNLOCKED = """
    (j.lock_key IS NULL
     OR (j.tenant_id, j.lock_key) NOT IN (SELECT tenant_id, lock_key FROM held WHERE lock_key IS NOT NULL))
"""

# The jobs that may run of those in `seen`: not locked by a running one nor by an earlier one of `seen`, and not more
# of a tenant than it may still run. Virtual times of different lines are compared by their distance to the present.
CHOSEN = f"""
    free AS (
        SELECT j.*, j.virtual_time - coalesce(c.virtual_time, 0) AS distance
        FROM seen j LEFT JOIN queue_clock c USING (queue, priority)
        WHERE {UNLOCKED}
    ),
    first_of_lock AS (
        SELECT *, row_number() OVER (
            PARTITION BY tenant_id, coalesce(lock_key, id::text) ORDER BY priority, distance, id
        ) AS turn
        FROM free
    ),
    in_line AS (
        SELECT *, row_number() OVER (PARTITION BY tenant_id ORDER BY priority, distance, id) AS place
        FROM first_of_lock WHERE turn = 1
    ),
    chosen AS (
        SELECT tenant_id, id, suspect, priority, distance FROM in_line LEFT JOIN busy USING (tenant_id)
        WHERE place <= %(per_tenant)s - coalesce(running, 0)
        ORDER BY priority, distance, id
        LIMIT %(wanted)s
    )
"""

SEEN_COLUMNS = (
    "j.tenant_id, j.id, j.queue, j.priority, j.virtual_time, j.lock_key, j.lost + j.interrupted > 0 AS suspect"
)

SEEN_AT_THE_FRONT = f"""
    seen AS (
        SELECT j.* FROM unnest(%(queues)s::text[]) AS q (name)
        CROSS JOIN LATERAL (
            SELECT {SEEN_COLUMNS} FROM jobs j
            WHERE j.queue = q.name AND j.state = 'queued' AND j.due
            ORDER BY j.priority, j.virtual_time
            LIMIT {FRONT}
        ) j
    )
"""

# One jump in the index for each tenant that has waiting jobs, however many those are.
SEEN_BY_TENANT = f"""
    tenants AS (
        SELECT q.name AS queue, (
            SELECT j.tenant_id FROM jobs j WHERE j.queue = q.name AND j.state = 'queued' AND j.due
            ORDER BY j.tenant_id LIMIT 1
        ) AS tenant_id
        FROM unnest(%(queues)s::text[]) AS q (name)
        UNION ALL
        SELECT t.queue, (
            SELECT j.tenant_id FROM jobs j
            WHERE j.queue = t.queue AND j.state = 'queued' AND j.due AND j.tenant_id > t.tenant_id
            ORDER BY j.tenant_id LIMIT 1
        )
        FROM tenants t WHERE t.tenant_id IS NOT NULL
    ),
    seen AS (
        SELECT j.* FROM tenants t LEFT JOIN busy b USING (tenant_id)
        CROSS JOIN LATERAL (
            SELECT {SEEN_COLUMNS} FROM jobs j
            WHERE j.queue = t.queue AND j.tenant_id = t.tenant_id AND j.state = 'queued' AND j.due AND {UNLOCKED}
            ORDER BY j.priority, j.virtual_time
            LIMIT %(per_tenant)s
        ) j
        WHERE t.tenant_id IS NOT NULL AND coalesce(b.running, 0) < %(per_tenant)s
    )
"""

# Two workers never take jobs of one tenant at once, so that limits and locks hold exactly. It is tried, not awaited: a
# worker that is stopped in the middle holds up the tenants in its hand and nobody else.
RESERVED = f"""
    SELECT tenant_id, id, suspect, pg_try_advisory_xact_lock({LOCK_SPACE}, hashtext(tenant_id::text)) AS reserved
    FROM chosen ORDER BY priority, distance, id
"""

AT_THE_FRONT = f"WITH {RUNNING}, {SEEN_AT_THE_FRONT}, {CHOSEN} {RESERVED}"
BY_TENANT = f"WITH RECURSIVE {RUNNING}, {SEEN_BY_TENANT}, {CHOSEN} {RESERVED}"

# Asks everything again, because another worker may have been here between the look and the reservation.
TAKE = f"""
    WITH {RUNNING},
    seen AS (
        SELECT {SEEN_COLUMNS}
        FROM unnest(%(tenants)s::uuid[], %(ids)s::uuid[]) AS w (tenant_id, id) JOIN jobs j USING (tenant_id, id)
        WHERE j.state = 'queued' AND j.due
        FOR UPDATE OF j SKIP LOCKED
    ),
    {CHOSEN},
    taken AS (
        UPDATE jobs j
        SET state = 'running', attempt = j.attempt + 1, worker = %(worker)s,
            lease_until = clock_timestamp() + %(lease)s, started_at = clock_timestamp(),
            {noting("'taken'", attempt="attempt + 1")}
        FROM chosen c
        WHERE j.tenant_id = c.tenant_id AND j.id = c.id
        RETURNING j.*
    ),
    newest AS (SELECT queue, priority, max(virtual_time) AS virtual_time FROM taken GROUP BY queue, priority),
    clock AS (
        SELECT c.queue, c.priority, n.virtual_time FROM queue_clock c JOIN newest n USING (queue, priority)
        WHERE c.virtual_time < n.virtual_time
        FOR UPDATE OF c SKIP LOCKED
    ),
    moved AS (
        UPDATE queue_clock c SET virtual_time = clock.virtual_time FROM clock
        WHERE c.queue = clock.queue AND c.priority = clock.priority
    )
    SELECT tenant_id, id, task, arguments, worker, attempt, max_attempts, lost, interrupted FROM taken
    ORDER BY priority, virtual_time, id
"""

# Jobs whose time has come join the end of their tenant's line, as new ones would: a night's worth of them must not
# stand before everybody else. A clock that somebody holds is left for the next time, so nothing is ever waited for.
WAKE = """
    WITH clocks AS (
        SELECT tenant_id, lines, weight FROM job_clock
        WHERE tenant_id IN (
            SELECT tenant_id FROM jobs WHERE state = 'queued' AND NOT due AND run_at <= now()
            ORDER BY run_at LIMIT %(limit)s
        )
        FOR UPDATE SKIP LOCKED
    ),
    sleepers AS (
        SELECT j.tenant_id, j.id, j.queue, j.priority, j.run_at FROM jobs j
        WHERE j.state = 'queued' AND NOT j.due AND j.run_at <= now()
          AND j.tenant_id IN (SELECT tenant_id FROM clocks)
        ORDER BY j.run_at LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ),
    placed AS (
        SELECT s.tenant_id, s.id, s.queue || '/' || s.priority AS line, c.weight,
               greatest((c.lines ->> (s.queue || '/' || s.priority))::float8, q.virtual_time, 0) AS start,
               row_number() OVER (PARTITION BY s.tenant_id, s.queue, s.priority ORDER BY s.run_at, s.id) AS place
        FROM sleepers s JOIN clocks c USING (tenant_id) LEFT JOIN queue_clock q USING (queue, priority)
    ),
    moved AS (
        UPDATE job_clock c SET lines = c.lines || m.lines
        FROM (
            SELECT tenant_id, jsonb_object_agg(line, last) AS lines
            FROM (
                SELECT tenant_id, line, max(start + place / weight) AS last FROM placed GROUP BY tenant_id, line
            ) ends
            GROUP BY tenant_id
        ) m
        WHERE c.tenant_id = m.tenant_id
    )
    UPDATE jobs j SET due = true, virtual_time = p.start + (p.place - 1) / p.weight
    FROM placed p WHERE j.tenant_id = p.tenant_id AND j.id = p.id
"""

# A row that somebody else has locked for the moment is left out; the next heartbeat comes in time for it.
BEAT = """
    WITH mine AS (
        SELECT j.tenant_id, j.id
        FROM unnest(%(tenants)s::uuid[], %(ids)s::uuid[], %(attempts)s::integer[]) AS h (tenant_id, id, attempt)
        JOIN jobs j USING (tenant_id, id, attempt)
        WHERE j.worker = %(worker)s AND j.state = 'running'
        FOR UPDATE OF j SKIP LOCKED
    )
    UPDATE jobs j SET lease_until = clock_timestamp() + %(lease)s
    FROM mine m WHERE j.tenant_id = m.tenant_id AND j.id = m.id
"""

STILL_HELD = """
    SELECT j.id, j.attempt, j.cancel_requested AND j.state = 'running' AS cancel_requested
    FROM unnest(%(tenants)s::uuid[], %(ids)s::uuid[], %(attempts)s::integer[]) AS h (tenant_id, id, attempt)
    JOIN jobs j USING (tenant_id, id, attempt)
    WHERE j.worker = %(worker)s AND j.state IN ('running', 'succeeded')
"""

# A worker that dies drops all that it has in hand, so only a job that it had alone is known to be the reason; and where
# workers have died without that job since, it is not.
EXPIRED = """
    SELECT j.tenant_id, j.id, j.task, j.arguments, j.worker, j.attempt, j.max_attempts, j.lost, j.interrupted,
           j.cancel_requested,
           NOT EXISTS (
               SELECT FROM jobs o
               WHERE o.state = 'running' AND o.worker = j.worker AND (o.tenant_id, o.id) <> (j.tenant_id, j.id)
           ) AS alone,
           EXISTS (
               SELECT FROM jobs o WHERE o.lost_at > j.lost_at AND (o.tenant_id, o.id) <> (j.tenant_id, j.id)
           ) AS others_lost
    FROM jobs j WHERE j.state = 'running' AND j.lease_until < clock_timestamp()
    ORDER BY j.lease_until LIMIT %(limit)s
"""

GIVE_BACK = f"""
    WITH job AS (
        UPDATE jobs SET state = 'queued', attempt = attempt - 1, worker = NULL, lease_until = NULL, started_at = NULL,
            {noting("'given_back'")}
        WHERE worker = %(worker)s AND state = 'running' AND NOT cancel_requested
        RETURNING tenant_id, id, queue
    )
    SELECT tenant_id, id, pg_notify('carrel_jobs', queue) FROM job
"""

FORGET_FINISHED = """
    DELETE FROM jobs WHERE (tenant_id, id) IN (
        SELECT tenant_id, id FROM jobs
        WHERE state IN ('succeeded', 'failed', 'cancelled') AND finished_at < now() - %(keep)s
        ORDER BY finished_at LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    )
"""

OPEN_LINES = f"""
    INSERT INTO queue_clock (queue, priority)
    SELECT q.name, p FROM unnest(%(queues)s::text[]) AS q (name), generate_series(0, {LOWEST_PRIORITY}) AS p
    ON CONFLICT DO NOTHING
"""

REGISTER = """
    INSERT INTO job_workers (id, host, process_id, started_at, seen_at, running)
    VALUES (%(worker)s, %(host)s, %(process_id)s, %(started_at)s, now(), %(running)s)
    ON CONFLICT (id) DO UPDATE SET seen_at = now(), running = excluded.running
"""
FORGET_WORKER = "DELETE FROM job_workers WHERE id = %(worker)s"
FORGET_SILENT_WORKERS = "DELETE FROM job_workers WHERE seen_at < now() - %(silence)s"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A job that could be taken; `reserved` when no other worker is taking jobs of its tenant."""

    tenant_id: TenantId
    id: JobId
    suspect: bool
    """It has lost a worker before."""
    reserved: bool


@dataclass(frozen=True, slots=True)
class Held:
    id: JobId
    attempt: int
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """What the list of workers says about one."""

    host: str
    process_id: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Leases:
    """What one worker does with the jobs of all tenants."""

    db: Transaction
    worker: str
    lease: timedelta

    async def candidates(self, queues: Sequence[str], *, wanted: int, per_tenant: int) -> list[Candidate]:
        """The jobs whose turn it is, in order; empty only when nothing may run."""
        bounds = {"queues": list(queues), "wanted": wanted, "per_tenant": per_tenant}
        first = await self.db.all(Candidate, AT_THE_FRONT, **bounds)
        return first or await self.db.all(Candidate, BY_TENANT, **bounds)

    async def take(self, candidates: Sequence[Candidate], *, per_tenant: int) -> list[Taken]:
        """Take those of the reserved candidates that still may run."""
        mine = [candidate for candidate in candidates if candidate.reserved]
        if not mine:
            return []
        return await self.db.all(
            Taken,
            TAKE,
            tenants=[candidate.tenant_id for candidate in mine],
            ids=[candidate.id for candidate in mine],
            wanted=len(mine),
            per_tenant=per_tenant,
            worker=self.worker,
            lease=self.lease,
        )

    async def wake(self, limit: int) -> int:
        """Let jobs whose `run_at` has come join their lines; how many did."""
        return await self.db.execute(WAKE, limit=limit)

    async def beat(self, holds: Sequence[Hold]) -> list[Held]:
        """Renew the leases of `holds`; those that are not in the answer are lost."""
        held = {
            "tenants": [hold.tenant_id for hold in holds],
            "ids": [hold.id for hold in holds],
            "attempts": [hold.attempt for hold in holds],
            "worker": self.worker,
        }
        await self.db.execute(BEAT, **held, lease=self.lease)
        return await self.db.all(Held, STILL_HELD, **held)

    async def expired(self, limit: int) -> list[Expired]:
        return await self.db.all(Expired, EXPIRED, limit=limit)

    async def give_back(self) -> int:
        """Let others run what this worker holds, as if it had never taken it."""
        return len(await self.db.all(_GivenBack, GIVE_BACK, worker=self.worker))

    async def forget_finished(self, keep: timedelta, limit: int) -> int:
        return await self.db.execute(FORGET_FINISHED, keep=keep, limit=limit)

    async def open_lines(self, queues: Sequence[str]) -> None:
        await self.db.execute(OPEN_LINES, queues=list(queues))

    async def register(self, presence: Presence, running: int) -> None:
        await self.db.execute(
            REGISTER,
            worker=self.worker,
            host=presence.host,
            process_id=presence.process_id,
            started_at=presence.started_at,
            running=running,
        )

    async def forget_worker(self) -> None:
        await self.db.execute(FORGET_WORKER, worker=self.worker)

    async def forget_silent_workers(self, silence: timedelta) -> None:
        await self.db.execute(FORGET_SILENT_WORKERS, silence=silence)


@dataclass(frozen=True, slots=True)
class _GivenBack:
    tenant_id: TenantId
    id: JobId
    pg_notify: object
