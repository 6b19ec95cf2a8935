import asyncio
import json
import time
from contextlib import asynccontextmanager

import pytest

from bench.client import Client, Load, checked

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def given_server(answer):
    """A server that speaks just enough HTTP; `answer` makes bytes of a request's head and body."""

    async def serve(reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = [int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
                writer.write(answer(head, await reader.readexactly(length[0]) if length else b""))
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass  # the client has gone, as it may
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Client("127.0.0.1", server.sockets[0].getsockname()[1], "ck_test")


def plain(body, status="200 OK"):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def test_a_call_sends_key_and_json_and_reads_json():
    seen = []

    def answer(head, body):
        seen.append((head, json.loads(body)))
        return plain(b'{"found": 1}')

    async with given_server(answer) as client:
        assert await client.call("POST", "/api/search", {"query": "é"}) == {"found": 1}

    [(head, body)] = seen
    assert head.startswith(b"POST /api/search HTTP/1.1\r\n")
    assert b"X-API-Key: ck_test\r\n" in head
    assert body == {"query": "é"}


async def test_answers_come_in_the_order_of_their_requests_over_several_connections():
    def answer(head, _):
        return plain(head.split()[1])

    async with given_server(answer) as client:
        requests = [client.request("GET", f"/{number}") for number in range(50)]
        answers = await client.all(requests, 4)

    assert answers == [f"/{number}".encode() for number in range(50)]


async def test_an_answer_in_chunks_is_read_whole_and_the_connection_goes_on():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    async with given_server(lambda head, body: chunked) as client, client.connections(1) as [connection]:
        answers = [await checked(connection, client.request("GET", "/")) for _ in range(2)]

    assert answers == [b"abcde", b"abcde"]


async def test_a_refusal_is_no_answer():
    async with given_server(lambda head, body: plain(b"too many", "429 Too Many Requests")) as client:
        with pytest.raises(RuntimeError, match=r"GET /x HTTP/1\.1 was answered with 429: too many"):
            await client.call("GET", "/x")


async def test_a_connection_that_ends_in_the_middle_is_an_error():
    def answer(head, body):
        raise asyncio.IncompleteReadError(b"", 1)

    async with given_server(answer) as client:
        with pytest.raises(ConnectionError):
            await client.call("GET", "/")


async def test_a_load_times_every_request():
    def answer(head, body):
        time.sleep(0.002)
        return plain(b"{}")

    async with given_server(answer) as client:
        load = await client.load([client.request("GET", "/")] * 30, 3)

    assert len(load.latencies) == 30
    assert min(load.latencies) >= 2
    assert load.rate == pytest.approx(30 / load.seconds)
    assert load.client_cpu_ms > 0


def test_percentiles_are_those_of_the_latencies():
    load = Load(seconds=2.0, latencies=[1.0, 2.0, 3.0, 4.0, 100.0], client_cpu_ms=0.1)

    assert (load.percentile(50), load.percentile(100), load.rate) == (3.0, 100.0, 2.5)
