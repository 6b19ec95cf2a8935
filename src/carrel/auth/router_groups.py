"""The groups of an organisation over HTTP."""

from typing import Annotated

from carrel.auth.groups import Groups
from carrel.auth.schemas_groups import Group, GroupChange, GroupId, GroupMember, NewGroup
from carrel.auth.schemas_users import UserId
from carrel.infra.web import Page, Paged, Router, provided, requires

router = Router(prefix="/api/organization/groups", tags=["organization"])

Service = Annotated[Groups, provided(Groups)]


@router.get("", operation_id="list_groups", dependencies=[requires("admin")])
async def list_groups(paging: Paged, groups: Service) -> Page[Group]:
    """The groups of your organization, newest first."""
    return await groups.page(paging)


@router.post("", operation_id="create_group", status_code=201, dependencies=[requires("admin")])
async def create_group(wanted: NewGroup, groups: Service) -> Group:
    """Make a group. Documents and collections name it among their readers as `group:<id>`."""
    return await groups.create(wanted)


@router.get("/{group_id}", operation_id="get_group", dependencies=[requires("admin")])
async def get_group(group_id: GroupId, groups: Service) -> Group:
    """One group of people."""
    return await groups.get(group_id)


@router.patch("/{group_id}", operation_id="change_group", dependencies=[requires("admin")])
async def change_group(group_id: GroupId, wanted: GroupChange, groups: Service) -> Group:
    """Change a group's name or description."""
    return await groups.change(group_id, wanted)


@router.delete("/{group_id}", operation_id="delete_group", status_code=204, dependencies=[requires("admin")])
async def delete_group(group_id: GroupId, groups: Service) -> None:
    """Remove a group. Documents that only it may read are then seen by administrators alone."""
    await groups.remove(group_id)


@router.get("/{group_id}/members", operation_id="list_group_members", dependencies=[requires("admin")])
async def list_group_members(group_id: GroupId, paging: Paged, groups: Service) -> Page[GroupMember]:
    """The people in a group."""
    return await groups.members(group_id, paging)


@router.put(
    "/{group_id}/members/{user_id}",
    operation_id="add_group_member",
    status_code=204,
    dependencies=[requires("admin")],
)
async def add_group_member(group_id: GroupId, user_id: UserId, groups: Service) -> None:
    """Let a member of your organization into a group. Within 5 seconds all their sessions see what the group sees."""
    await groups.add(group_id, user_id)


@router.delete(
    "/{group_id}/members/{user_id}",
    operation_id="remove_group_member",
    status_code=204,
    dependencies=[requires("admin")],
)
async def remove_group_member(group_id: GroupId, user_id: UserId, groups: Service) -> None:
    """Take somebody out of a group. Within 5 seconds none of their sessions sees any more what only the group sees."""
    await groups.take(group_id, user_id)
