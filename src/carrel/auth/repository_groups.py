"""All SQL over groups and who is in them. Needs transactions of the gate."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from carrel.auth.schemas_groups import Group, GroupId, GroupMember
from carrel.auth.schemas_users import OwnGroup, UserId
from carrel.core.ids import TenantId
from carrel.infra.db import Executor

SELECT = """
    SELECT g.id, g.name, g.description, (
        SELECT count(*) FROM group_members m WHERE m.tenant_id = g.tenant_id AND m.group_id = g.id
    ) AS member_count, g.created_at
    FROM groups g
    WHERE g.tenant_id = %(tenant)s
"""
GET = f"{SELECT} AND g.id = %(id)s"
PAGE = f"""
    {SELECT} AND (%(after)s::uuid IS NULL OR g.id < %(after)s)
    ORDER BY g.id DESC
    LIMIT %(limit)s OFFSET %(offset)s
"""
COUNT = "SELECT count(*) FROM groups WHERE tenant_id = %(tenant)s"
HOLD = "SELECT id FROM groups WHERE tenant_id = %(tenant)s AND id = %(id)s FOR UPDATE"
ADD = """
    INSERT INTO groups (tenant_id, id, name, description, created_at)
    VALUES (%(tenant)s, %(id)s, %(name)s, %(description)s, %(now)s)
    ON CONFLICT (tenant_id, name) DO NOTHING
"""
CHANGE = """
    UPDATE groups SET name = coalesce(%(name)s, name), description = coalesce(%(description)s, description)
    WHERE tenant_id = %(tenant)s AND id = %(id)s
"""
REMOVE = "DELETE FROM groups WHERE tenant_id = %(tenant)s AND id = %(id)s"

# Held against removal, so that somebody is added to a group only while they belong to the organisation.
HOLD_MEMBER = "SELECT user_id FROM memberships WHERE tenant_id = %(tenant)s AND user_id = %(user)s FOR KEY SHARE"
PUT = """
    INSERT INTO group_members (tenant_id, group_id, user_id, added_at)
    VALUES (%(tenant)s, %(id)s, %(user)s, %(now)s)
    ON CONFLICT (tenant_id, group_id, user_id) DO NOTHING
"""
TAKE = "DELETE FROM group_members WHERE tenant_id = %(tenant)s AND group_id = %(id)s AND user_id = %(user)s"
MEMBERS = """
    SELECT g.user_id, u.email, u.name, m.role, g.added_at
    FROM group_members g
    JOIN memberships m ON m.tenant_id = g.tenant_id AND m.user_id = g.user_id
    JOIN users u ON u.id = g.user_id
    WHERE g.tenant_id = %(tenant)s AND g.group_id = %(id)s AND (%(after)s::uuid IS NULL OR g.user_id < %(after)s)
    ORDER BY g.user_id DESC
    LIMIT %(limit)s OFFSET %(offset)s
"""
COUNT_MEMBERS = "SELECT count(*) FROM group_members WHERE tenant_id = %(tenant)s AND group_id = %(id)s"
OF = """
    SELECT g.id, g.name FROM group_members m JOIN groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id
    WHERE m.tenant_id = %(tenant)s AND m.user_id = %(user)s
    ORDER BY g.name, g.id
"""
KNOWN = """
    SELECT 'group:' || id AS reader FROM groups WHERE tenant_id = %(tenant)s AND id = ANY(%(groups)s::uuid[])
    UNION ALL
    SELECT 'user:' || user_id FROM memberships WHERE tenant_id = %(tenant)s AND user_id = ANY(%(users)s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Known:
    reader: str


@dataclass(frozen=True, slots=True)
class GroupRows:
    """The groups of one organisation."""

    db: Executor
    tenant: TenantId

    async def get(self, group: GroupId) -> Group | None:
        return await self.db.one_or_none(Group, GET, tenant=self.tenant, id=group)

    async def page(self, *, after: GroupId | None, offset: int, limit: int) -> list[Group]:
        """Newest first."""
        return await self.db.all(Group, PAGE, tenant=self.tenant, after=after, offset=offset, limit=limit)

    async def count(self) -> int:
        return int(await self.db.value(COUNT, tenant=self.tenant))

    async def hold(self, group: GroupId) -> bool:
        """Whether it is there; if so, nobody changes it before this transaction ends."""
        return await self.db.value(HOLD, tenant=self.tenant, id=group) is not None

    async def add(self, group: Group) -> bool:
        """Whether it was added; False when its name is taken."""
        told = {"id": group.id, "name": group.name, "description": group.description, "now": group.created_at}
        return await self.db.execute(ADD, tenant=self.tenant, **told) == 1

    async def change(self, group: GroupId, name: str | None, description: str | None) -> None:
        """None: as it is."""
        await self.db.execute(CHANGE, tenant=self.tenant, id=group, name=name, description=description)

    async def remove(self, group: GroupId) -> None:
        await self.db.execute(REMOVE, tenant=self.tenant, id=group)

    async def hold_member(self, user: UserId) -> bool:
        """Whether somebody belongs to the organisation; if so, they do until this transaction ends."""
        return await self.db.value(HOLD_MEMBER, tenant=self.tenant, user=user) is not None

    async def put(self, group: GroupId, user: UserId, moment: datetime) -> bool:
        """Whether somebody was not yet in the group."""
        return await self.db.execute(PUT, tenant=self.tenant, id=group, user=user, now=moment) == 1

    async def take(self, group: GroupId, user: UserId) -> bool:
        """Whether somebody was in the group, and is not any more."""
        return await self.db.execute(TAKE, tenant=self.tenant, id=group, user=user) == 1

    async def members(self, group: GroupId, *, after: UserId | None, offset: int, limit: int) -> list[GroupMember]:
        place = {"after": after, "offset": offset, "limit": limit}
        return await self.db.all(GroupMember, MEMBERS, tenant=self.tenant, id=group, **place)

    async def count_members(self, group: GroupId) -> int:
        return int(await self.db.value(COUNT_MEMBERS, tenant=self.tenant, id=group))

    async def of(self, user: UserId) -> list[OwnGroup]:
        """Those that somebody is in, by name."""
        return await self.db.all(OwnGroup, OF, tenant=self.tenant, user=user)

    async def known(self, groups: Collection[UUID], users: Collection[UUID]) -> set[str]:
        """Which of these are groups and members, as readers."""
        found = await self.db.all(Known, KNOWN, tenant=self.tenant, groups=list(groups), users=list(users))
        return {one.reader for one in found}
