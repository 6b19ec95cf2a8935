"""API keys as they are asked for, shown and found."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from carrel.core.ids import KeyId, TenantId
from carrel.core.text import plain_name

T = TypeVar("T")

ScopeName = Literal["read", "write", "search", "admin"]
SCOPES: tuple[ScopeName, ...] = ("read", "write", "search", "admin")
ADMIN: ScopeName = "admin"
Origin = Literal["api", "setting", "generated"]
MOST = 50
"""How many tags, collections or groups a key may name."""
USUAL_SCOPES: tuple[ScopeName, ...] = ("read", "write", "search")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:  # the last hours of the year 9999 in a western zone
        raise ValueError("The moment lies after the year 9999.") from error


def _distinct(values: list[T]) -> list[T]:
    return list(dict.fromkeys(values))


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain the character U+0000")
    return text


KeyName = Annotated[str, Field(min_length=1, max_length=200, examples=["Importer"]), AfterValidator(plain_name)]
Description = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
Scopes = Annotated[list[ScopeName], Field(min_length=1, max_length=20)]
Expiry = Annotated[AwareDatetime, AfterValidator(_in_utc)]
RateLimit = Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_storable)]
Tags = Annotated[list[Tag], Field(min_length=1, max_length=MOST), AfterValidator(_distinct)]
Ids = Annotated[list[UUID], Field(min_length=1, max_length=MOST), AfterValidator(_distinct)]


class Limited(BaseModel):
    """What a key is limited to; null: not limited in this."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    expires_at: Expiry | None = None
    """When the key stops working; never when null."""
    rate_limit: RateLimit | None = None
    """How many calls a minute it may make at most, whatever its organization may."""
    tags: Tags | None = None
    """It reaches only documents that hold at least one of these tags."""
    collections: Ids | None = None
    """It reaches only documents of these collections."""
    groups: Ids | None = None
    """Of documents that are restricted to readers, it reaches those of these groups; without any, none of them."""


class KeyRequest(Limited):
    """A key that an administrator wants to have made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Web site", "scopes": ["search"], "tags": ["guests"], "rate_limit": 60}]
        }
    )

    name: KeyName
    """What people call the key."""
    description: Description = ""
    scopes: Scopes = Field(default=[*USUAL_SCOPES])
    """What the key may do; `admin` implies everything else, and no limits to what it reaches."""


class KeyChange(Limited):
    """What is to be another way about a key. What is left out stays as it is."""

    # Factories, so that the description of the API names no default: there is none.
    name: KeyName = Field(default_factory=str)
    description: Description = Field(default_factory=str)
    scopes: Scopes = Field(default_factory=list)

    def given(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.model_fields_set}


class Rotation(BaseModel):
    """How a key is to be replaced."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    overlap_seconds: int = Field(default=86_400, ge=0, le=604_800, strict=True)
    """How long the old key goes on working beside the new one, so that everybody who has it can change over."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A living key, without the key itself: that is shown when it is made and stored nowhere."""

    id: KeyId
    prefix: str
    name: str
    description: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = None
    rate_limit: int | None = None
    tags: list[str] | None = None
    collections: list[UUID] | None = None
    groups: list[UUID] | None = None
    origin: Origin = "api"
    """`setting`: given as ADMIN_API_KEY; `generated`: made at the first start; `api`: made by an administrator."""
    rotated_from: KeyId | None = None
    """The key that this one has replaced."""
    replaced_by: KeyId | None = None
    """The key that has replaced this one, which works until `expires_at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey(ApiKey):
    """A key that was just made. `key` is shown this once and cannot be found out later."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose key it is and what it may do; read before the tenant is known."""

    tenant: TenantId
    id: KeyId
    name: str
    scopes: list[str]
    operator: bool
    """It is the key of the server's administrator, who came with the server and not by way of the API."""
    expires_at: datetime | None
    last_used_at: datetime | None
    enabled: bool
    rate_limit: int | None
    tenant_rate: int | None
    tags: list[str] | None
    collections: list[UUID] | None
    groups: list[UUID] | None


@dataclass(frozen=True, slots=True)
class AdminKey:
    """The administrator's key of this server. `file` holds it, unless it came from ADMIN_API_KEY."""

    key: str = field(repr=False)
    created: bool
    file: Path
