"""Domains of organisations, as people send and see them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, NewType
from uuid import UUID

from pydantic import Field

from carrel.auth.schemas_users import Body

DomainId = NewType("DomainId", UUID)


class NewDomain(Body):
    """A name by which an organisation wants to be called."""

    host: Annotated[str, Field(min_length=1, max_length=253, examples=["search.example.org"])]


class DomainDecision(Body):
    """What an operator knows without asking the domain name system."""

    verified: bool


@dataclass(frozen=True, slots=True)
class Record:
    """What the zone of the host must hold."""

    name: str
    value: str
    type: Literal["TXT"] = "TXT"


@dataclass(frozen=True, slots=True)
class Domain:
    """A name of an organisation. Until it is verified, it means nothing."""

    id: DomainId
    host: str
    record: Record
    created_at: datetime
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class DomainList:
    """The domains of an organisation, the oldest first."""

    data: list[Domain]


@dataclass(frozen=True, slots=True)
class DomainRow:
    """A domain as it is stored."""

    id: DomainId
    host: str
    token: str
    created_at: datetime
    verified_at: datetime | None
