"""What only a real connection shows: who hears the answer, and what becomes of the connection."""

import asyncio
import contextlib
import json
from dataclasses import dataclass

import httpx
import pytest

from tests.infra.web.conftest import key

pytestmark = pytest.mark.anyio

PATH = "/api/notes"
HUGE = 50 * 2**20
PIECE = b"x" * 2**20


@dataclass
class Line:
    """A connection of a client that does everything by hand."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *lines: str, body: bytes = b"") -> None:
        self.writer.write("\r\n".join((*lines, "Host: carrel.test", "", "")).encode() + body)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(20):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split()[1]), headers, body


@pytest.fixture
async def line(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield Line(reader, writer)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


class TestLargeBodies:
    @pytest.mark.parametrize("connection", ["keep-alive", "close"])
    async def test_a_client_that_sends_everything_first_hears_the_refusal(self, line, connection):
        await line.send(
            f"POST {PATH} HTTP/1.1",
            f"Content-Length: {HUGE}",
            "Content-Type: application/json",
            f"Connection: {connection}",
        )
        for _ in range(HUGE // len(PIECE)):
            line.writer.write(PIECE)
            await line.writer.drain()

        status, _, body = await line.answer()

        assert (status, json.loads(body)["code"]) == (413, "too-large")

    async def test_the_same_without_a_length(self, line, tenant):
        credentials = key(tenant, "write")["x-api-key"]
        await line.send(
            f"POST {PATH} HTTP/1.1",
            "Transfer-Encoding: chunked",
            "Content-Type: application/json",
            f"X-API-Key: {credentials}",
            "Connection: close",
        )
        for _ in range(HUGE // len(PIECE)):
            line.writer.write(b"%x\r\n%s\r\n" % (len(PIECE), PIECE))
            await line.writer.drain()
        line.writer.write(b"0\r\n\r\n")

        status, _, body = await line.answer()

        assert (status, json.loads(body)["code"]) == (413, "too-large")

    async def test_without_credentials_too(self, line):
        await line.send(f"POST {PATH}/forms HTTP/1.1", "Content-Length: 9000", "Connection: close", body=b"x" * 9000)

        assert (await line.answer())[0] == 401

    async def test_the_refusal_comes_before_the_body_is_sent(self, line):
        await line.send(f"POST {PATH} HTTP/1.1", f"Content-Length: {HUGE}", "Expect: 100-continue")

        status, _, _ = await line.answer()

        assert status == 413

    async def test_a_client_that_neither_sends_nor_leaves_is_let_go(self, line, monkeypatch):
        monkeypatch.setattr("carrel.infra.web.bodies.SILENCE", 0.1)
        await line.send(f"POST {PATH} HTTP/1.1", f"Content-Length: {HUGE}", "Connection: close")

        assert (await line.answer())[0] == 413
        async with asyncio.timeout(10):
            assert await line.reader.read() == b""


class TestConnections:
    async def test_go_on_after_a_refusal(self, line, tenant):
        credentials = key(tenant, "read", "write")["x-api-key"]
        large = "x" * 20_000
        requests: list[tuple[str, str, int]] = [
            (f"POST {PATH}", '{"text": ', 400),
            (f"POST {PATH}", "{}", 422),
            (f"POST {PATH}", large, 413),
            (f"PUT {PATH}", "{}", 405),
            ("POST /nothing", large, 413),
            ("POST /nothing", "{}", 404),
            (f"POST {PATH}/fail/bug", "{}", 500),
            (f"POST {PATH}", '{"text": "at last"}', 201),
        ]
        for request, body, expected in requests:
            await line.send(
                f"{request} HTTP/1.1",
                f"X-API-Key: {credentials}",
                "Content-Type: application/json",
                f"Content-Length: {len(body)}",
                body=body.encode(),
            )

            status, headers, _ = await line.answer()

            assert (request, status) == (request, expected)
            assert headers.get("connection") != "close"

    async def test_answer_head_without_a_body(self, line):
        await line.send(f"HEAD {PATH}/open HTTP/1.1")
        head = await line.reader.readuntil(b"\r\n\r\n")
        await line.send(f"GET {PATH}/open HTTP/1.1")

        assert b"content-length: 13" in head
        assert (await line.answer())[2] == b'{"open":true}'

    async def test_that_are_dropped_are_no_bugs(self, port, tenant, texts, logged):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        dropped = Line(reader, writer)
        credentials = key(tenant, "write")["x-api-key"]
        await dropped.send(
            f"POST {PATH} HTTP/1.1",
            f"X-API-Key: {credentials}",
            "Content-Type: application/json",
            "Content-Length: 100",
            body=b'{"text": "ha',
        )
        writer.close()

        async with asyncio.timeout(10):
            while not (lines := [event for event in logged if event["event"] == "request"]):
                await asyncio.sleep(0.01)
        assert [event["status"] for event in lines] == [499]
        assert not [event for event in logged if event["event"] == "bug"]
        assert await texts() == []

    async def test_carry_a_megabyte_of_header(self, port):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            answer = await client.get(f"{PATH}/open", headers={"x-large": "x" * 2**20, "x-request-id": "y" * 2**20})

        assert answer.status_code == 200
        assert answer.headers["x-request-id"].startswith("req_")


class TestStop:
    async def test_requests_that_do_not_end_are_told_to_come_back(self, app, port, tenant, texts):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=key(tenant, "write")) as client:
            hanging = asyncio.create_task(client.post(f"{PATH}/slow", json={"text": "never"}, timeout=20))
            await _until_held(app)
            app.state.server.should_exit = True

            answer = await hanging

        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert await texts() == []


async def _until_held(app) -> None:
    async with asyncio.timeout(10):
        while not app.state.gate._waiters:
            await asyncio.sleep(0.01)
