"""What every answer carries, what is logged and what is counted."""

import asyncio
from typing import Any

import pytest

from carrel.infra.web.middleware import Observe
from tests.infra.web.conftest import conversation, count, key, series

pytestmark = pytest.mark.anyio

PATH = "/api/notes"
ALL_KINDS = [
    ("GET", PATH),
    ("GET", "/nothing"),
    ("PUT", PATH),
    ("POST", PATH),
    ("OPTIONS", PATH),
    ("HEAD", PATH),
    ("POST", f"{PATH}/fail/bug"),
    ("POST", f"{PATH}/fail/database"),
    ("GET", "/openapi.json"),
]


class TestRequestId:
    @pytest.mark.parametrize("given", ["a", "0198c5a0-0000-7000", "trace:1.2_3-4", "x" * 128])
    async def test_that_is_given_is_kept(self, client, logged, given):
        answer = await client.get("/nothing", headers={"x-request-id": given})

        assert answer.headers["x-request-id"] == answer.json()["request_id"] == given
        assert [event["request_id"] for event in logged if event["event"] == "request"] == [given]

    @pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\tb", "<script>", "é", "x" * 1_000_000])
    async def test_that_could_do_harm_is_replaced(self, client, given):
        answer = await client.get("/nothing", headers={"x-request-id": given.encode("latin-1")})

        assert answer.headers["x-request-id"].startswith("req_")
        assert len(answer.headers["x-request-id"]) == 36

    @pytest.mark.parametrize(("method", "path"), ALL_KINDS)
    async def test_is_on_every_answer(self, client, method, path):
        answer = await client.request(method, path, headers={"x-request-id": "mine"})

        assert answer.headers.get_list("x-request-id") == ["mine"]

    async def test_is_another_for_each_request(self, client):
        answers = await asyncio.gather(*(client.get(PATH) for _ in range(5)))

        assert len({answer.headers["x-request-id"] for answer in answers}) == 5


class TestSecurityHeaders:
    @pytest.mark.parametrize(("method", "path"), ALL_KINDS)
    async def test_are_on_every_answer(self, client, method, path):
        headers = (await client.request(method, path)).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in headers

    async def test_ask_for_encryption_where_there_is_some(self, client):
        answer = await client.get("https://carrel.test/nothing")

        assert answer.headers["strict-transport-security"].startswith("max-age=")


class TestLog:
    async def test_has_one_line_for_each_request(self, client, tenant, logged):
        await client.get(f"{PATH}?tag=private")

        line = next(event for event in logged if event["event"] == "request")
        assert (line["method"], line["route"], line["status"], line["tenant"]) == ("GET", PATH, 200, str(tenant))
        assert "private" not in str(line)

    async def test_of_a_refusal_names_the_tenant_once_it_is_known(self, knock, tenant, logged):
        await knock(tenant, "read").post(PATH)
        await knock(None).post(PATH)

        assert [event["tenant"] for event in logged if event["event"] == "request"] == [str(tenant), None]

    async def test_leaves_out_health_checks(self, client, logged):
        for path in ("/health", "/health/ready", "/api/health", "/metrics"):
            await client.get(path)

        assert not [event for event in logged if event["event"] == "request"]


class TestMetrics:
    async def test_count_by_the_template_of_the_route(self, client):
        before = count("GET", "/api/notes/{note_id}", 200)

        for number in range(3):
            await client.get(f"/api/notes/{number}")

        assert count("GET", "/api/notes/{note_id}", 200) == before + 3

    async def test_never_grow_by_what_strangers_ask_for(self, client):
        await client.get("/nothing")
        await client.put(PATH)
        before = series()

        for number in range(20):
            await client.get(f"/nothing/{number}")
            await client.request(f"ODD{number}", PATH)
            await client.request(f"ODD{number}", f"/nothing/{number}")

        assert series() == before

    async def test_count_faults_under_their_route(self, client):
        before = count("POST", "/api/notes/fail/{how}", 500)

        await client.post(f"{PATH}/fail/bug")

        assert count("POST", "/api/notes/fail/{how}", 500) == before + 1

    async def test_count_head_under_its_route(self, client):
        before = count("HEAD", PATH, 200)

        await client.head(PATH)

        assert count("HEAD", PATH, 200) == before + 1

    async def test_count_a_cancelled_request_as_unavailable(self, client):
        before = count("POST", "/api/notes/fail/{how}", 503)

        with pytest.raises(asyncio.CancelledError):
            await client.post(f"{PATH}/fail/cancelled")

        assert count("POST", "/api/notes/fail/{how}", 503) == before + 1


class TestMethods:
    async def test_head_is_get_without_the_body(self, client):
        got, asked = await client.get(f"{PATH}/open"), await client.head(f"{PATH}/open")

        assert (asked.status_code, asked.content) == (200, b"")
        assert asked.headers["content-length"] == str(len(got.content))
        assert asked.headers["content-type"] == got.headers["content-type"]

    async def test_head_of_what_is_not_there_is_404_and_of_what_is_only_written_405(self, client):
        missing, written = await client.head("/nothing"), await client.head(f"{PATH}/fail/x")

        assert (missing.status_code, missing.content) == (404, b"")
        assert (written.status_code, written.content) == (405, b"")

    async def test_head_needs_the_same_credentials(self, knock):
        assert (await knock(None).head(PATH)).status_code == 401

    async def test_options_lists_the_methods(self, knock):
        answer = await knock(None).options(PATH)

        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"

    async def test_options_of_what_is_not_there_is_404(self, client):
        assert (await client.options("/nothing")).status_code == 404


class TestHostileHeaders:
    @pytest.mark.parametrize("host", ["[", "a b", "x" * 100_000, "[::1", "a:b:c", ""])
    async def test_a_strange_host_harms_nothing(self, app, tenant, host):
        headers = {"host": host, **key(tenant, "read", "write")}

        answers = [
            await conversation(app, "GET", path, headers, body=[b""]) for path in ("/nothing", PATH, "/openapi.json")
        ]

        assert [answer.status for answer in answers] == [404, 200, 200]

    async def test_a_megabyte_of_header_harms_nothing(self, client):
        answer = await client.get(PATH, headers={"x-large": "x" * 2**20, "accept": "y" * 2**20})

        assert answer.status_code == 200

    @pytest.mark.parametrize("length", ["-1", "abc", "²", "1" * 5_000, "0x10", " 5"])
    async def test_a_strange_length_harms_nothing(self, app, tenant, length):
        headers = {"content-length": length, "content-type": "application/json", **key(tenant, "write")}

        answer = await conversation(app, "POST", PATH, headers, body=[b'{"text": "x"}'])

        assert answer.status in {201, 413}


async def unheard(*_: object) -> Any:
    raise AssertionError("Nobody should ask.")


class TestBrokenAnswers:
    async def test_a_fault_in_the_middle_of_an_answer_breaks_the_connection(self, logged):
        async def half(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError, match="in the middle"):
            await conversation(Observe(half), "GET", "/x", {}, body=[b""])

        assert [event["event"] for event in logged] == ["bug", "request"]

    async def test_a_request_that_is_cancelled_is_told_to_come_back(self):
        async def stopped(scope, receive, send):
            raise asyncio.CancelledError

        answers = []

        async def send(message):
            answers.append(message)

        scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], "query_string": b""}
        with pytest.raises(asyncio.CancelledError):
            await Observe(stopped)(scope, unheard, send)

        assert answers[0]["status"] == 503
        assert (b"retry-after", b"2") in answers[0]["headers"]

    async def test_other_protocols_pass(self, app):
        events = []

        async def inner(scope, receive, send):
            events.append(scope["type"])

        await Observe(inner)({"type": "lifespan"}, unheard, unheard)

        assert events == ["lifespan"]
