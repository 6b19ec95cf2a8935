"""Everybody who has an account, as the operators of the server look after them."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from carrel.auth import people_log
from carrel.auth.audit import SERVER, Event, Target, record, record_of_person
from carrel.auth.audit_actions import Action
from carrel.auth.audit_chain import Detail
from carrel.auth.emails import key_of
from carrel.auth.errors_people import UserNotFound
from carrel.auth.keys import digest
from carrel.auth.opaque import new_link_token
from carrel.auth.people_log import DECIDED
from carrel.auth.records import FoundUser, Link
from carrel.auth.repository_factors import FactorRows
from carrel.auth.repository_people import PeopleRows
from carrel.auth.repository_sessions import PersonalSessions
from carrel.auth.repository_users import LinkRows, UserRows
from carrel.auth.schemas_people import UserChange, UserFilter, UserRecord
from carrel.auth.schemas_users import UserId
from carrel.core.clock import now
from carrel.infra.db import Executor
from carrel.infra.web import Page, Paging

LINK_LIFE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class People:
    """All users. `db` is a unit of work of the gate."""

    db: Executor
    actor: str
    """Who asks, as the audit log names them."""

    async def page(self, paging: Paging, wanted: UserFilter) -> Page[UserRecord]:
        """The users, who came last first."""
        rows = PeopleRows(self.db)
        after = UserId(UUID(paging.after[0])) if paging.after else None
        found = await rows.page(wanted, after=after, offset=paging.offset or 0, limit=paging.fetch)
        total = await rows.count(wanted) if paging.wants_total else None
        return paging.page([one.record for one in found], lambda user: [user.id], total=total)

    async def change(self, user: UserId, wanted: UserChange) -> UserRecord:
        """Change what an operator decides. Disabling ends all sessions within 5 s. Raises `UserNotFound`."""
        rows = PeopleRows(self.db)
        if await UserRows(self.db).hold_by_id(user) is None:
            raise _not_found(user_id=str(user))
        before = _found(await rows.by_id(user))
        await rows.change(user, wanted)
        if wanted.enabled is False:
            await PersonalSessions(self.db, user).revoke_all(now())
        after = _found(await rows.by_id(user))
        if changed := _changes(before, after):
            await record(self.db, people_log.changed(self.actor, user, changed, changed))
        return after.record

    async def by_email(self, email: str) -> UserRecord:
        """The account with this address. Raises `UserNotFound`."""
        return _found(await PeopleRows(self.db).by_key(key_of(email))).record

    async def forget_factor(self, user: UserId) -> None:
        """Take a second factor out of force, for somebody who has lost it and all recovery codes."""
        if await FactorRows(self.db, user).remove():
            forgotten = Event(SERVER, Action.SECOND_FACTOR_FORGOTTEN, self.actor, Target("user", user))
            await record_of_person(self.db, user, forgotten)

    async def all(self, wanted: UserFilter) -> list[UserRecord]:
        """Every user who fits, who came last first."""
        count = await PeopleRows(self.db).count(wanted)
        found = await PeopleRows(self.db).page(wanted, after=None, offset=0, limit=count)
        return [one.record for one in found]

    async def link(self, email: str) -> str:
        """The token of a link by which whoever gets it chooses the password. It is good once, for 24 hours."""
        token, moment, links = new_link_token(), now(), LinkRows(self.db)
        await links.add(digest(token.encode()), "reset", Link(key_of(email)), moment, moment + LINK_LIFE)
        return token


def _changes(before: FoundUser, after: FoundUser) -> dict[str, Detail]:
    """What an operator has changed, as it is now."""
    return {name: getattr(after, name) for name in DECIDED if getattr(before, name) != getattr(after, name)}


def _found(user: FoundUser | None) -> FoundUser:
    if user is None:
        raise _not_found()
    return user


def _not_found(**facts: str) -> UserNotFound:
    return UserNotFound(
        "Nobody has an account like that.",
        hint="List the accounts with GET /api/admin/users or `carrel users list`.",
        **facts,
    )
