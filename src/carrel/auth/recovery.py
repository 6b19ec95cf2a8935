"""A new password for somebody who has lost the old one."""

from dataclasses import dataclass
from datetime import timedelta

from carrel.auth import throttle
from carrel.auth.audit import ANONYMOUS, SERVER, Event, Target, record, record_of_person, user_subject
from carrel.auth.audit_actions import Action
from carrel.auth.desk import Desk, require_strong
from carrel.auth.emails import key_of
from carrel.auth.keys import digest
from carrel.auth.opaque import new_link_token
from carrel.auth.records import Account, Link
from carrel.auth.registration import link_not_valid
from carrel.auth.repository_identities import IdentityRows
from carrel.auth.repository_sessions import PersonalSessions
from carrel.auth.repository_users import LinkRows, UserRows
from carrel.auth.schemas_users import Device, ForgottenPassword, MailSent, NewPassword
from carrel.core.clock import now
from carrel.infra.db import Executor

LINK_LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Makes its own short transactions: a try counts although it fails, and none is open while a hash is computed."""

    desk: Desk
    device: Device

    async def forget(self, wanted: ForgottenPassword) -> MailSent:
        """Send a link, if the address has an account. The answer is the same, and as fast, if it has none.

        Raises `MailNotConfigured` or `TooManyAttempts`.
        """
        self.desk.mailer.require()
        key = key_of(wanted.email)
        await self.desk.throttle.take(throttle.of_mails(key, self.device.address))
        self.desk.background.begin(self._write_to(key), "reset")
        return MailSent()

    async def reset(self, wanted: NewPassword) -> None:
        """Set the password anew and end every session. Raises `LinkNotValid`, `WeakPassword`, `TooManyAttempts`."""
        await self.desk.throttle.take(throttle.of_links(self.device.address))
        hashed = digest(wanted.token.encode())
        async with self.desk.transaction() as db:
            link = await LinkRows(db).find(hashed, "reset", now())
        if link is None:
            raise link_not_valid()
        require_strong(wanted.password, link.email_key, link.email_key.partition("@")[0])
        new, moment = await self.desk.passwords.hash(wanted.password), now()
        async with self.desk.transaction() as db:
            links = LinkRows(db)
            spent = await links.spend(hashed, "reset", moment)
            user = await UserRows(db).reset_password(link.email_key, new, moment) if spent else None
            if user is None:
                raise link_not_valid()
            await links.drop(link.email_key, "reset")
            await PersonalSessions(db, user).revoke_all(moment)
            done = Event(SERVER, Action.PASSWORD_RESET, user_subject(user), Target("user", user))
            await record_of_person(db, user, done)

    async def _write_to(self, key: str) -> None:
        token, moment = new_link_token(), now()
        async with self.desk.transaction() as db:
            account, links = await UserRows(db).by_email(key), LinkRows(db)
            reader = account if account is not None and await _may_have_password(db, account) else None
            if reader is not None:
                link = Link(key)
                await links.add(digest(token.encode()), "reset", link, moment, moment + LINK_LIFE)
            await links.sweep(moment)
            about = None if account is None else Target("user", account.id)
            await record(db, Event(SERVER, Action.PASSWORD_RESET_ASKED, ANONYMOUS, about))
        if reader is not None:
            self.desk.mailer.send_soon(self.desk.letters.reset(reader.email, token))


async def _may_have_password(db: Executor, account: Account) -> bool:
    # Who comes by a provider of identities alone would else keep a way in that the provider cannot close.
    has_one = account.password_hash is not None or not await IdentityRows(db).has(account.id)
    return account.enabled and has_one
