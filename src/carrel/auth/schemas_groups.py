"""Groups of people, as administrators send and see them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, NewType
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from carrel.auth.roles import RoleName
from carrel.auth.schemas_users import Body, UserId
from carrel.core.text import plain_name

GroupId = NewType("GroupId", UUID)

GroupTitle = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    Field(examples=["Law"]),
    AfterValidator(plain_name),
]
GroupAbout = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]


class NewGroup(Body):
    """People who may see the same restricted documents."""

    name: GroupTitle
    description: GroupAbout = ""


class GroupChange(Body):
    """What shall be different; what is left out stays."""

    name: GroupTitle = ""
    description: GroupAbout = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A group, and how many people are in it. Documents name it as `group:<id>`."""

    id: GroupId
    name: str
    description: str
    member_count: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GroupMember:
    """Somebody in a group."""

    user_id: UserId
    email: str
    name: str
    role: RoleName
    added_at: datetime
