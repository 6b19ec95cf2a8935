"""What no HTTP library would send, on a real connection to the real server."""

import asyncio
import json
import socket
from dataclasses import dataclass

import pytest

from carrel.entry.protocol import HEAD_BYTES
from carrel.entry.web import server_of
from tests.hostile.conftest import untouched
from tests.house import PROBLEM_MEMBERS, eventually

pytestmark = pytest.mark.anyio

HEADERS = b"Host: carrel.test\r\nConnection: close\r\nX-API-Key: %b\r\n"
JSON = HEADERS + b"Content-Type: application/json\r\n"
FORM = HEADERS + b"Content-Type: multipart/form-data; boundary=x\r\n"
LARGE = 300 * 2**20

NOT_HTTP = {
    "a method that does not exist": b"BREW /api/search HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "a method in small letters": b"get /api/stats HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "a tunnel": b"CONNECT example.test:443 HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "the beginning of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "a version that does not exist": b"GET /api/stats HTTP/9.9\r\n" + HEADERS + b"\r\n",
    "no path": b"GET  HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "bytes that are no UTF-8 in the path": b"GET /api/documents/\xff\xfe HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "bytes that are no UTF-8 in the query": b"GET /api/documents?tag=\xff\xfe HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "NUL in a header": b"GET /api/stats HTTP/1.1\r\n" + HEADERS + b"X-A: a\x00b\r\n\r\n",
    "a space in a header's name": b"GET /api/stats HTTP/1.1\r\n" + HEADERS + b"X A: b\r\n\r\n",
    "a header of a megabyte": b"GET /api/stats HTTP/1.1\r\n" + HEADERS + b"X-A: " + b"a" * 2**20 + b"\r\n\r\n",
    "a header that never ends": b"GET /api/stats HTTP/1.1\r\n" + HEADERS + b"X-A: " + b"a" * 2**20,
    "too many headers": b"GET /api/stats HTTP/1.1\r\n" + HEADERS + b"X-A: b\r\n" * 20_000 + b"\r\n",
    "an address of a megabyte": b"GET /api/documents/" + b"a" * 2**20 + b" HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "a negative length": b"POST /api/search HTTP/1.1\r\n" + JSON + b"Content-Length: -1\r\n\r\n",
    "a length in words": b"POST /api/search HTTP/1.1\r\n" + JSON + b"Content-Length: ten\r\n\r\n",
    "two lengths": b"POST /api/search HTTP/1.1\r\n" + JSON + b"Content-Length: 2\r\nContent-Length: 9\r\n\r\n{}",
    "a length and chunks": b"POST /api/search HTTP/1.1\r\n"
    + JSON
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk without a size": b"POST /api/search HTTP/1.1\r\n"
    + JSON
    + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
}
ANSWERED = {
    "a method that nobody uses": (b"PROPFIND /api/search HTTP/1.1\r\n" + HEADERS + b"\r\n", 405),
    "escaped bytes that are no text": (b"GET /api/documents/%ff%00%2f..%2f HTTP/1.1\r\n" + HEADERS + b"\r\n", 404),
    "an escaped lone surrogate": (b"GET /api/documents/%ed%a0%80 HTTP/1.1\r\n" + HEADERS + b"\r\n", 404),
    "a way up": (b"GET /api/../api/stats HTTP/1.1\r\n" + HEADERS + b"\r\n", 404),
    "a star": (b"GET * HTTP/1.1\r\n" + HEADERS + b"\r\n", 404),
    "two different keys": (b"GET /api/stats HTTP/1.1\r\n" + HEADERS + b"x-api-key: other\r\n\r\n", 401),
    "a body without its fields": (b"POST /api/search HTTP/1.1\r\n" + JSON + b"Content-Length: 2\r\n\r\n{}", 422),
    "an upload that is announced too large": (
        b"POST /api/documents HTTP/1.1\r\n" + FORM + b"Content-Length: %d\r\n\r\n" % LARGE,
        413,
    ),
    "a question whether it may be too large": (
        b"POST /api/documents HTTP/1.1\r\n" + FORM + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % LARGE,
        413,
    ),
    "a length of nineteen digits": (
        b"POST /api/documents HTTP/1.1\r\n" + FORM + b"Content-Length: " + b"9" * 19 + b"\r\n\r\n",
        413,
    ),
}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture
async def port(home):
    """The application of this module behind a real socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        server = server_of(home.app)
        serving = asyncio.create_task(server.serve(sockets=[listener]))

        async def started() -> bool:
            return server.started

        await eventually(started)
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving


async def send(port: int, request: bytes, key: str) -> Answer:
    """One request as it is, on a connection of its own, and the first answer to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request.replace(b"%b", key.encode(), 1))
        head, _, body = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        body = await asyncio.wait_for(reader.readexactly(int(headers["content-length"])), 10)
        return Answer(int(lines[0].split()[1]), headers, body)
    finally:
        writer.close()


def check(answer: Answer, status: int) -> None:
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    body = json.loads(answer.body)
    assert body.keys() >= PROBLEM_MEMBERS
    assert (body["status"], body["request_id"]) == (status, answer.headers["x-request-id"])


@pytest.mark.parametrize("case", NOT_HTTP)
async def test_what_is_not_http_is_refused_as_a_problem(acme, port, case):
    async with untouched(acme):
        answer = await send(port, NOT_HTTP[case], acme.keys["all"])

        check(answer, 400)

    assert answer.headers["connection"] == "close"
    assert (await send(port, b"GET /health HTTP/1.1\r\n" + HEADERS + b"\r\n", acme.keys["all"])).status == 200


@pytest.mark.parametrize("case", ANSWERED)
async def test_what_is_odd_is_answered_with_a_problem(acme, port, case):
    request, status = ANSWERED[case]
    async with untouched(acme):
        check(await send(port, request, acme.keys["all"]), status)


async def test_a_head_just_below_the_limit_is_read(acme, port):
    long = b"X-A: " + b"a" * (HEAD_BYTES - 1000) + b"\r\n"

    answer = await send(port, b"GET /api/stats HTTP/1.1\r\n" + HEADERS + long + b"\r\n", acme.keys["all"])

    assert answer.status == 200


async def test_a_large_body_behind_a_small_head_is_no_long_head(acme, port):
    body = json.dumps({"content": "lease " * 200_000}).encode()
    request = b"POST /api/documents HTTP/1.1\r\n" + JSON + b"Content-Length: %d\r\n\r\n" % len(body)
    following = b"GET /health HTTP/1.1\r\n" + HEADERS + b"\r\n"

    # On one connection: the end of the body and the head of the next request may come in one piece.
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    keep = request.replace(b"Connection: close\r\n", b"").replace(b"%b", acme.keys["all"].encode(), 1)
    writer.write(keep + body + following.replace(b"%b", b"x", 1))
    answers = await asyncio.wait_for(reader.read(), 20)
    writer.close()

    assert answers.count(b"HTTP/1.1 202 Accepted") == 1
    assert answers.count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.parametrize("kind", ["a text", "a file"])
async def test_a_client_that_goes_away_in_the_middle_leaves_nothing(acme, port, kind):
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + b"lease " * 1000
    begun, form = (b'{"content": "lease', JSON) if kind == "a text" else (part, FORM)
    request = b"POST /api/documents HTTP/1.1\r\n" + form + b"Content-Length: 1000000\r\n\r\n" + begun

    async with untouched(acme):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request.replace(b"%b", acme.keys["all"].encode(), 1))
        await writer.drain()

        async def has_arrived() -> bool:
            text = (await acme.home.http.get("/metrics")).text
            # This request for the metrics is one of them.
            return "http_requests_in_flight 2.0" in text

        await eventually(has_arrived)
        writer.close()

        async def is_over() -> bool:
            return "http_requests_in_flight 1.0" in (await acme.home.http.get("/metrics")).text

        await eventually(is_over)
