"""Users in and out in numbers: all lines of a file or none, unless only some are wanted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from carrel.auth import people_log
from carrel.auth.audit import SYSTEM, Event, record_all
from carrel.auth.desk import require_strong
from carrel.auth.emails import key_of
from carrel.auth.errors_people import UserLineInvalid
from carrel.auth.errors_users import EmailTaken, LastOwner
from carrel.auth.hashing import Passwords
from carrel.auth.records import Account, Known
from carrel.auth.repository_members import MemberRows
from carrel.auth.repository_people import PeopleRows
from carrel.auth.repository_sessions import PersonalSessions
from carrel.auth.repository_users import UserRows
from carrel.auth.roles import OWNER, RoleName
from carrel.auth.schemas_people import Entry, Outcome, Result, UserChange, UserLine
from carrel.auth.schemas_users import UserId
from carrel.core.clock import now
from carrel.core.errors import Problem
from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Database, Executor, Role

USUAL_ROLE: RoleName = "member"
Roles = tuple[RoleName | None, RoleName | None]


@dataclass(frozen=True, slots=True)
class Import:
    """Brings the lines of a file in. Hashes first, so that no transaction is open while it does."""

    database: Database
    passwords: Passwords

    async def run(
        self, entries: Sequence[Entry], *, partial: bool, dry_run: bool, advance: Callable[[], None] = lambda: None
    ) -> list[Result]:
        """What became of each line. One that fails keeps all others out, unless `partial`; `dry_run` keeps all out."""
        hashes: dict[str, str | None] = {}
        prepared = [await self._prepared(entry, hashes, advance) for entry in entries]
        work = self.database.unit(Role.GATE)
        try:
            roll = Roll(work, now())
            results = [await _applied(roll, entry, hashed) for entry, hashed in prepared]
            failed = any(result.outcome == "failed" for result in results)
            counts = not dry_run and (partial or not failed)
            if counts:
                await record_all(work, people_log.summed(results, roll.events))
        except BaseException:
            await work.abandon()
            raise
        await (work.finish() if counts else work.abandon())
        return results

    async def _prepared(
        self, entry: Entry, hashes: dict[str, str | None], advance: Callable[[], None]
    ) -> tuple[Entry, str | None]:
        """The line with the hash that it gives its person; without one where the password stays."""
        advance()
        if entry.line is None:
            return entry, None
        key = key_of(entry.line.email)
        try:
            # Once for each person: two hashes of one password differ.
            if key not in hashes:
                hashes[key] = await self._hash_of(entry.line)
        except Problem as problem:
            return Entry(entry.number, entry.email, error=problem.detail), None
        return entry, hashes[key]

    async def _hash_of(self, line: UserLine) -> str | None:
        if line.password is None:
            return line.password_hash
        async with self.database.transaction(Role.GATE) as db:
            known = await PeopleRows(db).known(key_of(line.email))
        if known is not None and (await self.passwords.check(line.password, known.password_hash)).right:
            return None
        require_strong(line.password, line.email, line.email.partition("@")[0], line.name or "")
        return await self.passwords.hash(line.password)


@dataclass(frozen=True, slots=True)
class Roll:
    """Makes accounts what a line says they are. Refuses before it writes, so that a line leaves all or nothing."""

    db: Executor
    moment: datetime
    events: list[Event] = field(default_factory=list)
    """What was done, for the audit log, which comes last."""

    async def apply(self, line: UserLine, hashed: str | None) -> Outcome:
        """Raises `UserLineInvalid` or `LastOwner`."""
        place = await self._place(line.organization)
        known = await PeopleRows(self.db).hold(key_of(line.email))
        if known is None:
            await self._enter(line, hashed, place)
            return "created"
        former, role = await self._role_to_set(known.id, place, line.role)
        changed = await self._change(known, line, hashed)
        if place is not None and role is not None:
            await self._join(known.id, place, role, former)
        return "changed" if changed or role is not None else "unchanged"

    async def create(self, line: UserLine, hashed: str | None) -> None:
        """Raises `EmailTaken` where `apply` would change somebody."""
        if await PeopleRows(self.db).known(key_of(line.email)) is not None:
            raise EmailTaken("An account has this e-mail address.", hint="Choose another address.")
        await self.apply(line, hashed)
        await record_all(self.db, self.events)

    async def _place(self, slug: str | None) -> TenantId | None:
        if slug is None:
            return None
        found = await PeopleRows(self.db).organization(slug)
        if found is None:
            raise UserLineInvalid(f"No organization has the slug `{slug}`.", hint="Make the organization first.")
        return found

    async def _enter(self, line: UserLine, hashed: str | None, place: TenantId | None) -> None:
        account = Account(UserId(uuid7()), line.email, line.name or "", enabled=True, password_hash=hashed)
        # Whoever runs the server vouches for the address.
        if not await UserRows(self.db).add(account, key_of(line.email), self.moment, verified=True):
            raise UserLineInvalid("Somebody has taken this address a moment ago.", hint="Run the import again.")
        await PeopleRows(self.db).change(account.id, _decided(line))
        self.events.append(people_log.created(account.id, operator=line.operator is True))
        if place is not None:
            await self._join(account.id, place, line.role or USUAL_ROLE)

    async def _role_to_set(self, user: UserId, place: TenantId | None, role: RoleName | None) -> Roles:
        """The role that is there, and the one that shall be there instead, if any. Raises `LastOwner`."""
        if place is None:
            return None, None
        rows = MemberRows(self.db, place)
        owners, member = await rows.hold_owners(), await rows.hold(user)
        if member is None:
            return None, role or USUAL_ROLE
        if role is None or role == member.role:
            return member.role, None
        if member.role == OWNER and owners < 2:
            raise LastOwner("The organization would have no owner.", hint="Make somebody else an owner first.")
        return member.role, role

    async def _change(self, known: Known, line: UserLine, hashed: str | None) -> bool:
        people, new_password = PeopleRows(self.db), hashed is not None and hashed != known.password_hash
        wanted = line.model_dump(include={"name", "tier", "operator", "enabled"}, exclude_none=True)
        differs = {name for name, value in wanted.items() if value != getattr(known, name)}
        if differs:
            await people.change(known.id, _decided(line))
            await people.rename(known.id, known.name if line.name is None else line.name)
        if new_password and hashed is not None:
            await people.set_password(known.id, hashed)
        if new_password or (line.enabled is False and known.enabled):
            await PersonalSessions(self.db, known.id).revoke_all(self.moment)
        changed = differs | ({"password"} if new_password else set())
        if changed:
            self.events.append(people_log.changed(SYSTEM, known.id, changed, wanted))
        return bool(changed)

    async def _join(self, user: UserId, place: TenantId, role: RoleName, former: RoleName | None = None) -> None:
        rows = MemberRows(self.db, place)
        await rows.join(user, role, self.moment)
        await rows.set_role(user, role)
        if former is None:
            self.events.append(people_log.joined(place, user, role))
        else:
            self.events.append(people_log.role_changed(place, user, former, role))


async def _applied(roll: Roll, entry: Entry, hashed: str | None) -> Result:
    if entry.line is None:
        return Result(entry.number, entry.email, "failed", entry.error or "")
    try:
        return Result(entry.number, entry.email, await roll.apply(entry.line, hashed))
    except (UserLineInvalid, LastOwner) as problem:
        return Result(entry.number, entry.email, "failed", problem.detail)


def _decided(line: UserLine) -> UserChange:
    return UserChange(tier=line.tier, enabled=line.enabled, operator=line.operator)
