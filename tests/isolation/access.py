"""The operations over groups and collections, which say who sees which document."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from tests.isolation.calls import Call, Row
from tests.isolation.conftest import Resident, made


async def own_group(us: Resident) -> str:
    return await made(us.organisation, "/api/organization/groups", name=uuid4().hex)


def of_a_group(method: str, status: int = 200, **options: Any) -> Row:
    async def own(us: Resident) -> Call:
        return Call(method, f"/api/organization/groups/{await own_group(us)}", status, options)

    return Row(own, lambda them: [Call(method, f"/api/organization/groups/{them.group}", 404, options)])


async def own_new_group(us: Resident) -> Call:
    return Call("POST", "/api/organization/groups", 201, {"json": {"name": uuid4().hex}})


async def own_group_members(us: Resident) -> Call:
    return Call("GET", f"/api/organization/groups/{us.group}/members", 200, {"params": {"offset": 0}})


async def own_joining(us: Resident) -> Call:
    return Call("PUT", f"/api/organization/groups/{await own_group(us)}/members/{us.member.id}", 204)


async def own_leaving(us: Resident) -> Call:
    path = f"/api/organization/groups/{await own_group(us)}/members/{us.member.id}"
    await us.organisation.call("PUT", path)
    return Call("DELETE", path, 204)


def foreign_membership(method: str) -> Callable[[Resident], Sequence[Call]]:
    return lambda them: [Call(method, f"/api/organization/groups/{them.group}/members/{them.member.id}", 404)]


async def own_new_collection(us: Resident) -> Call:
    return Call("POST", "/api/collections", 201, {"json": {"name": uuid4().hex}})


def of_a_collection(method: str, status: int = 200, **options: Any) -> Row:
    async def own(us: Resident) -> Call:
        collection = await made(us.organisation, "/api/collections", name=uuid4().hex)
        return Call(method, f"/api/collections/{collection}", status, options)

    def foreign(them: Resident) -> Sequence[Call]:
        return [Call(method, f"/api/collections/{one}", 404, options) for one in (them.collection, f"0-{them.word}")]

    return Row(own, foreign)


ACCESS: dict[str, Row] = {
    "create_group": Row(own_new_group),
    "get_group": of_a_group("GET"),
    "change_group": of_a_group("PATCH", json={"description": "Changed."}),
    "delete_group": of_a_group("DELETE", 204),
    "list_group_members": Row(
        own_group_members, lambda them: [Call("GET", f"/api/organization/groups/{them.group}/members", 404)]
    ),
    "add_group_member": Row(own_joining, foreign_membership("PUT")),
    "remove_group_member": Row(own_leaving, foreign_membership("DELETE")),
    "create_collection": Row(own_new_collection),
    "get_collection": of_a_collection("GET"),
    "change_collection": of_a_collection("PATCH", json={"description": "Changed."}),
    "delete_collection": of_a_collection("DELETE", 204),
}
