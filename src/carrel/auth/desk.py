"""What all doors share: the tools of the process, and the one way of recognising somebody by a password."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal

from carrel.auth import throttle
from carrel.auth.background import Background
from carrel.auth.browsers import Browsers
from carrel.auth.errors_users import InvalidLogin, NoOrganization, UserDisabled, WeakPassword
from carrel.auth.hashing import Checked, Passwords
from carrel.auth.letters import Letters
from carrel.auth.openid_provider import Provider
from carrel.auth.passwords import weakness
from carrel.auth.records import Account, Standing
from carrel.auth.repository_members import Standings
from carrel.auth.repository_users import UserRows
from carrel.auth.schemas_users import Device, UserId
from carrel.auth.sessions import Sessions
from carrel.auth.signing import Ring
from carrel.auth.throttle import Limit, Throttle
from carrel.auth.vault import Vault
from carrel.core.ids import TenantId
from carrel.infra.db import Database, Executor, Role, Transaction
from carrel.infra.mail import Mailer
from carrel.infra.settings import Settings

RegistrationMode = Literal["closed", "invite", "open"]


@dataclass(frozen=True, slots=True)
class Recognised:
    """Somebody whose password was right a moment ago."""

    account: Account
    checked: Checked
    limits: Sequence[Limit]

    @property
    def password_hash(self) -> str | None:
        """The one that is stored once they were admitted."""
        return self.checked.better or self.account.password_hash


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that dealing with people takes. One per process; close it before the database."""

    database: Database
    ring: Ring
    sessions: Sessions
    passwords: Passwords
    mailer: Mailer
    letters: Letters
    throttle: Throttle
    background: Background
    registration: RegistrationMode
    browsers: Browsers
    multi_tenant: bool
    """False: everybody belongs to one organisation, and nobody makes another."""
    vault: Vault
    provider: Provider | None

    @classmethod
    def of(cls, settings: Settings, database: Database, ring: Ring, passwords: Passwords | None = None) -> "Desk":
        production = settings.environment == "production"
        return cls(
            database=database,
            ring=ring,
            sessions=Sessions(database, ring, settings.tokens.session_lifetime),
            passwords=passwords or Passwords(),
            mailer=Mailer(settings.mail, production=production),
            letters=Letters(settings.accounts.public_url),
            throttle=Throttle(database),
            background=Background(),
            registration=settings.accounts.registration,
            browsers=Browsers(
                database,
                ring,
                settings.accounts.public_url,
                settings.web.cors_origins,
                int(settings.tokens.session_lifetime.total_seconds()),
            ),
            multi_tenant=settings.tenancy.multi_tenant_mode,
            vault=Vault.of(settings.encryption, database, production=production),
            provider=Provider(settings.openid, production=production) if settings.openid.issuer else None,
        )

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """One of the gate: people stand before and beside the organisations."""
        return self.database.transaction(Role.GATE)

    async def recognise(self, email_key: str, password: str, device: Device) -> Recognised:
        """Who this is. Raises `TooManyAttempts` or `InvalidLogin`.

        For an address that nobody has, the same statements run and the same hash is computed as for a wrong password.
        """
        limits = throttle.of_logins(email_key, device.address)
        await self.throttle.take(limits)
        async with self.transaction() as db:
            account = await UserRows(db).by_email(email_key)
        checked = await self.passwords.check(password, account.password_hash if account else None)
        if account is None or not checked.right:
            raise invalid_login(account)
        return Recognised(account, checked, limits)

    async def admit(self, db: Executor, someone: Recognised) -> None:
        """Let somebody who was recognised go on. Raises `UserDisabled`, or `InvalidLogin` after a change since then."""
        users, account = UserRows(db), someone.account
        held = await users.hold(account.id, account.password_hash)
        if held is None:
            raise invalid_login(account)
        if not held.enabled:
            raise _disabled(account)
        await throttle.give_back(db, someone.limits)
        if someone.checked.better is not None:
            await users.change_password(account.id, account.password_hash, someone.checked.better)

    async def close(self) -> None:
        await self.background.close()
        if self.provider is not None:
            await self.provider.close()
        await self.mailer.close()
        await self.passwords.close()


def invalid_login(account: Account | None = None) -> InvalidLogin:
    problem = InvalidLogin(
        "E-mail and password do not belong together.",
        hint="Check both; POST /api/auth/password/forgot sends a link for a new password.",
    )
    problem.user = None if account is None else account.id
    return problem


def _disabled(account: Account) -> UserDisabled:
    problem = UserDisabled("The account is disabled.", hint="Ask the operator of this server to enable it.")
    problem.user = account.id
    return problem


def require_strong(password: str, *related: str) -> None:
    """Raises `WeakPassword` unless the password may be taken."""
    if (reason := weakness(password, *related)) is not None:
        raise WeakPassword(reason, hint="Take several words that do not belong together.")


async def standing_of(db: Executor, user: UserId, only: TenantId | None = None) -> Standing:
    """The organisation to begin in. Raises `NoOrganization`, also when the wanted one is not the person's."""
    found = await Standings(db).of(user, only=only)
    if not found:
        problem = NoOrganization(
            "The account does not belong to this organization." if only else "The account belongs to no organization.",
            hint="Ask an administrator of the organization for an invitation.",
        )
        problem.user, problem.organization = user, only
        raise problem
    return found[0]
