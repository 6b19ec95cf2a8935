"""Organisations, and what they use of what they may."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from carrel.core.ids import TenantId
from carrel.core.text import plain_name

MEBIBYTE = 2**20
LARGEST_STORAGE_MB = 2**40
LARGEST_COUNT = 10**15

TierName = Literal["free", "standard", "enterprise", "unlimited"]


def _trimmed(name: str) -> str:
    return plain_name(name).strip()


Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Acme"]), AfterValidator(_trimmed)]
Slug = Annotated[str, Field(max_length=200, examples=["acme"])]
Value = Annotated[str, Field(max_length=1000)] | Annotated[int, Field(ge=-(2**53), le=2**53)] | float | bool | None
Metadata = Annotated[dict[Annotated[str, Field(min_length=1, max_length=100)], Value], Field(max_length=50)]
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
Megabytes = Annotated[int, Field(ge=0, le=LARGEST_STORAGE_MB)]
Rate = Annotated[int, Field(ge=1, le=1_000_000)]
QUOTAS = ("max_documents", "max_storage_mb", "max_searches_per_day")


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
    tier: TierName
    rate_limit_per_minute: int | None
    """Calls a minute that it may make; None: as many as RATE_LIMIT_PER_MINUTE says."""
    metadata: dict[str, Any]
    """What operators note about it. The organisation itself never sees it."""
    erasing: bool


class Quotas(BaseModel):
    """What is said about quotas: a number, null for no limit, or nothing."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    max_documents: Count | None = None
    max_storage_mb: Megabytes | None = None
    max_searches_per_day: Count | None = None

    def said(self) -> dict[str, int | None]:
        """The quotas that were spelt out, be it as null."""
        return {name: getattr(self, name) for name in QUOTAS if name in self.model_fields_set}


class NewOrganization(Quotas):
    """An organisation that an operator wants to have made."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Acme", "slug": "acme", "tier": "free", "with_key": True}]}
    )

    name: Name
    slug: Slug
    tier: TierName | None = None
    """Gives the quotas that are left out; without a tier 10,000 documents, 10,240 MB and 10,000 searches a day."""
    rate_limit_per_minute: Rate | None = None
    metadata: Metadata = Field(default_factory=dict)
    with_key: bool = False
    """Make a first API key with the scope `admin`, to be handed over."""


class OrganizationChange(Quotas):
    """What an operator wants to be otherwise. What is left out stays."""

    name: Name | None = None
    slug: Slug | None = None
    tier: TierName | None = None
    """Sets all quotas that are not spelt out beside it."""
    rate_limit_per_minute: Rate | None = None
    metadata: Metadata | None = None
    enabled: bool | None = None


class Renaming(BaseModel):
    """What an owner may change."""

    model_config = ConfigDict(extra="forbid")

    name: Name


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which organisations a list shows."""

    tier: TierName | None = None
    enabled: bool | None = None
    q: str | None = None
    """The beginning of the slug."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an organisation may use; null is unlimited."""

    documents: int | None
    storage_bytes: int | None
    searches_per_day: int | None


@dataclass(frozen=True, slots=True)
class OwnOrganization:
    """Your organisation, as everybody in it may see it."""

    id: TenantId
    name: str
    slug: str
    tier: TierName
    created_at: datetime
    limits: Limits


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


@dataclass(frozen=True, slots=True)
class Percent:
    """How much of each limit is used; null where there is none."""

    documents: float | None
    storage: float | None
    searches: float | None


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What an organisation uses at this moment. Days turn at 00:00 UTC."""

    documents: int
    storage_bytes: int
    storage_mb: float
    searches_today: int
    day: date
    limits: Limits
    percent: Percent


@dataclass(frozen=True, slots=True)
class Day:
    """What an organisation used on a day: documents and bytes at its end, searches during it. Today is as of now."""

    day: date
    documents: int
    storage_bytes: int
    searches: int


@dataclass(frozen=True, slots=True)
class History:
    """The days of a span, the first one first. Days before the organisation was made are left out."""

    data: list[Day]


@dataclass(frozen=True, slots=True)
class Block:
    """Searches that a process has taken in stock, and what the database knew when it did."""

    size: int
    quota: int | None
    used: int
    """Before the block was taken; what processes hold in stock counts."""
    day: date
    resets_at: datetime
    seconds_left: float
    """Until the day is over, by the clock of the database."""
