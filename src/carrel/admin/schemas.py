"""What operators ask for and see."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from carrel.core.ids import JobId, TenantId
from carrel.tenants.schemas import Organization

ErasureState = Literal["waiting", "erasing", "erased", "stopped"]


@dataclass(frozen=True, slots=True)
class MadeOrganization:
    """An organisation that was just made. `key`, if one was asked for, is shown this once."""

    organization: Organization
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Remains:
    """What there is of an organisation: rows by table, stored files, and entries of the shared cache."""

    rows: dict[str, int]
    objects: int
    cache_keys: int

    @property
    def is_nothing(self) -> bool:
        return not (any(self.rows.values()) or self.objects or self.cache_keys)


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """A row of `erasures`, with the state of its job."""

    organization_id: TenantId
    slug: str
    name: str
    requested_by: str
    requested_at: datetime
    job_id: JobId
    job_state: str | None
    job_error: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    erased_at: datetime | None
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class Erasure:
    """What became of an organisation that is erased. It is still here when nothing else of it is.

    `stopped` means that the job has failed for good or was cancelled; `error` says why, and the same DELETE starts it
    again. `verified_at` is when it was last looked whether anything has come back.
    """

    organization_id: TenantId
    slug: str
    name: str
    requested_by: str
    requested_at: datetime
    state: ErasureState
    error: str | None
    job_id: JobId
    before: Remains | None
    after: Remains | None
    nothing_left: bool
    erased_at: datetime | None
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class Bill:
    """What one organisation used in a month. Documents and bytes are those at the ends of the days."""

    organization_id: TenantId
    slug: str
    name: str
    tier: str
    days: int
    searches: int
    documents_peak: int
    documents_average: float
    storage_bytes_peak: int
    storage_bytes_average: float
