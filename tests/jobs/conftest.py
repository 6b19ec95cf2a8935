"""A queue of each test's own, and workers for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from carrel.core.ids import JobId, TenantId, uuid7
from carrel.infra.db import Database, Role
from carrel.infra.settings import Jobs as JobSettings
from carrel.jobs.backoff import Backoff
from carrel.jobs.schemas import JobView, State
from carrel.jobs.service import Queue, Registry, Task, task
from carrel.jobs.worker import Worker

PATIENCE = 20.0
FINISHED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass
class Desk:
    """What a test does with the queue. `line` is the name of a queue that no other test uses."""

    database: Database
    tenant: TenantId
    line: str
    tasks: dict[str, Task] = field(default_factory=dict)
    listeners: dict[type, list[Task]] = field(default_factory=dict)
    providers: dict[type, Callable[[Any], object]] = field(default_factory=dict)
    max_attempts: int = 5
    workers: list[tuple[asyncio.Event, "asyncio.Task[None]"]] = field(default_factory=list)

    def task(self, name: str = "work", **settings: Any) -> Callable[[Any], Task]:
        def declare(function: Any) -> Task:
            chosen: dict[str, Any] = {"timeout": timedelta(seconds=30), "queue": self.line, **settings}
            declared = task(name, **chosen)(function)
            self.tasks[name] = declared
            return declared

        return declare

    @property
    def registry(self) -> Registry:
        return Registry(self.tasks.values(), self.listeners, max_attempts=self.max_attempts)

    @asynccontextmanager
    async def queue(self, tenant: TenantId | None = None) -> AsyncIterator[Queue]:
        owner = tenant or self.tenant
        async with self.database.transaction(Role.APP, owner) as db:
            yield Queue(db, owner, self.registry)

    async def enqueue(self, declared: Task, *, tenant: TenantId | None = None, **settings: Any) -> JobId:
        async with self.queue(tenant) as queue:
            return await queue.enqueue(declared, **settings)

    async def fill(self, declared: Task, count: int) -> None:
        """Put in many jobs at once, as `enqueue` would one after another."""
        async with self.database.transaction(Role.APP, self.tenant) as db:
            await db.execute(
                """
                INSERT INTO jobs (tenant_id, id, queue, task, arguments, state, due, priority, virtual_time, run_at,
                                  max_attempts, created_at)
                SELECT %(tenant)s, gen_random_uuid(), %(queue)s, %(task)s, '{}', 'queued', true, 5, n, now(), 5, now()
                FROM generate_series(0, %(count)s - 1) AS n
                """,
                tenant=self.tenant,
                queue=declared.queue,
                task=declared.name,
                count=count,
            )
            await db.execute(
                "INSERT INTO job_clock (tenant_id, lines) VALUES (%(tenant)s, %(lines)s::jsonb)",
                tenant=self.tenant,
                lines=json.dumps({f"{declared.queue}/5": count}),
            )

    def worker(self, *, serves: str | None = None, backoff: Backoff | None = None, **settings: Any) -> Worker:
        chosen: dict[str, Any] = {"lease": timedelta(seconds=3), "concurrency": 4, "per_tenant": 4, **settings}
        return Worker(
            self.database,
            self.registry,
            self.providers,
            JobSettings(**chosen),
            name=self.line,
            queues=(serves or self.line,),
            backoff=backoff or Backoff(base=timedelta(milliseconds=5)),
        )

    @asynccontextmanager
    async def working(self, **settings: Any) -> AsyncIterator[None]:
        stop = asyncio.Event()
        running = asyncio.create_task(self.worker(**settings).run(stop))
        self.workers.append((stop, running))
        try:
            yield
        finally:
            stop.set()
            await running

    async def stop(self) -> None:
        """Stop all workers, as their blocks would at their ends."""
        for stop, _ in self.workers:
            stop.set()
        for _, running in self.workers:
            await running

    async def view(self, job: JobId, *, tenant: TenantId | None = None) -> JobView:
        async with self.queue(tenant) as queue:
            return await queue.get(job)

    async def until(self, job: JobId, *states: State, tenant: TenantId | None = None) -> JobView:
        """The job, as soon as it is in one of `states` (or finished, when none is named)."""

        async def arrived() -> JobView | None:
            found = await self.view(job, tenant=tenant)
            return found if found.state in (states or FINISHED) else None

        return await eventually(arrived)

    async def effects(self, tenant: TenantId | None = None) -> int:
        """How often `leave_effect` was committed."""
        owner = tenant or self.tenant
        async with self.database.transaction(Role.APP, owner) as db:
            counted: int = await db.value("SELECT documents FROM tenant_usage WHERE tenant_id = %(t)s", t=owner)
            return counted

    async def notes(self) -> int:
        """How often `leave_note` was committed."""
        async with self.database.transaction(Role.APP, self.tenant) as db:
            counted: int = await db.value(
                "SELECT storage_bytes FROM tenant_usage WHERE tenant_id = %(t)s", t=self.tenant
            )
            return counted


async def eventually(look: Callable[[], Awaitable[Any]]) -> Any:
    """What `look` finds, as soon as it finds something."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await look()):
            await asyncio.sleep(0.01)
    return found


@pytest.fixture
def line() -> str:
    return f"line-{uuid7().hex}"


@pytest.fixture
def desk(database, tenant, line) -> Desk:
    return Desk(database, tenant, line)


@pytest.fixture(name="eventually")
def eventually_() -> Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]:
    return eventually


@pytest.fixture
def leave_effect() -> Callable[[Any], Awaitable[None]]:
    """Something that can be counted: of a task that ran once there is one."""

    async def leave(db: Any) -> None:
        await db.execute("UPDATE tenant_usage SET documents = documents + 1")

    return leave


@pytest.fixture
def leave_note() -> Callable[[Any], Awaitable[None]]:
    async def leave(db: Any) -> None:
        await db.execute("UPDATE tenant_usage SET storage_bytes = storage_bytes + 1")

    return leave
