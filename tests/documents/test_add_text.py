"""POST /api/documents with JSON."""

import hashlib
import json
from datetime import datetime
from uuid import UUID

import pytest

pytestmark = pytest.mark.anyio

PATH = "/api/documents"


async def send(client, body, **headers):
    """Raw, because client libraries refuse to write what a server must bear."""
    return await client.post(PATH, content=body, headers={"content-type": "application/json", **headers})


class TestAccepting:
    async def test_a_text_is_stored_queued_and_shown_in_its_exact_shape(self, client, tenant, given, blobs):
        answer = await client.post(
            PATH,
            json={
                "title": "عقد الإيجار 🏠",
                "content": "المادة الأولى",
                "external_id": "leases/1",
                "tags": ["lease", "عربي", "lease"],
                "metadata": {"floor": 2, "nested": {"deep": [1, 2.5, None, True]}},
                "source_url": "https://example.org/lease",
                "filename": "../../lease.md",
                "mime_type": "text/markdown",
            },
        )

        assert answer.status_code == 202
        shown = answer.json()
        content = "المادة الأولى".encode()
        document_id = shown["id"]
        assert shown == {
            "id": document_id,
            "external_id": "leases/1",
            "title": "عقد الإيجار 🏠",
            "filename": "lease.md",
            "doc_type": None,
            "mime_type": "text/markdown; charset=utf-8",
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "language": None,
            "status": "queued",
            "error": None,
            "version": 1,
            "chunk_count": 0,
            "tags": ["lease", "عربي"],
            "metadata": {"floor": 2, "nested": {"deep": [1, 2.5, None, True]}},
            "source_url": "https://example.org/lease",
            "job_id": shown["job_id"],
            "created_at": shown["created_at"],
            "updated_at": shown["created_at"],
            "collection_id": None,
            "readers": None,
            "indexed_at": None,
        }
        assert UUID(document_id).version == 7
        assert datetime.fromisoformat(shown["created_at"]).utcoffset() is not None
        assert answer.headers["location"] == f"/api/jobs/{shown['job_id']}"
        assert await blobs.read(f"{tenant}/{document_id}/1", 1000) == content
        assert await given.jobs() == [("test.ingest", "queued", {"document_id": document_id, "version": 1})]
        assert await given.usage() == (1, len(content))
        assert (await client.get(f"{PATH}/{document_id}")).json() == shown

    async def test_content_alone_is_enough_and_its_first_line_is_the_title(self, client):
        shown = (await client.post(PATH, json={"content": "\n\n   The  first\tline \nThe second"})).json()

        assert (shown["title"], shown["mime_type"]) == ("The first line", "text/plain; charset=utf-8")

    async def test_the_filename_is_the_title_where_there_is_no_better_one(self, client):
        shown = (await client.post(PATH, json={"content": "text", "filename": "C:\\docs\\Rules.html"})).json()

        assert (shown["title"], shown["filename"]) == ("Rules.html", "Rules.html")

    async def test_blank_content_is_accepted_and_untitled(self, client):
        shown = (await client.post(PATH, json={"content": " \n "})).json()

        assert shown["title"] == "Untitled"

    async def test_content_is_kept_character_for_character(self, client, tenant, blobs):
        content = "\ufeffA\r\nB\u2028\x00C\u0301 \U0001f469\u200d\U0001f4bb  "

        shown = (await client.post(PATH, json={"content": content})).json()

        assert await blobs.read(f"{tenant}/{shown['id']}/1", 1000) == content.encode()

    async def test_a_large_text_is_read_as_well(self, client, tenant, blobs):
        content = "الكتاب " * 50_000

        shown = (await client.post(PATH, json={"content": content})).json()

        assert await blobs.read(f"{tenant}/{shown['id']}/1", 2**20) == content.encode()

    async def test_html_is_accepted_with_any_charset_and_stored_as_utf8(self, client):
        body = {"content": "<p>é</p>", "mime_type": "Text/HTML; charset=latin-1"}

        assert (await client.post(PATH, json=body)).json()["mime_type"] == "text/html; charset=utf-8"

    async def test_a_json_suffix_is_json(self, client):
        answer = await send(client, b'{"content": "text"}', **{"content-type": "application/ld+json"})

        assert answer.status_code == 202

    async def test_the_same_external_id_may_be_used_by_others(self, client, outsider):
        body = {"content": "text", "external_id": "one"}

        answers = [await client.post(PATH, json=body), await outsider.post(PATH, json=body)]

        assert [answer.status_code for answer in answers] == [202, 202]


class TestSurrogates:
    async def test_lone_surrogates_are_replaced_one_for_one_and_pairs_kept(self, client, tenant, blobs):
        body = (
            rb'{"content": "a\ud800b\udc00\ud83d\ude00", "title": "t\udfff", "tags": ["\ud800"],'
            rb' "metadata": {"k\ud800": ["\ud801"]}}'
        )

        answer = await send(client, body)

        assert answer.status_code == 202
        shown = answer.json()
        assert await blobs.read(f"{tenant}/{shown['id']}/1", 1000) == "a\ufffdb\ufffd😀".encode()
        assert (shown["title"], shown["tags"]) == ("t\ufffd", ["\ufffd"])
        assert shown["metadata"] == {"k\ufffd": ["\ufffd"]}

    async def test_a_lone_surrogate_in_the_name_of_a_field_is_a_field_error(self, client):
        answer = await send(client, rb'{"content": "a", "\ud800": 1}')

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "extra_forbidden"


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "field", "code"),
        [
            ({"content": ""}, "body.content", "string_too_short"),
            ({"content": None}, "body.content", "string_type"),
            ({"content": 5}, "body.content", "string_type"),
            ({"title": ""}, "body.title", "string_too_short"),
            ({"title": "  "}, "body.title", "string_too_short"),
            ({"title": "x" * 1001}, "body.title", "string_too_long"),
            ({"title": "a\0b"}, "body.title", "nul_character"),
            ({"external_id": ""}, "body.external_id", "string_too_short"),
            ({"external_id": "x" * 513}, "body.external_id", "string_too_long"),
            ({"external_id": "\0"}, "body.external_id", "nul_character"),
            ({"tags": [str(n) for n in range(51)]}, "body.tags", "too_long"),
            ({"tags": [""]}, "body.tags.0", "string_too_short"),
            ({"tags": ["fine", "x" * 101]}, "body.tags.1", "string_too_long"),
            ({"tags": ["\0"]}, "body.tags.0", "nul_character"),
            ({"tags": "one"}, "body.tags", "list_type"),
            ({"metadata": []}, "body.metadata", "dict_type"),
            ({"metadata": {"a": "x" * 16_400}}, "body.metadata", "too_large"),
            ({"metadata": {"a": [1] * 20_000}}, "body.metadata", "too_large"),
            ({"metadata": {"a": "\0"}}, "body.metadata", "nul_character"),
            ({"metadata": {"\0": 1}}, "body.metadata", "nul_character"),
            ({"source_url": "javascript:alert(1)"}, "body.source_url", "url_scheme"),
            ({"source_url": "https://example.org/" + "x" * 2048}, "body.source_url", "string_too_long"),
            ({"mime_type": "application/pdf"}, "body.mime_type", "media_type"),
            ({"filename": 7}, "body.filename", "string_type"),
            ({"author": "me"}, "body.author", "extra_forbidden"),
        ],
    )
    async def test_each_field_says_what_is_wrong_with_it(self, client, stored_keys, change, field, code):
        answer = await client.post(PATH, json={"content": "text", **change})

        assert answer.status_code == 422
        problem = answer.json()
        assert problem["code"] == "invalid-request"
        assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, code)]
        assert await stored_keys() == []

    async def test_the_limits_themselves_are_allowed(self, client):
        body = {
            "content": "x",
            "title": "t" * 1000,
            "external_id": "e" * 512,
            "tags": [f"{n:0100}" for n in range(50)],
            "metadata": {"k": "v" * (16 * 1024 - 8)},
            "source_url": "https://example.org/" + "x" * 2028,
            "filename": "f" * 3000 + ".md",
        }

        answer = await client.post(PATH, json=body)

        assert answer.status_code == 202
        assert answer.json()["filename"] == "f" * 252 + ".md"

    async def test_metadata_too_deep_to_be_shown_is_refused(self, client):
        deep: dict[str, object] = {}
        for _ in range(30):
            deep = {"in": deep}

        answer = await client.post(PATH, json={"content": "x", "metadata": deep})

        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_deep")

    async def test_metadata_with_an_infinite_number_is_refused(self, client):
        answer = await send(client, b'{"content": "x", "metadata": {"n": 1e999}}')

        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "finite_number")

    async def test_metadata_with_a_number_of_many_digits_comes_back(self, client):
        answer = await send(client, b'{"content": "x", "metadata": {"n": ' + b"9" * 400 + b"}}")

        assert answer.status_code == 202
        assert json.loads(answer.text)["metadata"]["n"] == int("9" * 400)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b'{"content": "a"} more',
            b'{"content": "\xff"}',
            b'{"content": "\xed\xa0\x80"}',
            b'{"content": NaN}',
            b'{"content": ' + b"9" * 5000 + b"}",
            b'{"content": ' + b"[" * 100_000,
            json.dumps({f"f{n}": n for n in range(60)}).encode(),
        ],
        ids=range(9),
    )
    async def test_what_cannot_be_read_as_json_is_a_bad_request(self, client, body):
        answer = await send(client, body)

        assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")

    @pytest.mark.parametrize("body", [b"[]", b'"text"', b"null", b"5"])
    async def test_json_that_is_no_object_is_a_field_error(self, client, body):
        answer = await send(client, body)

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/mixed", "", "json"])
    async def test_other_bodies_are_an_unsupported_media_type(self, client, kind):
        answer = await client.post(PATH, content=b"content=x", headers={"content-type": kind})

        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")

    async def test_a_taken_external_id_names_its_document_and_leaves_nothing(self, client, given, stored_keys):
        first = (await client.post(PATH, json={"content": "one", "external_id": "x"})).json()
        before = await stored_keys()

        answer = await client.post(PATH, json={"content": "two", "external_id": "x"})

        assert (answer.status_code, answer.json()["code"]) == (409, "external-id-exists")
        assert answer.json()["document_id"] == first["id"]
        assert await stored_keys() == before
        assert await given.usage() == (1, 3)
        assert len(await given.jobs()) == 1

    async def test_a_document_over_the_quota_leaves_nothing(self, client, given, stored_keys):
        await given.limits(max_documents=1)
        await client.post(PATH, json={"content": "one"})
        before = await stored_keys()

        answer = await client.post(PATH, json={"content": "two"})

        assert (answer.status_code, answer.json()["code"]) == (403, "document-quota-exceeded")
        assert await stored_keys() == before
        assert len((await client.get(PATH)).json()["data"]) == 1
        assert await given.usage() == (1, 3)

    async def test_reading_alone_does_not_allow_writing(self, knock, tenant):
        answer = await knock(tenant, "read").post(PATH, json={"content": "x"})

        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


class TestRepeating:
    async def test_the_same_key_and_body_give_the_stored_answer_and_one_document(self, client, given):
        body, headers = {"content": "text"}, {"idempotency-key": "k"}

        first, second = [await client.post(PATH, json=body, headers=headers) for _ in range(2)]

        assert first.json() == second.json()
        assert second.headers["location"] == first.headers["location"]
        assert second.headers["idempotent-replayed"] == "true"
        assert await given.usage() == (1, 4)

    async def test_the_same_key_with_another_body_is_refused(self, client, given):
        headers = {"idempotency-key": "k"}
        await client.post(PATH, json={"content": "one"}, headers=headers)

        answer = await client.post(PATH, json={"content": "two"}, headers=headers)

        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-mismatch")
        assert await given.usage() == (1, 3)

    async def test_a_refused_request_may_be_put_right_under_the_same_key(self, client):
        headers = {"idempotency-key": "k"}
        refused = await client.post(PATH, json={"content": ""}, headers=headers)

        accepted = await client.post(PATH, json={"content": "text"}, headers=headers)

        assert (refused.status_code, accepted.status_code) == (422, 202)
