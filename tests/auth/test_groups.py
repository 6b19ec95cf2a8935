import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from carrel.auth import reaching
from carrel.auth.directory import Directory
from carrel.auth.roles import ROLES, scopes_of
from carrel.core.access import EVERYTHING
from carrel.core.ids import TenantId
from tests.auth.town import Citizen
from tests.house import problem

pytestmark = pytest.mark.anyio
GROUPS = "/api/organization/groups"


async def group_of(boss: Citizen, name: str = "Law") -> str:
    answer = await boss.call("POST", GROUPS, json={"name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


class TestMaking:
    async def test_shows_it_in_its_exact_shape(self, town):
        boss = await town.register()

        answer = await boss.call("POST", GROUPS, json={"name": " Law ", "description": "Those with robes."})

        shown = answer.json()
        wanted = {"name": "Law", "description": "Those with robes.", "member_count": 0}
        assert (answer.status_code, shown) == (201, {**wanted, "id": shown["id"], "created_at": shown["created_at"]})
        assert await boss.get(f"{GROUPS}/{shown['id']}") == shown

    @pytest.mark.parametrize(
        "body",
        [
            {}, {"name": ""}, {"name": "  "}, {"name": "x" * 101}, {"name": "a\nb"}, {"name": "a\u202eb"},
            {"name": "a", "description": "x" * 1001}, {"name": "a", "description": "a\0"}, {"name": None},
            {"name": "a", "id": str(uuid4())}, {"name": "a", "tenant_id": str(uuid4())}, {"name": "a", "members": []},
        ],
    )  # fmt: skip
    async def test_refuses_what_it_cannot_keep(self, town, body):
        boss = await town.register()

        problem(await boss.call("POST", GROUPS, json=body), 422)

        assert (await boss.get(GROUPS))["data"] == []

    async def test_a_name_is_taken_once_in_an_organisation(self, town):
        boss, other = await town.register(), await town.register()
        first, second = await group_of(boss), await group_of(boss, "Art")

        again = await boss.call("POST", GROUPS, json={"name": "Law"})
        renamed = await boss.call("PATCH", f"{GROUPS}/{second}", json={"name": "Law"})

        assert [problem(one, 409)["code"] for one in (again, renamed)] == ["group-name-taken"] * 2
        assert {one["id"] for one in (await boss.get(GROUPS))["data"]} == {first, second}
        await group_of(other)

    async def test_one_of_many_at_once_gets_the_name(self, town):
        boss = await town.register()

        answers = await asyncio.gather(*(boss.call("POST", GROUPS, json={"name": "Law"}) for _ in range(6)))

        assert sorted(answer.status_code for answer in answers) == [201, *[409] * 5]

    @pytest.mark.parametrize("role", ["viewer", "member"])
    async def test_is_for_administrators(self, town, role):
        boss = await town.register()
        group = await group_of(boss)
        lina = await town.hired(boss, role)

        for method, path in [
            ("GET", GROUPS), ("POST", GROUPS), ("GET", f"{GROUPS}/{group}"), ("PATCH", f"{GROUPS}/{group}"),
            ("DELETE", f"{GROUPS}/{group}"), ("PUT", f"{GROUPS}/{group}/members/{lina.id}"),
        ]:  # fmt: skip
            options: dict[str, Any] = {"json": {"name": "Mine"}} if method in {"POST", "PATCH"} else {}
            assert problem(await lina.call(method, path, **options), 403)["code"] == "forbidden"


class TestChanging:
    async def test_changes_what_is_given_and_keeps_the_rest(self, town):
        boss = await town.register()
        path = f"{GROUPS}/{await group_of(boss)}"
        before = await boss.get(path)

        first = (await boss.call("PATCH", path, json={"description": "New."})).json()
        second = (await boss.call("PATCH", path, json={"name": "Art"})).json()
        third = (await boss.call("PATCH", path, json={})).json()

        assert first == before | {"description": "New."}
        assert second == third == first | {"name": "Art"}

    @pytest.mark.parametrize("body", [{"name": None}, {"name": ""}, {"id": str(uuid4())}, {"description": None}])
    async def test_refuses_what_it_cannot_keep(self, town, body):
        boss = await town.register()

        problem(await boss.call("PATCH", f"{GROUPS}/{await group_of(boss)}", json=body), 422)

    async def test_removes_it_with_its_memberships(self, town):
        boss = await town.register()
        path = f"{GROUPS}/{await group_of(boss)}"
        await boss.call("PUT", f"{path}/members/{boss.id}")

        assert (await boss.call("DELETE", path)).status_code == 204
        for method in ("GET", "DELETE"):
            assert problem(await boss.call(method, path), 404)["code"] == "group-not-found"
        assert (await boss.get("/api/auth/me"))["groups"] == []

    async def test_lists_them_page_by_page(self, town):
        boss = await town.register()
        made = [await group_of(boss, f"Group {number}") for number in range(3)]

        first = await boss.get(GROUPS, limit=2)
        second = await boss.get(GROUPS, limit=2, cursor=first["next_cursor"])
        counted = await boss.get(GROUPS, offset=1)

        assert [one["id"] for one in first["data"] + second["data"]] == made[::-1]
        assert (counted["total"], [one["id"] for one in counted["data"]]) == (3, made[1::-1])


class TestMembers:
    async def test_are_let_in_listed_and_taken_out(self, town):
        boss = await town.register()
        lina = await town.hired(boss, "member")
        group = await group_of(boss)
        path = f"{GROUPS}/{group}/members"

        for _ in range(2):
            assert (await boss.call("PUT", f"{path}/{lina.id}")).status_code == 204
        page = await boss.get(path, offset=0)

        [shown] = page["data"]
        assert (page["total"], shown["user_id"], shown["email"], shown["role"]) == (1, lina.id, lina.email, "member")
        assert (await boss.get(f"{GROUPS}/{group}"))["member_count"] == 1
        assert (await lina.get("/api/auth/me"))["groups"] == [{"id": group, "name": "Law"}]
        assert (await boss.call("DELETE", f"{path}/{lina.id}")).status_code == 204
        assert problem(await boss.call("DELETE", f"{path}/{lina.id}"), 404)["code"] == "member-not-found"
        assert (await lina.get("/api/auth/me"))["groups"] == []

    async def test_are_members_of_the_organisation(self, town):
        boss, stranger = await town.register(), await town.register()
        group = await group_of(boss)

        for user in (stranger.id, str(uuid4())):
            answer = await boss.call("PUT", f"{GROUPS}/{group}/members/{user}")
            assert problem(answer, 404)["code"] == "member-not-found"
        foreign = await stranger.call("PUT", f"{GROUPS}/{group}/members/{stranger.id}")
        assert problem(foreign, 404)["code"] == "group-not-found"

    async def test_who_leaves_the_organisation_leaves_its_groups(self, town):
        boss = await town.register()
        lina = await town.hired(boss, "member")
        group = await group_of(boss)
        await boss.call("PUT", f"{GROUPS}/{group}/members/{lina.id}")

        await boss.call("DELETE", f"/api/organization/members/{lina.id}")

        assert (await boss.get(f"{GROUPS}/{group}/members"))["data"] == []
        assert (await boss.get(f"{GROUPS}/{group}"))["member_count"] == 0


class TestReaching:
    async def test_a_session_reads_as_its_person_and_groups(self, town):
        boss = await town.register()
        lina = await town.hired(boss, "member")
        group = await group_of(boss)
        await boss.call("PUT", f"{GROUPS}/{group}/members/{lina.id}")

        caller = await town.authenticator.caller_with(lina.tokens["access_token"].encode())

        assert caller.access.readers == {f"user:{lina.id}", f"group:{group}"}
        assert not caller.access.is_narrowed

    async def test_groups_of_one_organisation_count_in_no_other(self, town):
        boss, other = await town.register(), await town.register(organization="Other")
        invited = await other.call("POST", "/api/organization/invitations", json={"email": boss.email})
        assert invited.status_code == 201
        joined = await town.post("/api/auth/invitations/accept", {"token": town.token(), "password": boss.password})
        group = await group_of(boss)
        await boss.call("PUT", f"{GROUPS}/{group}/members/{boss.id}")

        caller = await town.authenticator.caller_with(joined.json()["access_token"].encode())

        assert caller.access.readers == {f"user:{boss.id}"}

    async def test_a_key_reads_what_is_open_unless_it_administers(self, town):
        boss = await town.register()
        tenant = TenantId(UUID(boss.organization))

        reached = [
            (await town.authenticator.caller_with((await town.key(tenant, *scopes))["X-API-Key"].encode())).access
            for scopes in (("read", "write", "search"), ("admin",))
        ]

        assert reached[0].readers == frozenset()
        assert reached[1] == EVERYTHING

    @pytest.mark.parametrize("role", sorted(ROLES))
    def test_who_administers_sees_everything(self, role):
        user = uuid4()

        access = reaching.of_person(scopes_of(role, operator=True), user, [])

        assert access.readers == (None if role in {"admin", "owner"} else {f"user:{user}"})


async def test_the_directory_knows_groups_and_members_of_one_organisation(town):
    boss, stranger = await town.register(), await town.register()
    group, foreign = await group_of(boss), await group_of(stranger)
    directory = Directory(town.database, TenantId(UUID(boss.organization)))
    known = {f"group:{group}", f"user:{boss.id}"}
    unknown = {
        f"group:{foreign}", f"user:{stranger.id}", f"user:{group}", f"group:{boss.id}", f"user:{uuid4()}",
    }  # fmt: skip

    assert await directory.unknown(known | unknown) == unknown
    assert await directory.unknown(known) == set()
