"""People in sessions, who read as themselves and their groups."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.access.conftest import group_of
from tests.house import Home, Organisation, problem, worker_fixture
from tests.isolation.conftest import Person, hired

__all__ = ["worker_fixture"]
pytestmark = pytest.mark.anyio

GROUPS = "/api/organization/groups"
WITHIN = 5.0
"""Seconds after which every server knows what has changed."""


async def ask(home: Home, person: Person, method: str, path: str, **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {person.access_token}"}
    return await home.http.request(method, path, headers=headers, **options)


async def soon(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WITHIN):
        while not await holds():
            await asyncio.sleep(0.1)


async def test_a_member_sees_what_names_them_or_a_group_of_theirs(acme: Organisation, worker: Any):
    lina, omar = await hired(acme, "member", "acme"), await hired(acme, "member", "acme")
    group = await group_of(acme)
    await acme.call("PUT", f"{GROUPS}/{group.removeprefix('group:')}/members/{omar.id}")
    await acme.indexed("The lease is for everybody.")
    hers = await acme.indexed("The lease is for Lina.", readers=[f"user:{lina.id}"])
    theirs = await acme.indexed("The lease is for the group.", readers=[group])

    async def omar_sees_both() -> bool:
        found = await ask(acme.home, omar, "POST", "/api/search", json={"query": "lease"})
        return bool(found.json()["total"] == 2)

    await soon(omar_sees_both)
    for person, hidden in ((lina, theirs), (omar, hers)):
        found = (await ask(acme.home, person, "POST", "/api/search", json={"query": "lease"})).json()
        assert found["total"] == 2
        assert hidden["id"] not in {hit["document_id"] for hit in found["results"]}
        problem(await ask(acme.home, person, "GET", f"/api/documents/{hidden['id']}"), 404)
    assert (await acme.search("lease"))["total"] == 3


async def test_administrators_see_everything_and_keys_what_is_open(acme: Organisation):
    boss, lina = await hired(acme, "admin", "acme"), await hired(acme, "viewer", "acme")
    document = await acme.add(readers=[f"user:{lina.id}"])
    path = f"/api/documents/{document['id']}"

    assert (await ask(acme.home, boss, "GET", path)).status_code == 200
    assert (await ask(acme.home, lina, "GET", path)).status_code == 200
    assert (await acme.call("GET", path, scope="admin")).status_code == 200
    problem(await acme.call("GET", path, scope="read"), 404)


async def test_joining_and_leaving_a_group_counts_within_seconds(acme: Organisation):
    lina, group = await hired(acme, "member", "acme"), await group_of(acme)
    document = await acme.add(readers=[group])
    place = f"{GROUPS}/{group.removeprefix('group:')}"

    async def sees() -> bool:
        return (await ask(acme.home, lina, "GET", f"/api/documents/{document['id']}")).status_code == 200

    async def sees_not() -> bool:
        return not await sees()

    assert await sees_not()
    assert (await acme.call("PUT", f"{place}/members/{lina.id}")).status_code == 204
    await soon(sees)
    assert (await acme.call("DELETE", f"{place}/members/{lina.id}")).status_code == 204
    await soon(sees_not)
    await acme.call("PUT", f"{place}/members/{lina.id}")
    await soon(sees)
    assert (await acme.call("DELETE", place)).status_code == 204
    await soon(sees_not)


async def test_a_role_that_administers_sees_everything_within_seconds(acme: Organisation):
    lina = await hired(acme, "member", "acme")
    document = await acme.add(readers=[await group_of(acme)])

    async def sees() -> bool:
        return (await ask(acme.home, lina, "GET", f"/api/documents/{document['id']}")).status_code == 200

    assert not await sees()
    await acme.call("PATCH", f"/api/organization/members/{lina.id}", json={"role": "admin"})
    await soon(sees)


async def test_a_member_restricts_a_document_to_themselves(acme: Organisation):
    lina, omar = await hired(acme, "member", "acme"), await hired(acme, "member", "acme")
    body = {"content": "Mine.", "readers": [f"user:{lina.id}"]}

    added = await ask(acme.home, lina, "POST", "/api/documents", json=body)
    taken = await ask(acme.home, omar, "POST", "/api/documents", json=body)

    assert added.status_code == 202, added.text
    assert problem(taken, 422)["code"] == "readers-without-you"
    problem(await ask(acme.home, omar, "GET", f"/api/documents/{added.json()['id']}"), 404)
    problem(await ask(acme.home, omar, "GET", added.headers["location"]), 404)
    assert (await ask(acme.home, lina, "GET", added.headers["location"])).status_code == 200
