"""Every failure leaves as problem+json, and says nothing that is not the caller's business."""

from typing import Any

import httpx
import pytest
from fastapi import Request

from carrel.core.errors import Problem
from carrel.infra.web.problems import render
from tests.infra.web.conftest import conversation, key

pytestmark = pytest.mark.anyio

PATH = "/api/notes"
JSON = {"content-type": "application/json"}
MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id"}


def is_problem(answer, status, code):
    told = answer.json()
    assert (answer.status_code, told["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(told) >= MEMBERS
    assert (told["status"], told["type"]) == (status, f"/problems/{code}")
    assert told["request_id"] == answer.headers["x-request-id"]
    return told


class TestValidation:
    async def test_names_each_field(self, client):
        told = is_problem(await client.post(PATH, json={"tag": 5}), 422, "invalid-request")

        assert {error["field"] for error in told["errors"]} == {"body.text", "body.tag"}
        assert told["detail"] == "2 fields are wrong."
        assert told["hint"]
        assert told["instance"] == PATH

    async def test_of_one_field_is_told_in_a_sentence(self, client):
        told = is_problem(await client.get("/api/notes/abc"), 422, "invalid-request")

        assert told["detail"].startswith("path.note_id: Input should be a valid integer")

    async def test_of_a_missing_body(self, client):
        is_problem(await client.post(PATH, content=b"", headers=JSON), 422, "invalid-request")

    async def test_answers_are_no_longer_than_need_be(self, client):
        body = {"text": "x", "more": {}, "tag": ["x"] * 10} | {"text": {"x" * 5000: 1}}

        told = is_problem(await client.post(PATH, json=body), 422, "invalid-request")

        assert len(str(told)) < 1000


class TestJson:
    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b'{"text": "a" "b"}',
            b"\xff\xfe",
            b'{"text": "\xed\xa0\x80"}',
            b'{"text": NaN}',
            b'{"text": 1' + b"0" * 5000 + b"}",
            b"[" * 9_000,
            b'{"text": "a\x00b"}',
        ],
    )
    async def test_that_cannot_be_read_is_400(self, client, body):
        told = is_problem(await client.post(PATH, content=body, headers=JSON), 400, "bad-request")

        assert told["detail"].startswith("The body is not valid JSON: ")

    @pytest.mark.parametrize("unstorable", ["\\u0000", "\\ud800", "\\uDFFFx", "\\udc00\\ud800"])
    @pytest.mark.parametrize("body", ['{"text": "%s"}', '{"text": "x", "more": {"a": ["%s"]}}', '{"%s": 1}'])
    async def test_that_cannot_be_stored_is_422(self, client, texts, body, unstorable):
        answer = await client.post(PATH, content=(body % unstorable).encode(), headers=JSON)

        told = is_problem(answer, 422, "invalid-request")
        assert [error["code"] for error in told["errors"]] == ["unstorable_text"]
        assert told["errors"][0]["field"].startswith("body")
        assert await texts() == []

    @pytest.mark.parametrize("text", ["\U0001f600", "\\ud83d\\ude00", "مرحبا", "\ufffd", "\\\\u0000"])
    async def test_with_whole_characters_is_read(self, client, text):
        answer = await client.post(f"{PATH}/echo", content=f'{{"text": "{text}"}}'.encode(), headers=JSON)

        assert answer.status_code == 200

    async def test_with_a_byte_order_mark_is_read(self, client):
        answer = await client.post(f"{PATH}/echo", content=b'\xef\xbb\xbf{"text": "x"}', headers=JSON)

        assert answer.json()["text"] == "x"

    async def test_numbers_too_large_for_a_float_are_no_fault(self, client):
        answer = await client.post(f"{PATH}/echo", content=b'{"text": "x", "more": {"n": 1e999}}', headers=JSON)

        assert answer.status_code == 200


class TestMediaType:
    @pytest.mark.parametrize(
        "kind", ["text/plain", "multipart/form-data; boundary=x", "application/jsonx", "json", None]
    )
    async def test_other_than_json_is_415(self, client, kind):
        headers = {"content-type": kind} if kind else {}

        is_problem(await client.post(PATH, content=b'{"text": "x"}', headers=headers), 415, "unsupported-media-type")

    @pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"])
    async def test_of_json_may_be_written_in_several_ways(self, client, kind):
        answer = await client.post(PATH, content=b'{"text": "x"}', headers={"content-type": kind})

        assert answer.status_code == 201


class TestPlaces:
    @pytest.mark.parametrize("path", ["/nothing", "/api/notes/", "/api/notes/1/2", "/%00", "/api//notes", "/docs"])
    async def test_that_do_not_exist_are_404(self, client, path):
        is_problem(await client.get(path), 404, "not-found")

    async def test_answer_to_other_methods_with_all_that_they_know(self, client):
        answer = await client.put(PATH)

        is_problem(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"

    async def test_of_the_framework_know_their_methods_too(self, client):
        answer = await client.post("/openapi.json")

        is_problem(answer, 405, "method-not-allowed")
        assert "GET" in answer.headers["allow"]

    async def test_are_not_echoed_at_length(self, client):
        assert len((await client.get("/" + "x" * 5_000)).json()["detail"]) < 400

    async def test_are_named_as_they_stand_in_an_address(self, client):
        assert (await client.get("/caf%C3%A9%3Fx")).json()["instance"] == "/caf%C3%A9%3Fx"


class TestFailures:
    async def test_a_problem_of_a_room_brings_its_facts(self, client):
        told = is_problem(await client.post(f"{PATH}/fail/problem"), 409, "note-taken")

        assert (told["detail"], told["hint"]) == ("This note is taken.", "Take another.")
        assert len(told["note_id"]) == 36

    async def test_a_limit_says_when_to_come_back(self, client):
        answer = await client.post(f"{PATH}/fail/limit")

        is_problem(answer, 429, "rate-limited")
        assert answer.headers["retry-after"] == "2"  # never earlier than the limit allows

    async def test_a_lost_database_says_when_to_come_back(self, client, logged):
        answer = await client.post(f"{PATH}/fail/database")

        is_problem(answer, 503, "database-unavailable")
        assert answer.headers["retry-after"] == "2"
        assert [event["code"] for event in logged if event["event"] == "problem"] == ["database-unavailable"]

    async def test_a_bug_is_logged_and_not_told(self, client, logged, tenant):
        answer = await client.post(f"{PATH}/fail/bug", headers={"x-request-id": "mine"})

        told = is_problem(answer, 500, "internal-error")
        for secret in ("secret", "passwd", "SELECT", "Traceback", "RuntimeError", str(tenant)):
            assert secret not in answer.text
        bug = next(event for event in logged if event["event"] == "bug")
        assert bug["exc_info"]
        assert (bug["request_id"], told["request_id"]) == ("mine", "mine")

    async def test_a_database_that_is_really_gone(self, client, database):
        await database.close()

        answer = await client.post(PATH, json={"text": "x"})

        assert answer.status_code == 503
        assert "psycopg" not in answer.text

    async def test_a_client_that_hangs_up_is_no_bug(self, app, tenant, logged):
        headers = {**JSON, **key(tenant, "write"), "content-length": "100"}

        exchange = await conversation(app, "POST", PATH, headers, body=[b'{"te', None])

        assert exchange.status == 499
        assert not [event for event in logged if event["event"] == "bug"]

    async def test_a_client_that_hangs_up_while_a_room_reads(self, app, tenant, logged, texts):
        headers = {**key(tenant, "write"), "content-length": "100"}

        exchange = await conversation(app, "POST", f"{PATH}/forms", headers, body=[b"x", None])

        assert exchange.status == 499
        assert not [event for event in logged if event["event"] == "bug"]
        assert await texts() == []


class TestRender:
    def test_standard_members_are_never_shadowed(self):
        facts: dict[str, Any] = {
            "status": 200,
            "type": "x",
            "code": "other",
            "title": "t",
            "instance": "i",
            "request_id": "r",
        }

        told = rendered(Problem("What happened.", **facts))

        assert (told["status"], told["type"], told["code"]) == (400, "/problems/problem", "problem")

    @pytest.mark.parametrize("fact", ["\ud800", object(), {1, 2}, b"x", {"a": "\udfff"}])
    def test_facts_of_any_kind_can_be_shown(self, fact):
        assert rendered(Problem("What happened.", fact=fact))["fact"]


def rendered(problem):
    request = Request({"type": "http", "method": "GET", "path": "/x", "headers": [], "query_string": b"", "state": {}})
    return httpx.Response(200, content=bytes(render(request, problem).body)).json()
