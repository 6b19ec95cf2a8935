"""Organisations, and what they use of what they may."""

from dataclasses import dataclass
from datetime import date, datetime

from carrel.core.ids import TenantId

MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Quota:
    """What an organisation may use; None is unlimited."""

    max_documents: int | None = 10_000
    max_storage_mb: int | None = 10_240
    max_searches_per_day: int | None = 10_000


@dataclass(frozen=True, slots=True)
class Organization:
    """One tenant. Everything that is stored belongs to exactly one of them."""

    id: TenantId
    name: str
    slug: str
    created_at: datetime
    max_documents: int | None
    max_storage_mb: int | None
    max_searches_per_day: int | None
    enabled: bool


@dataclass(frozen=True, slots=True)
class UsageView:
    """What an organisation uses and what it may use, read in one moment."""

    documents: int
    storage_bytes: int
    searches_today: int
    today: date
    max_documents: int | None
    max_storage_mb: int | None
    max_searches_per_day: int | None

    @property
    def max_storage_bytes(self) -> int | None:
        return None if self.max_storage_mb is None else self.max_storage_mb * MEBIBYTE
