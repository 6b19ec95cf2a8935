"""Lists, single documents and texts."""

from datetime import timedelta

import pytest

from carrel.core.clock import now
from carrel.core.ids import DocumentId, uuid7
from carrel.infra.db import Role

pytestmark = pytest.mark.anyio

PATH = "/api/documents"
UNKNOWN = "0198c5a0-0000-7000-8000-000000000000"


async def add(client, **told):
    answer = await client.post(PATH, json={"content": "text", **told})
    assert answer.status_code == 202
    return answer.json()


async def titles(client, query: str = "") -> list[str]:
    answer = await client.get(f"{PATH}{query}")
    assert answer.status_code == 200, answer.text
    return [document["title"] for document in answer.json()["data"]]


class TestOne:
    async def test_carries_a_weak_etag_that_changes_with_the_document(self, client, given):
        shown = await add(client)
        before = await client.get(f"{PATH}/{shown['id']}")

        await given.indexed(DocumentId(shown["id"]))

        after = await client.get(f"{PATH}/{shown['id']}")
        assert before.json() == shown
        assert before.headers["etag"].startswith('W/"')
        assert before.headers["etag"] != after.headers["etag"]
        assert after.json()["status"] == "indexed"

    @pytest.mark.parametrize("tail", ["", "/text"])
    async def test_of_another_tenant_is_not_found(self, client, outsider, tail):
        shown = await add(client, title="Secret")

        answer = await outsider.get(f"{PATH}/{shown['id']}{tail}")

        assert (answer.status_code, answer.json()["code"]) == (404, "document-not-found")
        assert "Secret" not in answer.text

    @pytest.mark.parametrize("tail", ["", "/text"])
    @pytest.mark.parametrize("document_id", [UNKNOWN, "nonsense", "%00", "1", "ff" * 40])
    async def test_unknown_and_impossible_ids_are_not_found(self, client, document_id, tail):
        answer = await client.get(f"{PATH}/{document_id}{tail}")

        assert (answer.status_code, answer.json()["code"]) == (404, "document-not-found")

    async def test_shows_why_it_failed(self, client, given):
        shown = await add(client)

        await given.failed(DocumentId(shown["id"]), "no-text", "No text was found.")

        answer = (await client.get(f"{PATH}/{shown['id']}")).json()
        assert (answer["status"], answer["error"]) == ("failed", {"code": "no-text", "detail": "No text was found."})


class TestText:
    async def test_is_given_with_its_length_in_characters(self, client, given):
        shown = await add(client)
        await given.indexed(DocumentId(shown["id"]), "مرحبا 👋")

        answer = await client.get(f"{PATH}/{shown['id']}/text")

        assert answer.json() == {"document_id": shown["id"], "version": 1, "text": "مرحبا 👋", "length": 7}

    async def test_of_a_document_not_read_yet_is_a_conflict(self, client):
        shown = await add(client)

        answer = await client.get(f"{PATH}/{shown['id']}/text")

        assert (answer.status_code, answer.json()["code"]) == (409, "document-not-indexed")
        assert answer.headers["retry-after"] == "1"

    async def test_of_a_document_that_failed_says_why(self, client, given):
        shown = await add(client)
        await given.failed(DocumentId(shown["id"]), detail="It is encrypted.")

        answer = await client.get(f"{PATH}/{shown['id']}/text")

        assert (answer.status_code, answer.json()["code"]) == (409, "document-not-indexed")
        assert "It is encrypted." in answer.json()["detail"]


class TestList:
    async def test_begins_with_the_newest(self, client):
        for title in "abc":
            await add(client, title=title)

        assert await titles(client) == ["c", "b", "a"]

    async def test_shows_nothing_of_another_tenant(self, client, outsider):
        await add(client, title="mine", external_id="x", tags=["t"])

        for query in ("", "?external_id=x", "?tag=t", "?offset=0"):
            answer = (await outsider.get(f"{PATH}{query}")).json()
            assert (answer["data"], answer["has_more"]) == ([], False)
        assert (await outsider.get(f"{PATH}?offset=0")).json()["total"] == 0

    async def test_filters_must_all_match(self, client, given):
        await add(client, title="a", tags=["red", "round"], external_id="a-1")
        await add(client, title="b", tags=["red"])
        indexed = await add(client, title="c", tags=["round", "red", "big"])
        failed = await add(client, title="d")
        await given.indexed(DocumentId(indexed["id"]), doc_type="html")
        await given.failed(DocumentId(failed["id"]))

        assert await titles(client, "?tag=red") == ["c", "b", "a"]
        assert await titles(client, "?tag=red&tag=round") == ["c", "a"]
        assert await titles(client, "?tag=red&status=queued") == ["b", "a"]
        assert await titles(client, "?status=indexed&status=failed") == ["d", "c"]
        assert await titles(client, "?external_id=a-1") == ["a"]
        assert await titles(client, "?doc_type=html") == ["c"]
        assert await titles(client, "?doc_type=html&tag=none") == []

    @pytest.mark.parametrize("query", ["status=gone", "tag=%00", "external_id=%00", "doc_type=a%00", "limit=0"])
    async def test_impossible_filters_are_refused(self, client, query):
        answer = await client.get(f"{PATH}?{query}")

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")

    async def test_an_offset_gives_the_total_and_links(self, client):
        for title in "abcde":
            await add(client, title=title, tags=["t"])
        await add(client, title="other")

        answer = (await client.get(f"{PATH}?tag=t&limit=2&offset=2")).json()

        assert [document["title"] for document in answer["data"]] == ["c", "b"]
        assert answer["total"] == 5
        assert (await titles(client, answer["links"]["next"].removeprefix(PATH))) == ["a"]
        assert (await titles(client, answer["links"]["prev"].removeprefix(PATH))) == ["e", "d"]

    async def test_walking_meets_each_document_once_while_others_come_and_go(self, client, given):
        moment = now()  # many of one moment: the id decides between them
        for number in range(23):
            await given.document(DocumentId(uuid7()), title=f"old {number}")
        async with given.database.transaction(Role.APP, given.tenant) as db:
            await db.execute(
                "UPDATE documents SET created_at = %(at)s WHERE tenant_id = %(t)s", at=moment, t=given.tenant
            )

        seen, query = [], "?limit=4"
        while query:
            page = (await client.get(f"{PATH}{query}")).json()
            seen += [document["title"] for document in page["data"]]
            await given.document(DocumentId(uuid7()), title="new")
            query = page["next_cursor"] and f"?limit=4&cursor={page['next_cursor']}"

        assert sorted(seen) == sorted(f"old {number}" for number in range(23))

    async def test_a_cursor_belongs_to_one_tenant_and_one_question(self, client, outsider):
        for title in "abc":
            await add(client, title=title, tags=["t"])
        cursor = (await client.get(f"{PATH}?limit=1")).json()["next_cursor"]

        answers = [
            await outsider.get(f"{PATH}?limit=1&cursor={cursor}"),
            await client.get(f"{PATH}?limit=1&tag=t&cursor={cursor}"),
            await client.get(f"{PATH}?limit=1&cursor={cursor}x"),
        ]

        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(400, "invalid-cursor")] * 3

    async def test_a_moment_is_kept_to_the_microsecond(self, client, given):
        await given.document(DocumentId(uuid7()), title="first")
        await given.document(DocumentId(uuid7()), title="second")
        async with given.database.transaction(Role.APP, given.tenant) as db:
            for title, at in (("first", now()), ("second", now() + timedelta(microseconds=1))):
                await db.execute(
                    "UPDATE documents SET created_at = %(at)s WHERE tenant_id = %(t)s AND title = %(title)s",
                    at=at,
                    t=given.tenant,
                    title=title,
                )
        cursor = (await client.get(f"{PATH}?limit=1")).json()["next_cursor"]

        assert await titles(client, f"?limit=1&cursor={cursor}") == ["first"]


@pytest.mark.parametrize("path", [PATH, f"{PATH}/{UNKNOWN}", f"{PATH}/{UNKNOWN}/text"])
async def test_reading_needs_its_scope(knock, tenant, path):
    answer = await knock(tenant, "write").get(path)

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
