import asyncio
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.core.access import Access
from carrel.documents.collections import slug_of
from carrel.documents.schemas_access import NewCollection
from tests.access.conftest import NOBODY, View, Window, group_of, made
from tests.house import Organisation, problem

pytestmark = pytest.mark.anyio

PATH = "/api/collections"


@pytest.fixture(name="view")
def view_fixture(acme: Organisation, window: Window) -> View:
    return window.of(acme.tenant, NOBODY)


class TestMaking:
    async def test_shows_it_in_its_exact_shape(self, acme: Organisation):
        group = await group_of(acme)
        body = {
            "name": "  Leases & Rents ", "slug": "leases", "description": "All of them.", "readers": [group],
            "metadata": {"floor": 2},
        }  # fmt: skip

        answer = await acme.call("POST", PATH, json=body)

        shown = answer.json()
        assert answer.status_code == 201
        assert shown == {
            **body, "name": "Leases & Rents", "id": shown["id"], "document_count": 0,
            "created_at": shown["created_at"], "updated_at": shown["created_at"],
        }  # fmt: skip
        for reference in (shown["id"], shown["id"].upper(), "leases"):
            found = await acme.call("GET", f"{PATH}/{reference}")
            assert (found.json(), found.headers["etag"]) == (shown, answer.headers["etag"])

    @pytest.mark.parametrize(
        "body",
        [
            {}, {"name": ""}, {"name": " "}, {"name": "x" * 201}, {"name": "a\u202eb"}, {"name": "a", "slug": ""},
            {"name": "a", "slug": "A"}, {"name": "a", "slug": "a--b"}, {"name": "a", "slug": "-a"},
            {"name": "a", "slug": "a b"}, {"name": "a", "slug": "\u0430"}, {"name": "a", "slug": "x" * 64},
            {"name": "a", "slug": "a\n"}, {"name": "a", "slug": "0" * 32}, {"name": "a", "readers": []},
            {"name": "a", "readers": ["all"]}, {"name": "a", "metadata": []},
            {"name": "a", "metadata": {"a": "x" * 20000}},
            {"name": "a", "id": "1"}, {"name": "a", "tenant_id": "1"}, {"name": "a", "document_count": 9},
            {"name": "a", "created_at": "2020-01-01T00:00:00Z"}, {"name": "a", "description": "x" * 2001},
        ],
    )  # fmt: skip
    async def test_refuses_what_it_cannot_keep(self, acme: Organisation, body: Any):
        problem(await acme.call("POST", PATH, json=body), 422)

        assert (await acme.get(PATH))["data"] == []

    async def test_a_slug_is_taken_once(self, acme: Organisation):
        await made(acme, PATH, name="Leases")

        answer = problem(await acme.call("POST", PATH, json={"name": "leases"}), 409)

        assert (answer["code"], answer["slug"]) == ("collection-slug-taken", "leases")
        await made(await acme.home.organisation("Other"), PATH, name="Leases")

    async def test_one_of_many_at_once_gets_the_slug(self, acme: Organisation):
        answers = await asyncio.gather(*(acme.call("POST", PATH, json={"name": "Leases"}) for _ in range(8)))

        assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]

    async def test_who_reads_stays_among_the_readers(self, acme: Organisation, view: View):
        body = {"name": "Leases", "readers": [await group_of(acme)]}

        answer = problem(await view.call("POST", PATH, json=body), 422)

        assert answer["code"] == "readers-without-you"

    async def test_narrowed_credentials_change_no_collections(self, acme: Organisation, window: Window):
        place = await made(acme, PATH, name="Leases")
        document = await acme.add(tags=["red"], collection="leases")
        reached = [
            Access(tags=(frozenset({"red"}),)),
            Access(collections=frozenset({UUID(place)})),
            Access(documents=frozenset({UUID(document["id"])})),
        ]

        for access in reached:
            view = window.of(acme.tenant, access)
            assert [one["id"] for one in await view.all(PATH)] == [place]
            for call in [("POST", PATH, {"name": "Mine"}), ("PATCH", f"{PATH}/leases", {"name": "Mine"})]:
                assert problem(await view.call(*call[:2], json=call[2]), 403)["code"] == "out-of-reach"
            assert problem(await view.call("DELETE", f"{PATH}/leases"), 403)["code"] == "out-of-reach"


class TestChanging:
    async def test_changes_what_is_given_and_keeps_the_rest(self, acme: Organisation):
        await made(acme, PATH, name="Leases", metadata={"a": 1})
        shown = await acme.get(f"{PATH}/leases")

        changed = await acme.call("PATCH", f"{PATH}/leases", json={"slug": "rents", "description": "New."})

        assert changed.status_code == 200
        assert changed.json() == shown | {
            "slug": "rents",
            "description": "New.",
            "updated_at": changed.json()["updated_at"],
        }
        problem(await acme.call("GET", f"{PATH}/leases"), 404)
        assert await acme.get(f"{PATH}/rents") == changed.json()

    async def test_honours_if_match(self, acme: Organisation):
        await made(acme, PATH, name="Leases")
        before = (await acme.call("GET", f"{PATH}/leases")).headers["etag"]
        await acme.call("PATCH", f"{PATH}/leases", json={"name": "Rents"})

        late: list[tuple[str, dict[str, Any]]] = [("PATCH", {"json": {"name": "Late"}}), ("DELETE", {})]
        for method, options in late:
            answer = await acme.call(method, f"{PATH}/leases", headers={"if-match": before}, **options)
            assert problem(answer, 412)["code"] == "version-conflict"
        assert (await acme.get(f"{PATH}/leases"))["name"] == "Rents"

    async def test_refuses_a_slug_that_another_has(self, acme: Organisation):
        for name in ("One", "Two"):
            await made(acme, PATH, name=name)

        answer = await acme.call("PATCH", f"{PATH}/one", json={"slug": "two"})

        assert problem(answer, 409)["code"] == "collection-slug-taken"
        assert (await acme.get(f"{PATH}/one"))["slug"] == "one"

    @pytest.mark.parametrize("body", [{"name": None}, {"slug": None}, {"metadata": None}, {"id": "1"}, {"readers": []}])
    async def test_refuses_what_it_does_not_know(self, acme: Organisation, body: Any):
        await made(acme, PATH, name="Leases")

        problem(await acme.call("PATCH", f"{PATH}/leases", json=body), 422)

    async def test_other_readers_count_for_all_its_documents_at_once(
        self, acme: Organisation, window: Window, worker: Any
    ):
        first, second = await group_of(acme), await group_of(acme)
        await made(acme, PATH, name="Leases", readers=[first])
        document = await acme.indexed("The lease ends in May.", collection="leases", readers=[first, second])
        of_first = window.of(acme.tenant, Access(readers=frozenset({first})))
        of_second = window.of(acme.tenant, Access(readers=frozenset({second})))

        for readers, seen in (([first], (1, 0)), ([second], (0, 1)), (None, (1, 1)), ([first], (1, 0))):
            answer = await acme.call("PATCH", f"{PATH}/leases", json={"readers": readers})
            assert answer.status_code == 200
            for view, count in zip((of_first, of_second), seen, strict=True):
                assert (await view.search("lease"))["total"] == len(await view.all("/api/documents")) == count
                status = (await view.call("GET", f"/api/documents/{document['id']}/chunks")).status_code
                assert status == (200 if count else 404)

    async def test_who_is_in_a_group_of_each_sees_a_document_that_both_restrict(
        self, acme: Organisation, window: Window, worker: Any
    ):
        first, second = await group_of(acme), await group_of(acme)
        await made(acme, PATH, name="Leases", readers=[first])
        await acme.indexed("The lease ends in May.", collection="leases", readers=[second])

        found = [
            (await window.of(acme.tenant, Access(readers=frozenset(readers))).search("lease"))["total"]
            for readers in ({first}, {second}, {first, second}, set())
        ]

        assert found == [0, 0, 1, 0]


class TestRemoving:
    async def test_an_empty_one_is_gone(self, acme: Organisation):
        await made(acme, PATH, name="Leases")

        assert (await acme.call("DELETE", f"{PATH}/leases")).status_code == 204
        problem(await acme.call("DELETE", f"{PATH}/leases"), 404)

    @pytest.mark.parametrize("params", [{}, {"move_to": "leases"}])
    async def test_one_with_documents_stays_unless_it_is_said_where_they_go(self, acme: Organisation, params: Any):
        await made(acme, PATH, name="Leases")
        document = await acme.add(collection="leases")

        answer = await acme.call("DELETE", f"{PATH}/leases", params=params)

        assert problem(answer, 409)["code"] == "collection-not-empty"
        assert (await acme.get(f"/api/documents/{document['id']}")) == document

    async def test_its_documents_go_where_they_are_told(self, acme: Organisation, worker: Any):
        for name in ("Leases", "Rents"):
            await made(acme, PATH, name=name)
        document = await acme.indexed("The lease ends in May.", collection="leases")

        answer = await acme.call("DELETE", f"{PATH}/leases", params={"move_to": "rents"})

        place = await acme.get(f"{PATH}/rents")
        assert (answer.status_code, place["document_count"]) == (204, 1)
        assert (await acme.get(f"/api/documents/{document['id']}"))["collection_id"] == place["id"]
        assert (await acme.search("lease", filters={"collection": ["rents"]}))["total"] == 1

    @pytest.mark.parametrize("move_to", ["nowhere", "0" * 32, ""])
    async def test_documents_go_nowhere_else(self, acme: Organisation, move_to: str):
        await made(acme, PATH, name="Leases")
        await acme.add(collection="leases")

        answer = await acme.call("DELETE", f"{PATH}/leases", params={"move_to": move_to})

        problem(answer, 422)
        assert (await acme.get(f"{PATH}/leases"))["document_count"] == 1

    async def test_nobody_moves_what_is_hidden_from_them(self, acme: Organisation, view: View):
        for name in ("Leases", "Rents"):
            await made(acme, PATH, name=name)
        await acme.add(collection="leases", readers=[await group_of(acme)])

        for params in ({}, {"move_to": "rents"}):
            answer = await view.call("DELETE", f"{PATH}/leases", params=params)
            assert problem(answer, 409)["code"] == "collection-not-empty"
        assert (await view.get(f"{PATH}/leases"))["document_count"] == 0
        assert (await acme.get(f"{PATH}/leases"))["document_count"] == 1

    async def test_nothing_is_put_into_one_that_is_just_being_removed(self, acme: Organisation):
        for number in range(6):
            await made(acme, PATH, name=f"Room {number}")
        moved = (await acme.add())["id"]

        async def use(number: int) -> list[int]:
            path, body = f"/api/documents/{moved}", {"collection": f"room-{number}"}
            calls = [
                acme.call("DELETE", f"{PATH}/room-{number}"),
                acme.call("POST", "/api/documents", json={"content": "Mine.", **body}),
                acme.call("PATCH", path, json=body),
            ]
            return [answer.status_code for answer in await asyncio.gather(*calls)]

        statuses = await asyncio.gather(*(use(number) for number in range(6)))

        assert {status for row in statuses for status in row} <= {200, 202, 204, 409, 422}
        places = {one["id"] for one in (await acme.get(PATH))["data"]}
        assert {one["collection_id"] for one in (await acme.get("/api/documents"))["data"]} <= {None, *places}

    async def test_an_organisation_goes_with_its_collections(self, acme: Organisation):
        await made(acme, PATH, name="Leases", readers=[await group_of(acme)])
        await acme.add(collection="leases")

        with psycopg.connect(acme.home.dsn, autocommit=True) as connection:
            connection.execute("DELETE FROM organizations WHERE id = %s", [acme.tenant])

        assert not any(acme.rows()[table] for table in ("collections", "groups", "documents"))


@given(st.text(min_size=1, max_size=200))
def test_every_name_gives_a_slug_that_can_be_asked_for(name: str):
    slug = slug_of(name, uuid4())

    assert NewCollection.model_validate({"name": "Any", "slug": slug}).slug == slug


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Leases & Rents", "leases-rents"), ("Été 2026", "ete-2026"), ("--A--", "a"), ("x" * 99, "x" * 63)],
)
def test_a_slug_reads_like_its_name(name: str, slug: str):
    assert slug_of(name, uuid4()) == slug


@pytest.mark.parametrize("name", ["عقود", "0" * 32, "!!"])
def test_a_name_that_gives_no_slug_takes_the_id(name: str):
    made_id = uuid4()

    assert slug_of(name, made_id) == f"collection-{made_id.hex}"
