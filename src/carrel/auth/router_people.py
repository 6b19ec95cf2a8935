"""The people of all organisations over HTTP, for operators."""

from typing import Annotated

from fastapi import Query

from carrel.auth.people import People
from carrel.auth.schemas_people import UserChange, UserFilter, UserRecord
from carrel.auth.schemas_users import UserId
from carrel.infra.web import Page, Paged, Router, provided, requires

router = Router(prefix="/api/admin/users", tags=["operators"])

Everybody = Annotated[People, provided(People)]


@router.get("", operation_id="list_users", dependencies=[requires("operator")])
async def list_users(paging: Paged, wanted: Annotated[UserFilter, Query()], people: Everybody) -> Page[UserRecord]:
    """Everybody who has an account on this server, who came last first. All given filters must fit."""
    return await people.page(paging, wanted)


@router.patch("/{user_id}", operation_id="change_user", dependencies=[requires("operator")])
async def change_user(user_id: UserId, wanted: UserChange, people: Everybody) -> UserRecord:
    """Change somebody's tier, make or unmake an operator, disable or enable an account.

    Disabling ends all sessions of the account: within 5 seconds no server accepts them any more.
    """
    return await people.change(user_id, wanted)
