"""Clients that are slow on purpose, on a real connection to the real server."""

import asyncio
import json

import pytest

from carrel.entry import protocol
from tests.entry.test_web import begun, serving
from tests.house import (
    acme_fixture,
    home_fixture,
    house_dsn_fixture,
    minilm_fixture,
    running_home_fixture,
)

__all__ = ["acme_fixture", "home_fixture", "house_dsn_fixture", "minilm_fixture", "running_home_fixture"]
pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Ten seconds and thirty, shortened."""
    assert (protocol.HEAD_PATIENCE, protocol.BODY_PATIENCE) == (10, 30)
    monkeypatch.setattr(protocol, "HEAD_PATIENCE", 0.3)
    monkeypatch.setattr(protocol, "BODY_PATIENCE", 0.5)


async def dripped(port: int, begin: bytes, drops: bytes, pause: float) -> bytes:
    """What is heard while one byte after another is sent, until the server lets go."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begin)
    heard = asyncio.create_task(reader.read())
    for drop in drops:
        if heard.done() or reader.at_eof():
            break
        writer.write(bytes([drop]))
        await asyncio.sleep(pause)
    answer = await asyncio.wait_for(heard, 10)
    writer.close()
    return answer


def refused_as_late(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"x-content-type-options: nosniff" in head
    assert b"content-security-policy: default-src 'none'" in head
    return head.startswith(b"HTTP/1.1 408 ") and json.loads(body)["code"] == "request-timeout"


async def test_a_head_that_drips_is_given_up(home):
    async with serving(home) as (_, _, port):
        answer = await dripped(port, b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: ", b"a" * 100, 0.05)

    assert refused_as_late(answer)


async def test_a_connection_on_which_nothing_comes_is_closed(home):
    async with serving(home) as (_, _, port):
        assert await dripped(port, b"", b"", 0) == b""


async def test_a_body_that_stops_is_given_up_and_leaves_nothing(home, acme):
    async with serving(home) as (_, _, port):
        answer = await dripped(port, begun(acme.keys["all"]) + b'Content-Length: 100\r\n\r\n{"content"', b"", 0)

    assert refused_as_late(answer)
    assert (await acme.get("/api/stats"))["documents"]["total"] == 0
    assert await home.objects_of(acme.tenant) == []


async def test_a_body_that_is_slow_but_goes_on_is_read_to_its_end(home, acme):
    body = json.dumps({"content": "text"}).encode()
    head = begun(acme.keys["all"]) + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)

    async with serving(home) as (_, _, port):
        answer = await dripped(port, head, body, 0.05)

    assert answer.startswith(b"HTTP/1.1 202 Accepted")


async def test_a_second_head_on_the_same_connection_is_watched_as_well(home):
    whole = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    async with serving(home) as (_, _, port):
        answer = await dripped(port, whole + b"GET /health HTTP/1.1\r\nX-A: ", b"a" * 100, 0.05)

    first, _, second = answer.partition(b"HTTP/1.1 408 ")
    assert first.startswith(b"HTTP/1.1 200 OK")
    assert b"request-timeout" in second


async def test_a_client_that_waits_for_a_long_answer_is_not_late(home, acme):
    body = json.dumps({"content": "Nobody reads this."}).encode()
    head = begun(acme.keys["all"]).replace(b"/api/documents", b"/api/documents?wait=1")

    async with serving(home) as (_, _, port):
        whole = head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        answer = await dripped(port, whole, b"", 0)

    assert answer.startswith(b"HTTP/1.1 202 Accepted")
