"""Becoming a user: by oneself, or by invitation."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from carrel.auth import throttle
from carrel.auth.audit import ANONYMOUS, SERVER, Event, Target, record, user_subject
from carrel.auth.audit_actions import Action
from carrel.auth.desk import Desk, invalid_login, require_strong, standing_of
from carrel.auth.emails import key_of
from carrel.auth.errors_users import EmailTaken, LinkNotValid, RegistrationClosed
from carrel.auth.keys import digest, random_text
from carrel.auth.opaque import new_link_token
from carrel.auth.records import Account, Link, OpenInvitation
from carrel.auth.repository_members import InvitationRows, MemberRows, Standings
from carrel.auth.repository_users import LinkRows, UserRows
from carrel.auth.schemas_users import (
    Acceptance,
    Device,
    InvitationId,
    MailSent,
    Registration,
    SignedIn,
    UserId,
    Verification,
)
from carrel.auth.second_step import Threshold, settled
from carrel.core.clock import now
from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Executor
from carrel.tenants.service import Organizations, require_many

LINK_LIFE = timedelta(hours=24)
LONGEST_STEM = 40


@dataclass(frozen=True, slots=True)
class Registrations:
    """Makes its own short transactions: a try counts although it fails, and none is open while a hash is computed."""

    desk: Desk
    device: Device

    async def register(self, wanted: Registration) -> SignedIn | MailSent:
        """A new user with an organisation of their own; where mail is sent, once they have read it.

        With mail, the answer is the same for an address that has an account. Raises `RegistrationClosed`,
        `SingleOrganization`, `MailNotConfigured`, `WeakPassword`, `TooManyAttempts`, and without mail `EmailTaken`.
        """
        if self.desk.registration != "open":
            raise closed()
        require_many(multi_tenant=self.desk.multi_tenant)
        self.desk.mailer.require()
        require_strong(wanted.password, wanted.email, wanted.email.partition("@")[0], wanted.organization)
        await self.desk.throttle.take(throttle.of_registrations(self.device.address))
        hashed = await self.desk.passwords.hash(wanted.password)
        if not self.desk.mailer.sends:
            return await self._settle(_account(wanted.email, hashed, wanted.name), wanted.organization, verified=False)
        limits = throttle.of_mails(key_of(wanted.email), self.device.address)
        await self.desk.throttle.take(limits)
        self.desk.background.begin(self._write_to(wanted, hashed), "registration")
        return MailSent()

    async def verify(self, wanted: Verification) -> SignedIn:
        """Make the user whose mail was read, if the password is the one that was chosen.

        The password is asked for, so that nobody who reads the mail makes an account that somebody else has prepared.
        Raises `LinkNotValid`, `InvalidLogin`, `EmailTaken`, `TooManyAttempts`.
        """
        await self.desk.throttle.take(throttle.of_links(self.device.address))
        hashed = digest(wanted.token.encode())
        async with self.desk.transaction() as db:
            link = await LinkRows(db).find(hashed, "registration", now())
        checked = await self.desk.passwords.check(wanted.password, link.password_hash if link else None)
        if link is None or link.email is None or link.password_hash is None or link.organization is None:
            raise link_not_valid()
        if not checked.right:
            raise invalid_login()
        account = _account(link.email, link.password_hash, link.name or "")
        return await self._settle(account, link.organization, verified=True, spent=hashed)

    async def accept(self, wanted: Acceptance) -> SignedIn:
        """Join an organisation by invitation: with the account of the invited address, or a new one.

        Raises `LinkNotValid`, `InvalidLogin`, `WeakPassword`, `RegistrationClosed`, `TooManyAttempts`, and for an
        account with a second factor, which has joined by then, `SecondFactorRequired`.
        """
        await self.desk.throttle.take(throttle.of_links(self.device.address))
        async with self.desk.transaction() as db:
            invitation = await Standings(db).invited(digest(wanted.token.encode()), now())
            account = None if invitation is None else await UserRows(db).by_email(invitation.email_key)
        if invitation is None:
            raise link_not_valid()
        if account is None:
            return await self._join_as_new(invitation, wanted)
        someone = await self.desk.recognise(invitation.email_key, wanted.password, self.device)
        async with self.desk.transaction() as db:
            await self.desk.admit(db, someone)
            joined = await self._join(db, invitation, someone.account.id, now())
            threshold = Threshold(self.desk, self.device)
            outcome = await threshold.cross(db, someone.account.id, someone.password_hash, invitation.tenant)
            await record(db, joined)
        return settled(outcome)

    async def _join_as_new(self, invitation: OpenInvitation, wanted: Acceptance) -> SignedIn:
        if self.desk.registration == "closed":
            raise closed()
        require_strong(wanted.password, invitation.email, invitation.email.partition("@")[0])
        account = _account(invitation.email, await self.desk.passwords.hash(wanted.password), wanted.name)
        async with self.desk.transaction() as db:
            await _add(db, account, now(), verified=True)
            joined = await self._join(db, invitation, account.id, now())
            standing = await standing_of(db, account.id, invitation.tenant)
            begun = await self.desk.sessions.begin(db, standing, self.device)
            await record(db, joined)
            return begun

    async def _join(self, db: Executor, invitation: OpenInvitation, user: UserId, moment: datetime) -> Event:
        if not await InvitationRows(db, invitation.tenant).withdraw(InvitationId(invitation.id)):
            raise link_not_valid()
        await MemberRows(db, invitation.tenant).join(user, invitation.role, moment)
        await UserRows(db).verify(user, moment)
        details = {"invitation": str(invitation.id), "role": invitation.role}
        return Event(invitation.tenant, Action.MEMBER_JOINED, user_subject(user), Target("member", user), details)

    async def _settle(
        self, account: Account, organization: str, *, verified: bool, spent: bytes | None = None
    ) -> SignedIn:
        require_many(multi_tenant=self.desk.multi_tenant)
        moment = now()
        async with self.desk.transaction() as db:
            links = LinkRows(db)
            if spent is not None and not await links.spend(spent, "registration", moment):
                raise link_not_valid()
            await _add(db, account, moment, verified=verified)
            await links.drop(key_of(account.email), "registration")
            home = await Organizations(db).create(organization, slug_of(organization))
            await MemberRows(db, home.id).join(account.id, "owner", moment)
            signed_in = await self.desk.sessions.begin(db, await standing_of(db, account.id), self.device)
            await _record_settled(db, account.id, home.id, verified=verified)
            return signed_in

    async def _write_to(self, wanted: Registration, hashed: str) -> None:
        key, token, moment = key_of(wanted.email), new_link_token(), now()
        async with self.desk.transaction() as db:
            known = await UserRows(db).by_email(key)
            if known is None:
                link = Link(key, wanted.email, hashed, wanted.name, wanted.organization)
                await LinkRows(db).add(digest(token.encode()), "registration", link, moment, moment + LINK_LIFE)
            await LinkRows(db).sweep(moment)
            await record(db, Event(SERVER, Action.REGISTRATION_ASKED, ANONYMOUS, details={"known": known is not None}))
        letters = self.desk.letters
        letter = letters.registration(wanted.email, token) if known is None else letters.registered_already(known.email)
        self.desk.mailer.send_soon(letter)


def slug_of(name: str) -> str:
    """A slug that reads like the name and is surely free, so that nobody learns which names others have."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain)[:LONGEST_STEM].strip("-") or "org"
    return f"{stem}-{random_text(12).lower()}"


def closed() -> RegistrationClosed:
    return RegistrationClosed(
        "This server takes no new users in this way.", hint="Its operator decides that with REGISTRATION."
    )


def link_not_valid() -> LinkNotValid:
    return LinkNotValid("The link was used, has expired, or was replaced.", hint="Ask for a new one.")


def _account(email: str, hashed: str, name: str) -> Account:
    return Account(UserId(uuid7()), email, name, enabled=True, password_hash=hashed)


async def _record_settled(db: Executor, user: UserId, home: TenantId, *, verified: bool) -> None:
    actor, who = user_subject(user), Target("user", user)
    await record(db, Event(home, Action.USER_REGISTERED, actor, who))
    if verified:
        await record(db, Event(home, Action.USER_VERIFIED, actor, who))
    await record(db, Event(SERVER, Action.ORGANIZATION_CREATED, actor, Target("organization", home)))


async def _add(db: Executor, account: Account, moment: datetime, *, verified: bool) -> None:
    if not await UserRows(db).add(account, key_of(account.email), moment, verified=verified):
        raise EmailTaken("An account has this e-mail address.", hint="Log in, or ask for a new password.")
