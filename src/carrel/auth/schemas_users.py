"""People and their sessions, as they are asked for, shown and found."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal, NewType
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from carrel.auth.emails import LONGEST as LONGEST_EMAIL
from carrel.auth.emails import known_email
from carrel.auth.passwords import LONGEST as LONGEST_PASSWORD
from carrel.auth.roles import RoleName
from carrel.auth.tiers import TierName
from carrel.core.ids import TenantId
from carrel.core.text import plain_name
from carrel.infra.web import Caller
from carrel.tenants.schemas import Name as OrganizationName

UserId = NewType("UserId", UUID)
SessionId = NewType("SessionId", UUID)
InvitationId = NewType("InvitationId", UUID)

Email = Annotated[str, Field(max_length=LONGEST_EMAIL, examples=["lina@example.org"]), AfterValidator(known_email)]
Password = Annotated[
    str, Field(min_length=1, max_length=LONGEST_PASSWORD, examples=["four-quiet-herons-41"], repr=False)
]
PersonName = Annotated[str, Field(max_length=200, examples=["Lina Haddad"]), AfterValidator(plain_name)]
Secret = Annotated[str, Field(min_length=1, max_length=200, repr=False)]


class Body(BaseModel):
    """Says nothing but what it is asked: a member that is not known is refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False, use_attribute_docstrings=True)


class Registration(Body):
    """Somebody who wants an account, and an organisation to go with it."""

    email: Email
    password: Password
    organization: OrganizationName
    name: PersonName = ""


class Login(Body):
    email: Email
    password: Password
    organization: TenantId | None = None
    """The one to begin in; the one used last when left out."""
    cookie: bool = False
    """For pages in a browser: the tokens go into cookies that no script can read, and not into the answer."""


class Refresh(Body):
    refresh_token: str | None = Field(default=None, min_length=1, max_length=200, repr=False)
    """Left out by pages in a browser: theirs is in a cookie."""


class Verification(Body):
    """The token of a registration, from the link in the mail, and the password that was chosen there."""

    token: Secret
    password: Password


class ForgottenPassword(Body):
    email: Email


class NewPassword(Body):
    """The token of a reset, from the link in the mail, and the password from now on."""

    token: Secret
    password: Password


class Acceptance(Body):
    """The token of an invitation, and one's password: that of the account, or the one of the account to be made."""

    token: Secret
    password: Password
    name: PersonName = ""


class PasswordChange(Body):
    current_password: Password
    new_password: Password


class ProfileChange(Body):
    name: PersonName


class Switch(Body):
    organization: TenantId


class Invited(Body):
    """Whom to invite, and as what."""

    email: Email
    role: RoleName = "member"


class RoleChange(Body):
    role: RoleName


@dataclass(frozen=True, slots=True)
class Device:
    """Where a request comes from, as people recognise it in the list of their sessions."""

    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account."""

    id: UserId
    email: str
    name: str
    tier: TierName
    operator: bool
    email_verified: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """An organisation, as one of its people sees it."""

    id: TenantId
    name: str
    slug: str
    role: RoleName


@dataclass(frozen=True, slots=True)
class OwnGroup:
    """A group that you are in."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Who you are, where, and in which groups there."""

    user: User
    organization: Place
    groups: list[OwnGroup]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has begun or goes on. Both tokens are shown this once."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    token_type: Literal["Bearer"]
    expires_in: int
    user: User
    organization: Place


@dataclass(frozen=True, slots=True)
class SignedInByCookie:
    """A session whose tokens are in cookies. Whatever changes something sends `csrf_token` as X-CSRF-Token."""

    csrf_token: str = field(repr=False)
    expires_in: int
    user: User
    organization: Place


@dataclass(frozen=True, slots=True)
class MailSent:
    """What happens next is in a mail, if there is somebody to send it to."""

    status: Literal["mail-sent"] = "mail-sent"


@dataclass(frozen=True, slots=True)
class Session:
    """A login on one device."""

    id: SessionId
    organization_id: TenantId
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    address: str
    user_agent: str
    current: bool


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who belongs to the organisation."""

    user_id: UserId
    email: str
    name: str
    role: RoleName
    created_at: datetime


class Invitation(BaseModel):
    """An invitation that nobody has accepted yet. Its token is in the mail only."""

    id: InvitationId
    email: str
    role: RoleName
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(Caller):
    """A caller who is a person in a session, and not a key."""

    user: UserId
    session: SessionId
    role: RoleName
    tier: TierName
