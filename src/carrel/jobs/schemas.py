"""The shapes of a job: as callers see it, and as workers hold it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from carrel.core.ids import JobId, TenantId
from carrel.infra.web import Page

LOWEST_PRIORITY = 9


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """For good: a dead letter, until somebody replays it."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Sight:
    """Which jobs somebody sees: a condition of SQL on their rows, made by the room whose things they are about."""

    condition: str = ""
    """Begins with AND, and holds nothing that a caller has written; empty: all jobs of the tenant."""
    parameters: Mapping[str, Any] = field(default_factory=dict)


ALL = Sight()


@dataclass(frozen=True, slots=True)
class Progress:
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class JobError:
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as its tenant sees it. `step` is the last step that was finished; `error` the latest failure."""

    id: JobId
    task: str
    state: State
    priority: int
    step: str | None
    progress: Progress
    attempt: int
    max_attempts: int
    error: JobError | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    run_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened to a job: `taken`, `step`, `postponed`, `lost`, `given_back`, `retried`, or its end."""

    at: datetime
    event: str
    attempt: int | None = None
    step: str | None = None
    code: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class JobDetail(JobView):
    """A job with what has happened to it so far; the first hundred entries are kept."""

    log: list[Entry]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs of a list are meant; None means any."""

    state: State | None = None
    task: str | None = None
    error_code: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


ANY = Wanted()


@dataclass(frozen=True, slots=True)
class Line:
    """What waits: jobs for a worker (`depth`), jobs for their time (`postponed`), and for how long the oldest has."""

    depth: int
    postponed: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How many jobs of a tenant are in each state. Finished ones are forgotten after JOB_KEEP_FINISHED."""

    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class JobSummary:
    """The queue of an organisation as a whole."""

    counts: JobCounts
    line: Line


class JobsWithSummary(Page[JobView]):
    """A page of jobs, and the whole queue in numbers."""

    summary: JobSummary


class Replay(BaseModel):
    """Which jobs shall be run again."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["failed", "cancelled"] = "failed"
    task: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")] | None = None
    error_code: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")] | None = None
    created_from: AwareDatetime | None = None
    created_before: AwareDatetime | None = None
    limit: int = Field(1000, ge=1, le=10_000)

    @property
    def wanted(self) -> Wanted:
        return Wanted(State(self.state), self.task, self.error_code, self.created_from, self.created_before)


class Replayed(BaseModel):
    """How many jobs wait again."""

    retried: int


@dataclass(frozen=True, slots=True)
class JobRow:
    """A row of `jobs`, without what only workers need."""

    id: JobId
    task: str
    arguments: dict[str, Any]
    state: str
    priority: int
    step: str | None
    progress_done: int
    progress_total: int | None
    worker: str | None
    attempt: int
    max_attempts: int
    error_code: str | None
    error_detail: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    run_at: datetime

    def view(self) -> JobView:
        error = None if self.error_code is None else JobError(self.error_code, self.error_detail or "")
        return JobView(
            id=self.id,
            task=self.task,
            state=State(self.state),
            priority=self.priority,
            step=self.step,
            progress=Progress(self.progress_done, self.progress_total),
            attempt=self.attempt,
            max_attempts=self.max_attempts,
            error=error,
            created_at=self.created_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            run_at=self.run_at,
        )


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job before it is written."""

    queue: str
    task: str
    arguments: str
    """JSON, as the task packed it."""
    priority: int
    run_at: datetime | None
    lock_key: str | None
    unique_key: str | None
    max_attempts: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A job in somebody's hands. Whoever changes the job proves with it that nobody else has taken it since."""

    tenant_id: TenantId
    id: JobId
    worker: str | None
    """None while the job waits."""
    attempt: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends that does not succeed, in a code for programs and a sentence for people."""

    state: State
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that a worker has just taken."""

    tenant_id: TenantId
    id: JobId
    task: str
    arguments: dict[str, Any]
    worker: str
    attempt: int
    max_attempts: int
    lost: int
    interrupted: int

    @property
    def hold(self) -> Hold:
        return Hold(self.tenant_id, self.id, self.worker, self.attempt)

    @property
    def tries(self) -> int:
        """How often it was tried so far, without the tries that ended for a reason outside it."""
        return self.attempt - self.interrupted

    @property
    def is_suspect(self) -> bool:
        """It has lost a worker before, so it is done alone: if it is the reason, nothing else shall suffer for it."""
        return self.lost + self.interrupted > 0


@dataclass(frozen=True, slots=True)
class Expired:
    """A running job whose worker has not been heard of for a whole lease."""

    tenant_id: TenantId
    id: JobId
    task: str
    arguments: dict[str, Any]
    worker: str
    attempt: int
    max_attempts: int
    lost: int
    """How often it lost a worker before that had nothing else in hand."""
    interrupted: int
    """How often it lost a worker before that had other jobs in hand too."""
    cancel_requested: bool
    alone: bool
    """The worker had nothing else in hand."""
    others_lost: bool
    """Other jobs have lost workers since this one did."""

    @property
    def hold(self) -> Hold:
        return Hold(self.tenant_id, self.id, self.worker, self.attempt)

    @property
    def losses(self) -> int:
        return self.lost + self.interrupted
