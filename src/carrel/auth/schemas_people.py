"""People as operators see and change them, and as files carry them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError
from argon2.low_level import Type
from pydantic import AfterValidator, BaseModel, Field, model_validator

from carrel.auth.passwords import LONGEST as LONGEST_PASSWORD
from carrel.auth.roles import RoleName
from carrel.auth.schemas_users import Body, Email, PersonName, UserId
from carrel.auth.tiers import TierName

Outcome = Literal["created", "changed", "unchanged", "failed"]
DEAREST_KIB, MOST_ROUNDS = 256 * 1024, 16
"""What a hash from elsewhere may cost at a login until it is made anew: 13 times the memory of our own."""


def _argon2id(written: str) -> str:
    try:
        found = extract_parameters(written)
    except (InvalidHashError, ValueError) as error:
        raise ValueError("This is no Argon2 hash.") from error
    if found.type is not Type.ID:
        raise ValueError("Only Argon2id is taken.")
    if found.memory_cost > DEAREST_KIB or found.time_cost > MOST_ROUNDS:
        raise ValueError("Checking this hash would cost too much.")
    return written


Slug = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Hash = Annotated[str, AfterValidator(_argon2id)]


class UserChange(Body):
    """What an operator changes about somebody; what is left out stays as it is."""

    tier: TierName | None = None
    enabled: bool | None = None
    operator: bool | None = None


class UserFilter(BaseModel):
    """Which users are wanted: all that is given must fit."""

    q: Annotated[
        str | None, Field(max_length=200, pattern=r"^[^\x00]*$", description="A part of the address or name.")
    ] = None
    tier: TierName | None = None
    enabled: bool | None = None
    operator: bool | None = None
    organization: Annotated[Slug | None, Field(description="The slug of an organization they belong to.")] = None


@dataclass(frozen=True, slots=True)
class Belonging:
    """An organisation that somebody belongs to."""

    slug: str
    role: RoleName


@dataclass(frozen=True, slots=True)
class UserRecord:
    """Somebody with an account, as operators see them."""

    id: UserId
    email: str
    name: str
    tier: TierName
    operator: bool
    enabled: bool
    email_verified: bool
    has_password: bool
    second_factor: bool
    created_at: datetime
    organizations: list[Belonging]


class UserLine(Body):
    """A person in one organisation, as a line of a file says it. What is empty stays as it is, or is usual."""

    email: Email
    name: PersonName | None = None
    tier: TierName | None = None
    operator: bool | None = None
    enabled: bool | None = None
    organization: Slug | None = None
    role: RoleName | None = None
    password: str | None = Field(default=None, max_length=LONGEST_PASSWORD, repr=False)
    password_hash: Hash | None = Field(default=None, max_length=500, repr=False)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.role is not None and self.organization is None:
            raise ValueError("A role needs an organization.")
        if self.password is not None and self.password_hash is not None:
            raise ValueError("A line has a password or its hash, not both.")
        return self

    def about_the_person(self) -> dict[str, Any]:
        """What a line says that is the same in every organisation."""
        return self.model_dump(exclude={"organization", "role"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a file with its number; what is wrong with it, where it cannot be read."""

    number: int
    email: str
    line: UserLine | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one line."""

    number: int
    email: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Carried:
    """A person in one organisation, or in none, as they are written into a file."""

    email: str
    name: str
    tier: TierName
    operator: bool
    enabled: bool
    organization: str | None
    role: RoleName | None
    password_hash: str | None = field(repr=False)
