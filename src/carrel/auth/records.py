"""Rows of people and sessions, as the repositories find them. None of them is shown to anybody as it is."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from carrel.auth.roles import RoleName
from carrel.auth.schemas_people import Belonging, UserRecord
from carrel.auth.schemas_users import Place, SessionId, User, UserId
from carrel.auth.tiers import TierName
from carrel.core.ids import TenantId


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can log in."""

    id: UserId
    email: str
    name: str
    enabled: bool
    password_hash: str | None = field(repr=False)
    """None: nobody comes in by a password."""


@dataclass(frozen=True, slots=True)
class Known:
    """An account as whoever looks after it compares it with what it should be."""

    id: UserId
    email: str
    name: str
    tier: TierName
    operator: bool
    enabled: bool
    password_hash: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class FoundUser:
    """A person with the slugs of their organisations, and their role in each."""

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
    organizations: list[tuple[str, RoleName]]

    @property
    def record(self) -> UserRecord:
        members = {name: getattr(self, name) for name in self.__slots__ if name != "organizations"}
        return UserRecord(**members, organizations=[Belonging(slug, role) for slug, role in self.organizations])


@dataclass(frozen=True, slots=True)
class Standing:
    """A person in an organisation."""

    user_id: UserId
    email: str
    name: str
    tier: TierName
    operator: bool
    user_enabled: bool
    email_verified: bool
    created_at: datetime
    tenant: TenantId
    organization: str
    slug: str
    enabled: bool
    role: RoleName

    @property
    def user(self) -> User:
        return User(self.user_id, self.email, self.name, self.tier, self.operator, self.email_verified, self.created_at)

    @property
    def place(self) -> Place:
        return Place(self.tenant, self.organization, self.slug, self.role)


@dataclass(frozen=True, slots=True)
class Family:
    """A session with its line of refresh tokens, found by one of them; `shown` is the generation of that one."""

    tenant: TenantId
    id: SessionId
    user_id: UserId
    expires_at: datetime
    revoked: bool
    generation: int
    nonce: bytes = field(repr=False)
    rotated_at: datetime
    shown: int


@dataclass(frozen=True, slots=True)
class LivingSession:
    """What a session may do now."""

    email: str
    name: str
    tier: TierName
    operator: bool
    role: RoleName
    enabled: bool
    expires_at: datetime
    tenant_rate: int | None
    groups: list[UUID]


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was sent, and what it is for."""

    email_key: str
    email: str | None = None
    password_hash: str | None = field(default=None, repr=False)
    name: str | None = None
    organization: str | None = None


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """An invitation, found by its token."""

    tenant: TenantId
    id: UUID
    email: str
    email_key: str
    role: RoleName


@dataclass(frozen=True, slots=True)
class Factor:
    """A second factor: its secret as it is sealed, and the step of the newest code that was used."""

    secret: bytes = field(repr=False)
    confirmed: bool
    last_step: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """A login whose first step is done: whose, by which password, and into which organisation."""

    user_id: UserId
    stamp: bytes = field(repr=False)
    organization: TenantId | None


@dataclass(frozen=True, slots=True)
class Tried:
    """How often something was tried, and until when that counts."""

    key: bytes
    count: int
    until: datetime
