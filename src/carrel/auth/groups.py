"""Groups of people. A document that is restricted names them as its readers."""

from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID

import psycopg

from carrel.auth.audit import Event, Target, record
from carrel.auth.audit_actions import Action
from carrel.auth.audit_chain import Detail
from carrel.auth.errors_users import GroupNameTaken, GroupNotFound, MemberNotFound
from carrel.auth.repository_groups import GroupRows
from carrel.auth.schemas_groups import Group, GroupChange, GroupId, GroupMember, NewGroup
from carrel.auth.schemas_users import UserId
from carrel.core.clock import now
from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Executor
from carrel.infra.web import Page, Paging


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of one organisation. `db` is a unit of work of the gate.

    Who is in a group counts everywhere within 5 s: servers remember for 2 s whom they have just seen.
    """

    db: Executor
    tenant: TenantId
    actor: str
    """Who asks, as the audit log names them."""

    @property
    def _rows(self) -> GroupRows:
        return GroupRows(self.db, self.tenant)

    async def page(self, paging: Paging) -> Page[Group]:
        """Newest first."""
        after = GroupId(UUID(paging.after[0])) if paging.after else None
        found = await self._rows.page(after=after, offset=paging.offset or 0, limit=paging.fetch)
        total = await self._rows.count() if paging.wants_total else None
        return paging.page(found, lambda group: [group.id], total=total)

    async def get(self, group: GroupId) -> Group:
        """Raises `GroupNotFound`."""
        found = await self._rows.get(group)
        if found is None:
            raise _not_found(group)
        return found

    async def create(self, wanted: NewGroup) -> Group:
        """Raises `GroupNameTaken`."""
        group = Group(GroupId(uuid7()), wanted.name, wanted.description, 0, now())
        if not await self._rows.add(group):
            _refuse_name(wanted.name)
        await self._record(Action.GROUP_CREATED, group.id, name=group.name)
        return group

    async def change(self, group: GroupId, wanted: GroupChange) -> Group:
        """Raises `GroupNotFound`, `GroupNameTaken`."""
        await self._hold(group)
        before = await self.get(group)
        given = wanted.model_dump(exclude_unset=True)
        try:
            await self._rows.change(group, given.get("name"), given.get("description"))
        except psycopg.errors.UniqueViolation:
            _refuse_name(wanted.name)
        after = await self.get(group)
        changed = [name for name in ("name", "description") if getattr(before, name) != getattr(after, name)]
        if changed:
            await self._record(Action.GROUP_CHANGED, group, name=after.name, changed=changed)
        return after

    async def remove(self, group: GroupId) -> None:
        """Remove a group. What names it as a reader goes on doing so, and lets nobody in by that."""
        await self._hold(group)
        await self._rows.remove(group)
        await self._record(Action.GROUP_REMOVED, group)

    async def members(self, group: GroupId, paging: Paging) -> Page[GroupMember]:
        """Who is in it. Raises `GroupNotFound`."""
        await self.get(group)
        after = UserId(UUID(paging.after[0])) if paging.after else None
        found = await self._rows.members(group, after=after, offset=paging.offset or 0, limit=paging.fetch)
        total = await self._rows.count_members(group) if paging.wants_total else None
        return paging.page(found, lambda member: [member.user_id], total=total)

    async def add(self, group: GroupId, user: UserId) -> None:
        """Let a member of the organisation into a group; who is in it stays. Raises `GroupNotFound`, `MemberNotFound`.

        They leave it by themselves when they leave the organisation.
        """
        await self._hold(group)
        if not await self._rows.hold_member(user):
            raise MemberNotFound("No member of this organization has this id.", user_id=str(user))
        if await self._rows.put(group, user, now()):
            await self._record(Action.GROUP_MEMBER_ADDED, group, user=str(user))

    async def take(self, group: GroupId, user: UserId) -> None:
        """Take somebody out of a group. Raises `GroupNotFound`, `MemberNotFound`."""
        await self._hold(group)
        if not await self._rows.take(group, user):
            raise MemberNotFound("No member of this group has this id.", user_id=str(user))
        await self._record(Action.GROUP_MEMBER_REMOVED, group, user=str(user))

    async def _hold(self, group: GroupId) -> None:
        if not await self._rows.hold(group):
            raise _not_found(group)

    async def _record(self, action: Action, group: GroupId, **details: Detail) -> None:
        await record(self.db, Event(self.tenant, action, self.actor, Target("group", group), details))


def _not_found(group: GroupId) -> GroupNotFound:
    return GroupNotFound(
        "No group of this organization has this id.",
        hint="GET /api/organization/groups lists them.",
        group_id=str(group),
    )


def _refuse_name(name: str) -> NoReturn:
    raise GroupNameTaken("Another group has this name.", hint="Choose another name.", name=name)
