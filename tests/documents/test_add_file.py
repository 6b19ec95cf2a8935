"""POST /api/documents with a form."""

import asyncio
import hashlib
import os

import pytest
from starlette.types import Message

pytestmark = pytest.mark.anyio

PATH = "/api/documents"


def form(*parts: bytes, boundary: bytes = b"edge", end: bytes = b"--edge--\r\n") -> bytes:
    return b"".join(b"--" + boundary + b"\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + end


async def send(client, body: bytes, boundary: str = "edge", **headers):
    kind = {"content-type": f"multipart/form-data; boundary={boundary}"}
    return await client.post(PATH, content=body, headers={**kind, **headers})


class TestAccepting:
    async def test_a_file_is_stored_with_its_name_type_and_fields(self, client, tenant, blobs, given):
        answer = await client.post(
            PATH,
            files={"file": ("دليل 📘.md", "# عنوان".encode(), "text/markdown")},
            data={
                "title": "دليل 📘",
                "external_id": "guide",
                "tags": ["one, two", "two", "three"],
                "metadata": '{"pages": 3}',
                "source_url": "https://example.org/guide",
            },
        )

        assert answer.status_code == 202
        shown = answer.json()
        content = "# عنوان".encode()
        assert (shown["title"], shown["filename"], shown["external_id"]) == ("دليل 📘", "دليل 📘.md", "guide")
        assert (shown["tags"], shown["metadata"]) == (["one", "two", "three"], {"pages": 3})
        assert (shown["mime_type"], shown["source_url"]) == ("text/markdown", "https://example.org/guide")
        assert (shown["size_bytes"], shown["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert (shown["status"], shown["version"], shown["doc_type"]) == ("queued", 1, None)
        assert answer.headers["location"] == f"/api/jobs/{shown['job_id']}"
        assert await blobs.read(f"{tenant}/{shown['id']}/1", 1000) == content
        assert await given.usage() == (1, len(content))

    async def test_fields_may_stand_after_the_file(self, client):
        body = form(b'name="file"; filename="a.txt"\r\n\r\ntext', b'name="title"\r\n\r\nLater')

        assert (await send(client, body)).json()["title"] == "Later"

    async def test_a_file_alone_is_named_after_itself(self, client):
        shown = (await client.post(PATH, files={"file": ("a/b/report.txt", b"text")})).json()

        assert (shown["title"], shown["filename"]) == ("report.txt", "report.txt")

    async def test_a_file_without_a_name_is_accepted(self, client):
        shown = (await send(client, form(b'name="file"\r\n\r\ntext'))).json()

        assert (shown["title"], shown["filename"], shown["mime_type"]) == ("Untitled", None, None)

    async def test_empty_fields_are_as_good_as_none(self, client):
        data = {"title": " ", "external_id": "", "tags": " , ", "metadata": "", "source_url": ""}

        shown = (await client.post(PATH, files={"file": ("a.txt", b"text")}, data=data)).json()

        assert (shown["title"], shown["external_id"], shown["tags"]) == ("a.txt", None, [])
        assert (shown["metadata"], shown["source_url"]) == ({}, None)

    async def test_a_hostile_name_and_type_are_made_harmless(self, client):
        body = form(b'name="file"; filename="..\\..\\x\x01\xe2\x80\xae.txt"\r\nContent-Type: <script>\r\n\r\ntext')

        shown = (await send(client, body)).json()

        assert (shown["filename"], shown["mime_type"]) == ("x.txt", None)

    async def test_ten_megabytes_of_anything_are_accepted(self, client, tenant, blobs):
        content = os.urandom(10 * 2**20)

        answer = await client.post(PATH, files={"file": ("noise.bin", content, "application/octet-stream")})

        assert answer.status_code == 202
        assert answer.json()["sha256"] == hashlib.sha256(content).hexdigest()
        assert await blobs.read(f"{tenant}/{answer.json()['id']}/1", 2**24) == content

    async def test_a_file_of_exactly_the_limit_is_accepted(self, client):
        answer = await client.post(PATH, files={"file": ("full.txt", b"x" * (12 * 2**20))})

        assert (answer.status_code, answer.json()["size_bytes"]) == (202, 12 * 2**20)


class TestRefusals:
    @pytest.mark.parametrize(
        ("parts", "field", "code"),
        [
            ([b'name="title"\r\n\r\nNo file'], "body.file", "missing"),
            ([b'name="file"\r\n\r\na', b'name="file"\r\n\r\nb'], "body.file", "too_many"),
            ([b'name="file"\r\n\r\na', b'name="title"\r\n\r\na', b'name="title"\r\n\r\nb'], "body.title", "too_many"),
            ([b'name="file"\r\n\r\na', b'name="author"\r\n\r\nme'], "body.author", "extra_forbidden"),
            ([b'name="file"\r\n\r\na', b'name="title"\r\n\r\n' + b"x" * 1001], "body.title", "string_too_long"),
            ([b'name="file"\r\n\r\na', b'name="title"\r\n\r\na\0b'], "body.title", "nul_character"),
            ([b'name="file"\r\n\r\na', b'name="title"\r\n\r\n\xff'], "body.title", "string_unicode"),
            ([b'name="metadata"\r\n\r\n[1]', b'name="file"\r\n\r\na'], "body.metadata", "dict_type"),
            ([b'name="metadata"\r\n\r\n{', b'name="file"\r\n\r\na'], "body.metadata", "json_object"),
            ([b'name="metadata"\r\n\r\n{"a": NaN}', b'name="file"\r\n\r\na'], "body.metadata", "json_object"),
            ([b'name="metadata"\r\n\r\n{"a": "\\u0000"}', b'name="file"\r\n\r\na'], "body.metadata", "nul_character"),
            ([b'name="tags"\r\n\r\n' + b",a,b,c,d,e,f" * 9, b'name="file"\r\n\r\na'], "body.tags", "too_long"),
            ([b'name="source_url"\r\n\r\nfile:///etc', b'name="file"\r\n\r\na'], "body.source_url", "url_scheme"),
        ],
        ids=range(13),
    )  # fmt: skip
    async def test_each_field_says_what_is_wrong_with_it_and_nothing_is_left(
        self, client, stored_keys, parts, field, code
    ):
        answer = await send(client, form(*parts))

        assert answer.status_code == 422
        assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]
        assert await stored_keys() == []

    async def test_an_empty_file_is_refused(self, client, stored_keys):
        answer = await client.post(PATH, files={"file": ("a.txt", b"")})

        assert (answer.status_code, answer.json()["code"]) == (422, "empty-document")
        assert await stored_keys() == []

    @pytest.mark.parametrize("end", [b"", b"--edge", b"--edg"])
    async def test_a_form_that_ends_early_is_refused_and_leaves_nothing(self, client, stored_keys, end):
        answer = await send(client, form(b'name="file"\r\n\r\ntext', end=end))

        assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
        assert await stored_keys() == []

    async def test_fields_of_any_size_are_not_held_in_memory(self, client, stored_keys):
        answer = await send(client, form(b'name="file"\r\n\r\na', b'name="title"\r\n\r\n' + b"x" * 200_000))

        assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
        assert await stored_keys() == []

    async def test_a_file_over_the_limit_is_refused_and_leaves_nothing(self, client, stored_keys, given):
        answer = await client.post(PATH, files={"file": ("big.txt", b"x" * (12 * 2**20 + 1))})

        assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
        assert await stored_keys() == []
        assert await given.usage() == (0, 0)

    async def test_a_file_over_the_storage_quota_leaves_nothing(self, client, stored_keys, given):
        await given.limits(max_storage_mb=1)

        answer = await client.post(PATH, files={"file": ("big.txt", b"x" * (2**20 + 1))})

        assert (answer.status_code, answer.json()["code"]) == (403, "storage-quota-exceeded")
        assert await stored_keys() == []
        assert await given.usage() == (0, 0)
        assert await given.jobs() == []


class TestGoingAway:
    async def call(self, app, tenant, receive) -> list[Message]:
        sent: list[Message] = []

        async def send_message(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [
                (b"x-api-key", str(tenant).encode()),
                (b"content-type", b"multipart/form-data; boundary=edge"),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("carrel.test", 80),
        }
        await app(scope, receive, send_message)
        return sent

    async def test_a_client_that_goes_away_in_mid_file_leaves_nothing(self, app, tenant, blobs, given):
        messages: list[Message] = [
            {
                "type": "http.request",
                "body": form(b'name="file"\r\n\r\n' + b"x" * 3_000_000, end=b""),
                "more_body": True,
            },
            {"type": "http.disconnect"},
        ]

        async def receive() -> Message:
            return messages.pop(0)

        sent = await self.call(app, tenant, receive)

        assert sent[0]["status"] == 400
        assert [path for path in blobs.root.rglob("*") if path.is_file()] == []
        assert await given.usage() == (0, 0)

    async def test_a_cancelled_request_leaves_nothing(self, app, tenant, blobs, given):
        first_read = asyncio.Event()

        async def receive() -> Message:
            if first_read.is_set():
                await asyncio.Event().wait()
            first_read.set()
            body = form(b'name="file"\r\n\r\n' + b"x" * 3_000_000, end=b"")
            return {"type": "http.request", "body": body, "more_body": True}

        request = asyncio.create_task(self.call(app, tenant, receive))
        await first_read.wait()
        request.cancel()

        with pytest.raises(asyncio.CancelledError):
            await request
        assert [path for path in blobs.root.rglob("*") if path.is_file()] == []
        assert await given.usage() == (0, 0)


class TestRepeating:
    async def test_the_boundary_is_no_part_of_what_is_compared(self, client, given):
        def body(boundary: str) -> bytes:
            head = 'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\ntext'
            return f"--{boundary}\r\n{head}\r\n--{boundary}--\r\n".encode()

        first, second = [
            await send(client, body(boundary), boundary, **{"idempotency-key": "k"}) for boundary in ("edge", "rim-123")
        ]

        assert (first.status_code, second.status_code) == (202, 202)
        assert second.headers["idempotent-replayed"] == "true"
        assert second.json() == first.json()
        assert await given.usage() == (1, 4)

    async def test_another_file_under_the_same_key_is_refused(self, client, given):
        headers = {"idempotency-key": "k"}
        await client.post(PATH, files={"file": ("a.txt", b"one")}, headers=headers)

        answer = await client.post(PATH, files={"file": ("a.txt", b"two")}, headers=headers)

        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-mismatch")
        assert await given.usage() == (1, 3)


async def test_both_bodies_are_described(app):
    operation = app.openapi()["paths"][PATH]["post"]

    bodies = operation["requestBody"]["content"]
    assert operation["operationId"] == "add_document"
    assert set(bodies) == {"application/json", "multipart/form-data"}
    assert all(body["examples"] for body in bodies.values())
    assert bodies["application/json"]["schema"]["required"] == ["content"]
    assert "Location" in operation["responses"]["202"]["headers"]
