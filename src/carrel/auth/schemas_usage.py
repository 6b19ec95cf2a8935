"""How often keys are used."""

from dataclasses import dataclass
from datetime import date

from pydantic import BaseModel, Field

from carrel.core.ids import KeyId, TenantId


@dataclass(frozen=True, slots=True)
class Uses:
    """Numbers of calls. `requests` are all of them, those that were refused for rate or scope included."""

    requests: int
    searches: int
    refused: int


@dataclass(frozen=True, slots=True)
class DayOfUse:
    """The calls of one day, which begins and ends at 00:00 UTC."""

    day: date
    requests: int
    searches: int
    refused: int


class KeyUse(BaseModel):
    """How often a key, with all tokens made from it, was used in a period. Days without a call are left out."""

    key_id: KeyId
    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    days: list[DayOfUse]
    total: Uses


@dataclass(frozen=True, slots=True)
class Counted:
    """What one process has counted of one key on one day."""

    tenant: TenantId
    key: KeyId
    day: date
    requests: int
    searches: int
    refused: int
