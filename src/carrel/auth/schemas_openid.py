"""Logins by a provider of identities, as they begin and come back."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, Field

from carrel.auth.roles import RoleName


@dataclass(frozen=True, slots=True)
class SingleSignOn:
    """Whether people can log in at a provider of identities, and what pages call it."""

    enabled: bool
    name: str | None


@dataclass(frozen=True, slots=True)
class Departure:
    """Where a browser goes, and the mark that it keeps until it is back."""

    url: str
    mark: str = field(repr=False)


class Arrival(BaseModel):
    """What a browser brings back from the provider. Providers add more, which says nothing here."""

    state: Annotated[str, Field(max_length=200)] = ""
    code: Annotated[str | None, Field(max_length=4096)] = None
    error: Annotated[str | None, Field(max_length=200)] = None
    iss: Annotated[str | None, Field(max_length=2000)] = None


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody whom the provider knows, and the role that follows from its word."""

    subject: str
    email: str
    name: str
    role: RoleName | None
