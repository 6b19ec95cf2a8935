"""All SQL over memberships and invitations. Needs transactions of the gate."""

from dataclasses import dataclass
from datetime import datetime

from carrel.auth.records import OpenInvitation, Standing
from carrel.auth.roles import RoleName
from carrel.auth.schemas_users import Invitation, InvitationId, Member, UserId
from carrel.core.ids import TenantId
from carrel.infra.db import Executor

# A person's own organisations: the one that was used last comes first.
STANDINGS = """
    SELECT u.id AS user_id, u.email, u.name, u.tier, u.operator, u.enabled AS user_enabled,
           u.email_verified_at IS NOT NULL AS email_verified, u.created_at,
           m.tenant_id AS tenant, o.name AS organization, o.slug, o.enabled, m.role
    FROM memberships m JOIN users u ON u.id = m.user_id JOIN organizations o ON o.id = m.tenant_id
    WHERE m.user_id = %(user)s AND (%(only)s::uuid IS NULL OR m.tenant_id = %(only)s)
    ORDER BY o.enabled DESC, m.last_used_at DESC NULLS LAST, m.created_at, m.tenant_id
"""
JOIN = """
    INSERT INTO memberships (tenant_id, user_id, role, created_at)
    VALUES (%(tenant)s, %(user)s, %(role)s, %(now)s) ON CONFLICT (tenant_id, user_id) DO NOTHING
"""
NOTE_USE = "UPDATE memberships SET last_used_at = %(now)s WHERE tenant_id = %(tenant)s AND user_id = %(user)s"
MEMBERS = """
    SELECT m.user_id, u.email, u.name, m.role, m.created_at
    FROM memberships m JOIN users u ON u.id = m.user_id
    WHERE m.tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR m.user_id < %(after)s)
    ORDER BY m.user_id DESC
    LIMIT %(limit)s OFFSET %(offset)s
"""
MEMBER = """
    SELECT m.user_id, u.email, u.name, m.role, m.created_at
    FROM memberships m JOIN users u ON u.id = m.user_id
    WHERE m.tenant_id = %(tenant)s AND m.user_id = %(user)s FOR UPDATE OF m
"""
HAS_MEMBER = """
    SELECT EXISTS (SELECT FROM memberships m JOIN users u ON u.id = m.user_id
                   WHERE m.tenant_id = %(tenant)s AND u.email_key = %(key)s)
"""
COUNT_MEMBERS = "SELECT count(*) FROM memberships WHERE tenant_id = %(tenant)s"
# Held in one order, so that two owners who demote each other are decided one after the other.
OWNERS = """
    SELECT count(*) FROM (
        SELECT user_id FROM memberships WHERE tenant_id = %(tenant)s AND role = 'owner' ORDER BY user_id FOR UPDATE
    ) held
"""
SET_ROLE = "UPDATE memberships SET role = %(role)s WHERE tenant_id = %(tenant)s AND user_id = %(user)s"
REMOVE = "DELETE FROM memberships WHERE tenant_id = %(tenant)s AND user_id = %(user)s"

# One invitation to an address at a time: a new one replaces the former, whose link is worthless then.
INVITE = """
    INSERT INTO invitations (tenant_id, id, email, email_key, role, hash, created_at, expires_at)
    VALUES (%(tenant)s, %(id)s, %(email)s, %(key)s, %(role)s, %(hash)s, %(created_at)s, %(expires_at)s)
    ON CONFLICT (tenant_id, email_key) DO UPDATE
        SET id = excluded.id, email = excluded.email, role = excluded.role, hash = excluded.hash,
            created_at = excluded.created_at, expires_at = excluded.expires_at
"""
INVITED_AS = """
    SELECT id, email, role, created_at, expires_at FROM invitations
    WHERE tenant_id = %(tenant)s AND email_key = %(key)s AND expires_at > %(now)s FOR UPDATE
"""
INVITATION = """
    SELECT id, email, role, created_at, expires_at FROM invitations
    WHERE tenant_id = %(tenant)s AND id = %(id)s AND expires_at > %(now)s FOR UPDATE
"""
INVITATIONS = """
    SELECT id, email, role, created_at, expires_at FROM invitations
    WHERE tenant_id = %(tenant)s AND expires_at > %(now)s AND (%(after)s::uuid IS NULL OR id < %(after)s)
    ORDER BY id DESC
    LIMIT %(limit)s OFFSET %(offset)s
"""
COUNT_INVITATIONS = "SELECT count(*) FROM invitations WHERE tenant_id = %(tenant)s AND expires_at > %(now)s"
WITHDRAW = "DELETE FROM invitations WHERE tenant_id = %(tenant)s AND id = %(id)s"
OPEN_INVITATION = """
    SELECT tenant_id AS tenant, id, email, email_key, role FROM invitations
    WHERE hash = %(hash)s AND expires_at > %(now)s
"""


@dataclass(frozen=True, slots=True)
class MemberRows:
    """The people of one organisation."""

    db: Executor
    tenant: TenantId

    async def join(self, user: UserId, role: RoleName, moment: datetime) -> None:
        """Make somebody a member; who is one already stays what they are."""
        await self.db.execute(JOIN, tenant=self.tenant, user=user, role=role, now=moment)

    async def note_use(self, user: UserId, moment: datetime) -> None:
        await self.db.execute(NOTE_USE, tenant=self.tenant, user=user, now=moment)

    async def page(self, *, after: UserId | None, offset: int, limit: int) -> list[Member]:
        return await self.db.all(Member, MEMBERS, tenant=self.tenant, after=after, offset=offset, limit=limit)

    async def count(self) -> int:
        return int(await self.db.value(COUNT_MEMBERS, tenant=self.tenant))

    async def hold(self, user: UserId) -> Member | None:
        """The member, whose role nobody else changes before this transaction ends."""
        return await self.db.one_or_none(Member, MEMBER, tenant=self.tenant, user=user)

    async def has(self, email_key: str) -> bool:
        return bool(await self.db.value(HAS_MEMBER, tenant=self.tenant, key=email_key))

    async def hold_owners(self) -> int:
        """How many owners there are. None of them is lost before this transaction ends, but by itself."""
        return int(await self.db.value(OWNERS, tenant=self.tenant))

    async def set_role(self, user: UserId, role: RoleName) -> None:
        await self.db.execute(SET_ROLE, tenant=self.tenant, user=user, role=role)

    async def remove(self, user: UserId) -> None:
        """End a membership, and every session that it allowed."""
        await self.db.execute(REMOVE, tenant=self.tenant, user=user)


@dataclass(frozen=True, slots=True)
class InvitationRows:
    """The open invitations of one organisation."""

    db: Executor
    tenant: TenantId

    async def put(self, invitation: Invitation, key: str, digest: bytes) -> None:
        values = invitation.model_dump()
        await self.db.execute(INVITE, tenant=self.tenant, key=key, hash=digest, **values)

    async def to(self, key: str, moment: datetime) -> Invitation | None:
        return await self.db.one_or_none(Invitation, INVITED_AS, tenant=self.tenant, key=key, now=moment)

    async def hold(self, invitation: InvitationId, moment: datetime) -> Invitation | None:
        return await self.db.one_or_none(Invitation, INVITATION, tenant=self.tenant, id=invitation, now=moment)

    async def page(self, moment: datetime, *, after: InvitationId | None, offset: int, limit: int) -> list[Invitation]:
        place = {"after": after, "offset": offset, "limit": limit}
        return await self.db.all(Invitation, INVITATIONS, tenant=self.tenant, now=moment, **place)

    async def count(self, moment: datetime) -> int:
        return int(await self.db.value(COUNT_INVITATIONS, tenant=self.tenant, now=moment))

    async def withdraw(self, invitation: InvitationId) -> bool:
        return await self.db.execute(WITHDRAW, tenant=self.tenant, id=invitation) == 1


@dataclass(frozen=True, slots=True)
class Standings:
    """Who belongs where: read before a tenant is chosen."""

    db: Executor

    async def of(self, user: UserId, *, only: TenantId | None = None) -> list[Standing]:
        """The organisations of a person, the one to begin in first."""
        return await self.db.all(Standing, STANDINGS, user=user, only=only)

    async def invited(self, digest: bytes, moment: datetime) -> OpenInvitation | None:
        return await self.db.one_or_none(OpenInvitation, OPEN_INVITATION, hash=digest, now=moment)
