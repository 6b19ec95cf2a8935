"""The people of an organisation, and those who are invited to it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from pydantic import BaseModel

from carrel.auth.audit import Event, Target, record
from carrel.auth.audit_actions import Action
from carrel.auth.audit_chain import Detail
from carrel.auth.desk import Desk
from carrel.auth.emails import key_of
from carrel.auth.errors_users import AlreadyMember, InvitationNotFound, LastOwner, MemberNotFound, RoleNotHeld
from carrel.auth.keys import digest
from carrel.auth.opaque import new_link_token
from carrel.auth.registration import closed
from carrel.auth.repository_members import InvitationRows, MemberRows
from carrel.auth.roles import OWNER, RoleName, may_give
from carrel.auth.schemas_users import Invitation, InvitationId, Invited, Member, UserId
from carrel.core.clock import now
from carrel.core.ids import uuid7
from carrel.infra.db import Executor
from carrel.infra.mail import Letter
from carrel.infra.web import Caller, Page, Paging
from carrel.tenants.service import Organizations

INVITATION_LIFE = timedelta(days=7)
AfterCommit = Callable[[], Awaitable[tuple[int, BaseModel]]]


@dataclass(frozen=True, slots=True)
class Members:
    """The people of the caller's organisation. `db` is a unit of work of the gate."""

    db: Executor
    desk: Desk
    caller: Caller

    @property
    def _rows(self) -> MemberRows:
        return MemberRows(self.db, self.caller.tenant)

    async def page(self, paging: Paging) -> Page[Member]:
        """The members, who became users last first."""
        after = UserId(UUID(paging.after[0])) if paging.after else None
        found = await self._rows.page(after=after, offset=paging.offset or 0, limit=paging.fetch)
        total = await self._rows.count() if paging.wants_total else None
        return paging.page(found, lambda member: [member.user_id], total=total)

    async def change_role(self, user: UserId, role: RoleName) -> Member:
        """Give a member another role; within 5 s every session has it. Raises `RoleNotHeld`, `LastOwner`."""
        owners = await self._rows.hold_owners()
        member = await self._held(user, owners)
        _require_may_give(self.caller, role, owners)
        if member.role == OWNER and role != OWNER:
            _require_another(owners)
        await self._rows.set_role(user, role)
        details: dict[str, Detail] = {"from": member.role, "to": role}
        changed = Event(
            self.caller.tenant, Action.MEMBER_ROLE_CHANGED, self.caller.subject, Target("member", user), details
        )
        await record(self.db, changed)
        return Member(member.user_id, member.email, member.name, role, member.created_at)

    async def remove(self, user: UserId) -> None:
        """End a membership and its sessions. Raises `MemberNotFound`, `RoleNotHeld`, `LastOwner`."""
        owners = await self._rows.hold_owners()
        member = await self._held(user, owners)
        if member.role == OWNER:
            _require_another(owners)
        await self._rows.remove(user)
        removed = Event(
            self.caller.tenant,
            Action.MEMBER_REMOVED,
            self.caller.subject,
            Target("member", user),
            {"role": member.role},
        )
        await record(self.db, removed)

    async def _held(self, user: UserId, owners: int) -> Member:
        # After the owners, always: two who decide over each other must not wait in a circle.
        member = await self._rows.hold(user)
        if member is None:
            raise MemberNotFound("No member of this organization has this id.", user_id=str(user))
        _require_may_give(self.caller, member.role, owners)
        return member


@dataclass(frozen=True, slots=True)
class Invitations:
    """The open invitations of the caller's organisation. `db` is a unit of work of the gate."""

    db: Executor
    desk: Desk
    caller: Caller
    after_commit: Callable[[AfterCommit], None]

    @property
    def _rows(self) -> InvitationRows:
        return InvitationRows(self.db, self.caller.tenant)

    async def invite(self, wanted: Invited) -> Invitation:
        """Invite somebody by mail, which leaves after the commit; an open invitation to the address is replaced.

        Raises `RegistrationClosed`, `MailNotConfigured`, `RoleNotHeld` or `AlreadyMember`.
        """
        if self.desk.registration == "closed":
            raise closed()
        self.desk.mailer.require()
        key, moment, members = key_of(wanted.email), now(), MemberRows(self.db, self.caller.tenant)
        owners = await members.hold_owners()
        _require_may_give(self.caller, wanted.role, owners)
        if await members.has(key):
            raise AlreadyMember("Somebody with this address is a member.", hint="Change their role instead.")
        if (former := await self._rows.to(key, moment)) is not None:
            _require_may_give(self.caller, former.role, owners)
        token = new_link_token()
        invitation = Invitation(
            id=InvitationId(uuid7()),
            email=wanted.email,
            role=wanted.role,
            created_at=moment,
            expires_at=moment + INVITATION_LIFE,
        )
        await self._rows.put(invitation, key, digest(token.encode()))
        await self._record(Action.MEMBER_INVITED, invitation, replaces=former is not None)
        organization = await Organizations(self.db).by_id(self.caller.tenant)
        letter = self.desk.letters.invitation(wanted.email, token, organization.name, wanted.role)
        self.after_commit(partial(self._send, letter, invitation))
        return invitation

    async def page(self, paging: Paging) -> Page[Invitation]:
        """The invitations that are open, newest first."""
        after, moment = (InvitationId(UUID(paging.after[0])) if paging.after else None), now()
        found = await self._rows.page(moment, after=after, offset=paging.offset or 0, limit=paging.fetch)
        total = await self._rows.count(moment) if paging.wants_total else None
        return paging.page(found, lambda invitation: [invitation.id], total=total)

    async def withdraw(self, invitation: InvitationId) -> None:
        """Make an invitation worthless. Raises `InvitationNotFound`, `RoleNotHeld`."""
        owners = await MemberRows(self.db, self.caller.tenant).hold_owners()
        found = await self._rows.hold(invitation, now())
        if found is None:
            raise InvitationNotFound("No open invitation has this id.", invitation_id=str(invitation))
        _require_may_give(self.caller, found.role, owners)
        await self._rows.withdraw(invitation)
        await self._record(Action.INVITATION_WITHDRAWN, found)

    async def _record(self, action: Action, invitation: Invitation, **more: Detail) -> None:
        details = {"role": invitation.role, "email": invitation.email, **more}
        about = Target("invitation", invitation.id)
        await record(self.db, Event(self.caller.tenant, action, self.caller.subject, about, details))

    async def _send(self, letter: Letter, invitation: Invitation) -> tuple[int, BaseModel]:
        self.desk.mailer.send_soon(letter)
        return 201, invitation


def _require_may_give(caller: Caller, role: RoleName, owners: int) -> None:
    if not may_give(caller.scopes, role, has_owner=owners > 0):
        raise RoleNotHeld(
            f"These credentials cannot make anybody {role}, nor decide over one.",
            hint="Ask an owner of the organization.",
            role=role,
        )


def _require_another(owners: int) -> None:
    if owners < 2:
        raise LastOwner("The organization has no other owner.", hint="Make somebody else an owner first.")
