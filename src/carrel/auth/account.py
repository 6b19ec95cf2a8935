"""One's own account."""

from dataclasses import dataclass
from uuid import UUID

from carrel.auth.audit import Event, Target, record
from carrel.auth.audit_actions import Action
from carrel.auth.desk import Desk, require_strong, standing_of
from carrel.auth.errors import InvalidCredentials
from carrel.auth.errors_users import SessionNotFound, WrongPassword
from carrel.auth.repository_groups import GroupRows
from carrel.auth.repository_members import Standings
from carrel.auth.repository_sessions import PersonalSessions
from carrel.auth.repository_users import UserRows
from carrel.auth.schemas_users import Device, Person, Place, Profile, Session, SessionId, SignedIn
from carrel.auth.throttle import Limit
from carrel.core.clock import now
from carrel.core.ids import TenantId
from carrel.infra.db import Executor
from carrel.infra.web import Caller, Page, Paging
from carrel.tenants.service import require_many


@dataclass(frozen=True, slots=True)
class Accounts:
    """The account of the person who asks. `db` is a unit of work of the gate."""

    db: Executor
    desk: Desk
    person: Person

    async def profile(self) -> Profile:
        """Who you are, in which organisation, and in which of its groups."""
        standing = await standing_of(self.db, self.person.user, self.person.tenant)
        groups = await GroupRows(self.db, self.person.tenant).of(self.person.user)
        return Profile(standing.user, standing.place, groups)

    async def rename(self, name: str) -> Profile:
        await UserRows(self.db).rename(self.person.user, name)
        return await self.profile()

    async def change_password(self, current: str, new: str) -> None:
        """Change the password and end all other sessions. Raises `WrongPassword`, `WeakPassword`, `TooManyAttempts`."""
        await self.desk.throttle.take([Limit("change", str(self.person.user), 10)])
        # Read beside the unit of work: no transaction is open while hashes are computed.
        async with self.desk.transaction() as db:
            account = await UserRows(db).by_id(self.person.user)
        checked = await self.desk.passwords.check(current, account.password_hash if account else None)
        if account is None or not checked.right:
            raise wrong_password()
        require_strong(new, account.email, account.email.partition("@")[0], account.name)
        hashed = await self.desk.passwords.hash(new)
        if not await UserRows(self.db).change_password(account.id, account.password_hash, hashed):
            raise wrong_password()
        await PersonalSessions(self.db, account.id).revoke_all(now(), kept=self.person.session)
        await self._record(Action.PASSWORD_CHANGED, Target("user", account.id))

    async def sessions(self, paging: Paging) -> Page[Session]:
        """The living sessions, newest first, in all organisations."""
        rows, moment = PersonalSessions(self.db, self.person.user), now()
        after = SessionId(UUID(paging.after[0])) if paging.after else None
        found = await rows.page(self.person.session, moment, after=after, offset=paging.offset or 0, limit=paging.fetch)
        total = await rows.count(moment) if paging.wants_total else None
        return paging.page(found, lambda session: [session.id], total=total)

    async def revoke(self, session: SessionId) -> None:
        """End a session; servers that have just seen it may accept it for 2 more seconds. Raises `SessionNotFound`."""
        if not await PersonalSessions(self.db, self.person.user).revoke(session, now()):
            raise SessionNotFound("The account has no living session with this id.", session_id=str(session))
        await self._record(Action.SESSION_REVOKED, Target("session", session))

    async def logout(self) -> None:
        """End the session that asks. That it has ended meanwhile is no failure."""
        if await PersonalSessions(self.db, self.person.user).revoke(self.person.session, now()):
            await self._record(Action.LOGOUT, Target("session", self.person.session))

    async def organizations(self) -> list[Place]:
        """The organisations that you belong to and that are not disabled, the one used last first."""
        return [one.place for one in await Standings(self.db).of(self.person.user) if one.enabled]

    async def switch(self, organization: TenantId, device: Device) -> SignedIn:
        """A session in another of your organisations, which ends when this one would. Raises `NoOrganization`.

        Raises `SingleOrganization` where there is no other, and `InvalidCredentials` for a session that has ended a
        moment ago: no other must grow out of it.
        """
        require_many(multi_tenant=self.desk.multi_tenant)
        enabled = await UserRows(self.db).hold_enabled(self.person.user)
        end = await PersonalSessions(self.db, self.person.user).expiry(self.person.session, now())
        if not enabled or end is None:
            raise InvalidCredentials("The session has ended.", hint="Log in with POST /api/auth/login.")
        standing = await standing_of(self.db, self.person.user, organization)
        signed_in = await self.desk.sessions.begin(self.db, standing, device, expires_at=end)
        # Into the log of the organisation that is entered. The one that is left must not learn which that is.
        await record(self.db, Event(organization, Action.ORGANIZATION_SWITCHED, self.person.subject))
        return signed_in

    async def _record(self, action: Action, target: Target) -> None:
        await record(self.db, Event(self.person.tenant, action, self.person.subject, target))


def person_of(caller: Caller) -> Person:
    """The person behind the scope `account`, which only sessions hold."""
    if not isinstance(caller, Person):
        raise TypeError("Only a person in a session holds the scope `account`.")
    return caller


def wrong_password() -> WrongPassword:
    return WrongPassword("The present password is another.", hint="Send it as `current_password`.")
