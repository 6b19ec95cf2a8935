"""API keys as they are asked for, shown and found."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from carrel.core.ids import KeyId, TenantId
from carrel.core.text import plain_name

ScopeName = Literal["read", "write", "search", "admin"]
SCOPES: tuple[ScopeName, ...] = ("read", "write", "search", "admin")
ADMIN: ScopeName = "admin"
USUAL_SCOPES: tuple[ScopeName, ...] = ("read", "write", "search")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:  # the last hours of the year 9999 in a western zone
        raise ValueError("The moment lies after the year 9999.") from error


class KeyRequest(BaseModel):
    """A key that an administrator wants to have made."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["Importer"]), AfterValidator(plain_name)]
    """What people call the key."""
    description: str = Field(default="", max_length=2000, pattern=r"^[^\x00]*$")
    scopes: list[ScopeName] = Field(default=[*USUAL_SCOPES], min_length=1, max_length=20)
    """What the key may do; `admin` implies everything else."""
    expires_at: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None
    """When the key stops working; never when left out."""


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
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `key` is shown this once and cannot be found out later."""

    id: KeyId
    key: str = field(repr=False)
    prefix: str
    name: str
    description: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None


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


@dataclass(frozen=True, slots=True)
class AdminKey:
    """The administrator's key of this server. `file` holds it, unless it came from ADMIN_API_KEY."""

    key: str = field(repr=False)
    created: bool
    file: Path
