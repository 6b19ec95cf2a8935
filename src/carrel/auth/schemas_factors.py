"""Second factors as they are asked for, shown and proven."""

from dataclasses import dataclass, field
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from carrel.auth.schemas_users import Body, Password, Secret


def _without_space(code: str) -> str:
    return code.replace(" ", "")


Code = Annotated[
    str, Field(max_length=7, pattern=r"^[0-9]{3} ?[0-9]{3}$", examples=["123 456"]), AfterValidator(_without_space)
]


class Proof(Body):
    """A code of the second factor, or one of the recovery codes: one of both."""

    code: Code | None = None
    recovery_code: str | None = Field(default=None, min_length=1, max_length=40, examples=["ABCD-EFGH-IJKL-MNOP"])

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.code is None) == (self.recovery_code is None):
            raise ValueError("Send either `code` or `recovery_code`.")
        return self


class SecondStep(Proof):
    """The second step of a login, with the ticket that the first one gave."""

    ticket: Secret
    cookie: bool = False
    """For pages in a browser, as in the first step."""


class Enrolment(Body):
    """One's password: who has only found an open session changes no factor."""

    current_password: Password


class Confirmation(Body):
    code: Code


class FactorChange(Proof):
    """A change of a factor that is in force takes both: the password and a code."""

    current_password: Password


@dataclass(frozen=True, slots=True)
class FactorState:
    """Whether logins ask for a second factor, and how many recovery codes are left."""

    enabled: bool
    pending: bool
    recovery_codes_left: int


@dataclass(frozen=True, slots=True)
class NewFactor:
    """A secret for an authenticator program, shown this once. It counts once a first code was sent."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RecoveryCodes:
    """Codes for when the authenticator is lost, each good once. Shown this once."""

    recovery_codes: list[str] = field(repr=False)
