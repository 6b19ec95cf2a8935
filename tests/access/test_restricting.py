"""Saying who sees a document: what may be said, by whom, and that it counts at once."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from carrel.core.access import EVERYTHING, Access
from tests.access.conftest import NOBODY, View, Window, group_of, made
from tests.house import Organisation, eventually, problem

pytestmark = pytest.mark.anyio

DOCUMENTS = "/api/documents"


@pytest.fixture(name="view")
def view_fixture(acme: Organisation, window: Window) -> View:
    return window.of(acme.tenant, NOBODY)


async def code(view: View, method: str, path: str, body: dict[str, Any], *statuses: int) -> str:
    return str(problem(await view.call(method, path, json=body), *statuses)["code"])


class TestAdding:
    async def test_shows_where_a_document_lies_and_who_reads_it(self, acme: Organisation):
        group, place = await group_of(acme), await made(acme, "/api/collections", name="Leases")

        added = await acme.add(collection="leases", readers=[group, group.upper().replace("GROUP", "group")])

        assert (added["collection_id"], added["readers"]) == (place, [group])

    async def test_takes_readers_and_collection_from_a_form(self, acme: Organisation):
        first, second = await group_of(acme), await group_of(acme)
        place = await made(acme, "/api/collections", name="Leases")

        answer = await acme.upload(b"Some text.", readers=f"{first}, {second}", collection=place.upper())

        assert answer.status_code == 202, answer.text
        assert (answer.json()["collection_id"], answer.json()["readers"]) == (place, [first, second])

    async def test_takes_an_empty_field_of_a_form_for_none(self, acme: Organisation):
        answer = await acme.upload(b"Some text.", readers="", collection=" ")

        assert (answer.json()["collection_id"], answer.json()["readers"]) == (None, None)

    @pytest.mark.parametrize(
        "readers",
        [
            [], ["everybody"], ["group:"], ["group:1"], [f"role:{uuid4()}"], [f"group:{uuid4()}"], [f"user:{uuid4()}"],
            [f"Group:{uuid4()}"], "group", [None], [f"group:{number:032x}" for number in range(101)],
        ],
    )  # fmt: skip
    async def test_refuses_readers_that_are_nobody(self, acme: Organisation, readers: Any):
        answer = await acme.call("POST", DOCUMENTS, json={"content": "Mine.", "readers": readers})

        assert problem(answer, 422)["errors"][0]["field"].startswith("body.readers")
        assert (await acme.get(DOCUMENTS))["data"] == []
        assert await acme.home.objects_of(acme.tenant) == []

    @pytest.mark.parametrize("field", [",", "group:1"])
    async def test_refuses_a_form_whose_readers_are_nobody(self, acme: Organisation, field: str):
        problem(await acme.upload(b"Some text.", readers=field), 422)

    async def test_refuses_readers_of_another_organisation(self, acme: Organisation):
        foreign = await group_of(await acme.home.organisation("Other"))

        answer = await acme.call("POST", DOCUMENTS, json={"content": "Mine.", "readers": [foreign]})

        assert problem(answer, 422)["errors"][0]["code"] == "unknown_reader"

    async def test_nobody_adds_what_they_would_not_see(self, acme: Organisation, view: View, window: Window):
        group, other = await group_of(acme), await group_of(acme)
        body = {"content": "Mine.", "readers": [group]}

        assert await code(view, "POST", DOCUMENTS, body, 422) == "readers-without-you"
        outsider = window.of(acme.tenant, Access(readers=frozenset({other})))
        assert await code(outsider, "POST", DOCUMENTS, body, 422) == "readers-without-you"
        insider = window.of(acme.tenant, Access(readers=frozenset({group})))
        assert (await insider.call("POST", DOCUMENTS, json=body)).status_code == 202
        assert await acme.home.objects_of(acme.tenant) != []

    async def test_narrowed_credentials_add_what_they_reach(self, acme: Organisation, window: Window):
        place, other = [UUID(await made(acme, "/api/collections", name=name)) for name in ("One", "Two")]
        tagged = window.of(acme.tenant, Access(tags=(frozenset({"red", "blue"}),)))
        placed = window.of(acme.tenant, Access(collections=frozenset({place})))
        known = window.of(acme.tenant, Access(documents=frozenset({uuid4()})))

        refused: list[tuple[View, dict[str, Any]]] = [(one, {}) for one in (tagged, placed, known)]
        taken: list[tuple[View, dict[str, Any]]] = [
            (tagged, {"tags": ["green", "red"]}), (placed, {"collection": "one"}),
        ]  # fmt: skip
        for view, labels in [*refused, (tagged, {"tags": ["green"]})]:
            assert await code(view, "POST", DOCUMENTS, {"content": "Mine.", **labels}, 403) == "out-of-reach"
        assert await code(placed, "POST", DOCUMENTS, {"content": "x", "collection": str(other)}, 422)
        for view, labels in taken:
            assert (await view.call("POST", DOCUMENTS, json={"content": "Mine.", **labels})).status_code == 202
        assert len(await acme.home.objects_of(acme.tenant)) == 2

    async def test_who_adds_a_document_can_wait_for_it_and_follow_its_job(
        self, acme: Organisation, view: View, worker: Any
    ):
        answer = await view.call("POST", DOCUMENTS, json={"content": "Mine."}, params={"wait": 30})

        assert (answer.status_code, answer.json()["status"]) == (200, "indexed")
        assert (await view.call("GET", answer.headers["location"])).status_code == 200


class TestChanging:
    async def test_changes_what_is_given_and_keeps_the_rest(self, acme: Organisation):
        group, place = await group_of(acme), await made(acme, "/api/collections", name="Leases")
        shown = await acme.add(tags=["a"], metadata={"one": 1}, title="Title")

        first = await patched(acme, shown["id"], tags=["b", "c"], collection="leases")
        second = await patched(acme, shown["id"], metadata={"two": 2}, readers=[group])
        third = await patched(acme, shown["id"], collection=None, readers=None)

        assert first | {"updated_at": 0} == shown | {"tags": ["b", "c"], "collection_id": place, "updated_at": 0}
        assert second | {"updated_at": 0} == first | {"metadata": {"two": 2}, "readers": [group], "updated_at": 0}
        assert third | {"updated_at": 0} == second | {"collection_id": None, "readers": None, "updated_at": 0}
        assert await acme.get(f"{DOCUMENTS}/{shown['id']}") == third

    async def test_honours_if_match(self, acme: Organisation):
        shown = await acme.add()
        path = f"{DOCUMENTS}/{shown['id']}"
        before = (await acme.call("GET", path)).headers["etag"]

        first = await acme.call("PATCH", path, json={"tags": ["a"]}, headers={"if-match": before})
        second = await acme.call("PATCH", path, json={"tags": ["b"]}, headers={"if-match": before})

        assert first.status_code == 200
        assert first.headers["etag"] == (await acme.call("GET", path)).headers["etag"] != before
        assert problem(second, 412)["code"] == "version-conflict"
        assert (await acme.get(path))["tags"] == ["a"]

    async def test_a_change_of_nothing_leaves_the_etag(self, acme: Organisation):
        shown = await acme.add(tags=["a"])

        again = [await patched(acme, shown["id"]), await patched(acme, shown["id"], tags=["a"], readers=None)]

        assert again == [shown, shown]

    @pytest.mark.parametrize(
        "body",
        [
            {"title": "New"}, {"id": str(uuid4())}, {"status": "indexed"}, {"tenant_id": str(uuid4())}, {"version": 2},
            {"external_id": "x"}, {"tags": None}, {"metadata": None}, {"tags": "a"}, {"readers": []},
            {"collection": ""},
            {"collection": "a\0b"}, {"readers": [f"user:{uuid4()}"]}, {"collection": str(uuid4())}, [], "text",
        ],
    )  # fmt: skip
    async def test_refuses_what_it_does_not_know(self, acme: Organisation, body: Any):
        shown = await acme.add()

        answer = await acme.call("PATCH", f"{DOCUMENTS}/{shown['id']}", json=body)

        assert problem(answer, 422)["code"] == "invalid-request"
        assert await acme.get(f"{DOCUMENTS}/{shown['id']}") == shown

    async def test_nobody_hides_a_document_from_themselves(self, acme: Organisation, view: View, window: Window):
        group, shown = await group_of(acme), await acme.add(tags=["red"])
        path = f"{DOCUMENTS}/{shown['id']}"
        tagged = window.of(acme.tenant, Access(tags=(frozenset({"red"}),)))

        assert await code(view, "PATCH", path, {"readers": [group]}, 422) == "readers-without-you"
        assert await code(tagged, "PATCH", path, {"tags": ["green"]}, 403) == "out-of-reach"
        assert await acme.get(path) == shown
        await patched(acme, shown["id"], readers=[group])
        problem(await view.call("GET", path), 404)

    async def test_counts_in_the_next_search_and_list(self, acme: Organisation, view: View, worker: Any):
        group, _ = await group_of(acme), await made(acme, "/api/collections", name="Leases")
        document = (await acme.indexed("The lease ends in May.", tags=["old"]))["id"]
        assert [hit["document_id"] for hit in (await view.search("lease"))["results"]] == [document]

        await patched(acme, document, tags=["new"], collection="leases")
        assert (await view.search("lease", filters={"tags": ["old"]}))["results"] == []
        [hit] = (await view.search("lease", filters={"tags": ["new"], "collection": "leases"}))["results"]
        assert hit["tags"] == ["new"]
        await patched(acme, document, readers=[group])
        assert (await view.search("lease"))["results"] == (await view.get(DOCUMENTS))["data"] == []

    async def test_a_document_that_is_still_read_is_published_with_the_change(self, acme: Organisation, view: View):
        group = await group_of(acme)
        shown = await acme.add("The lease ends in May.")
        await patched(acme, shown["id"], readers=[group], tags=["new"])

        async with acme.home.working():
            document = await acme.ended(shown["id"])

        assert (document["status"], document["readers"], document["tags"]) == ("indexed", [group], ["new"])
        assert (await view.search("lease"))["results"] == []

    async def test_the_index_is_not_made_again(self, acme: Organisation, worker: Any):
        document = (await acme.indexed("The lease ends in May."))["id"]
        before = acme.rows()

        await patched(acme, document, tags=["new"])

        after = acme.rows()
        for table in ("chunks", "forward_rows", "embeddings", "document_texts", "document_versions", "jobs"):
            assert after[table] == before[table]

    async def test_many_changes_at_once_are_decided_one_after_the_other(self, acme: Organisation, worker: Any):
        document = (await acme.indexed("The lease ends in May."))["id"]

        async def change(number: int) -> dict[str, Any]:
            return await patched(acme, document, tags=[f"t{number}"])

        await asyncio.gather(*(change(number) for number in range(8)))

        [tag] = (await acme.get(f"{DOCUMENTS}/{document}"))["tags"]
        assert (await acme.search("lease", filters={"tags": [tag]}))["total"] == 1


class TestJobs:
    async def test_who_gives_up_a_document_ends_its_job(self, acme: Organisation, view: View):
        added = (await view.call("POST", DOCUMENTS, json={"content": "Mine."})).json()

        answer = await view.call("DELETE", f"{DOCUMENTS}/{added['id']}")

        assert answer.status_code == 204
        assert (await acme.get(f"/api/jobs/{added['job_id']}"))["state"] == "cancelled"
        problem(await view.call("GET", f"/api/jobs/{added['job_id']}"), 404)

    async def test_who_follows_a_job_hears_no_more_once_its_document_is_hidden(self, acme: Organisation, view: View):
        added = await acme.add()
        following = asyncio.create_task(view.call("GET", f"/api/jobs/{added['job_id']}/events"))
        await asyncio.sleep(0.2)

        await patched(acme, added["id"], readers=[await group_of(acme)])

        heard = (await asyncio.wait_for(following, 20)).text
        assert heard.startswith("event: progress")
        assert heard.endswith(": the job is not there any more\n\n")

    async def test_a_job_about_no_document_is_shown_to_administrators_only(
        self, acme: Organisation, window: Window, worker: Any
    ):
        added = await acme.indexed("The lease ends in May.")
        await acme.call("DELETE", f"{DOCUMENTS}/{added['id']}")

        async def discarded() -> bool:
            return [job["task"] for job in (await acme.get("/api/jobs"))["data"]][:1] == ["documents.discard"]

        assert await eventually(discarded)
        assert await window.of(acme.tenant, NOBODY).all("/api/jobs") == []
        assert len(await window.of(acme.tenant, EVERYTHING).all("/api/jobs")) == 2


async def patched(acme: Organisation, document: str, **body: Any) -> dict[str, Any]:
    answer = await acme.call("PATCH", f"{DOCUMENTS}/{document}", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
