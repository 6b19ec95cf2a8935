"""The people of an organisation over HTTP."""

from typing import Annotated

from carrel.auth.members import Invitations, Members
from carrel.auth.schemas_users import Invitation, InvitationId, Invited, Member, RoleChange, UserId
from carrel.infra.web import Page, Paged, Router, provided, requires

router = Router(prefix="/api/organization", tags=["organization"])

People = Annotated[Members, provided(Members)]
Guests = Annotated[Invitations, provided(Invitations)]


@router.get("/members", operation_id="list_members", dependencies=[requires("admin")])
async def list_members(paging: Paged, people: People) -> Page[Member]:
    """The members of your organization and their roles."""
    return await people.page(paging)


@router.patch("/members/{user_id}", operation_id="change_role", dependencies=[requires("admin")])
async def change_role(user_id: UserId, wanted: RoleChange, people: People) -> Member:
    """Give a member another role, at most your own. An organization keeps at least one owner.

    Within 5 seconds all sessions of the member have the new role.
    """
    return await people.change_role(user_id, wanted.role)


@router.delete("/members/{user_id}", operation_id="remove_member", status_code=204, dependencies=[requires("admin")])
async def remove_member(user_id: UserId, people: People) -> None:
    """End a membership, and the member's sessions here. The account itself stays."""
    await people.remove(user_id)


@router.get("/invitations", operation_id="list_invitations", dependencies=[requires("admin")])
async def list_invitations(paging: Paged, guests: Guests) -> Page[Invitation]:
    """The invitations that nobody has accepted yet, newest first."""
    return await guests.page(paging)


@router.post("/invitations", operation_id="invite", status_code=201, dependencies=[requires("admin")])
async def invite(wanted: Invited, guests: Guests) -> Invitation:
    """Invite somebody by mail, with a role that is at most your own. It replaces an open one to the same address."""
    return await guests.invite(wanted)


@router.delete(
    "/invitations/{invitation_id}",
    operation_id="withdraw_invitation",
    status_code=204,
    dependencies=[requires("admin")],
)
async def withdraw_invitation(invitation_id: InvitationId, guests: Guests) -> None:
    """Make an open invitation worthless."""
    await guests.withdraw(invitation_id)
