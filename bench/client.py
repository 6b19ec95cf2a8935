"""A small HTTP/1.1 client, because a comfortable one would cost more than some of the answers it waits for."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import httptools
import numpy as np

PATIENCE = 60.0


class Connection(asyncio.Protocol):
    """One kept connection: one request at a time, and the whole of its answer."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._answer: asyncio.Future[bytes] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self.status = 0

    async def ask(self, request: bytes) -> bytes:
        """Send a request and return the body of the answer; `status` is that of the answer."""
        if self._transport is None:
            raise RuntimeError("The connection is not open.")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await asyncio.wait_for(self._answer, PATIENCE)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # a stream's, though uvloop's does not say so

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("The server closed the connection."))

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        body, self._parts = b"".join(self._parts), []
        self._parser = httptools.HttpResponseParser(self)
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(body)


@dataclass(frozen=True, slots=True)
class Load:
    """What several connections measured together; latencies are milliseconds."""

    seconds: float
    latencies: Sequence[float]
    client_cpu_ms: float
    """Of this process, for each request."""
    server_cpu_ms: float | None = None
    """Of all processes of the server, where somebody looked."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        return float(np.percentile(self.latencies, percent))


@dataclass(frozen=True, slots=True)
class Client:
    """A caller with a key."""

    host: str
    port: int
    key: str

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """A request as its bytes, to be sent as often as one likes."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nX-API-Key: {self.key}\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        return head.encode() + b"\r\n" + content

    @asynccontextmanager
    async def connections(self, count: int) -> AsyncIterator[list[Connection]]:
        """Open connections, closed at the end."""
        async with AsyncExitStack() as stack:
            yield [await self._opened(stack) for _ in range(count)]

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """One call on a connection of its own; the answer read as JSON."""
        async with self.connections(1) as [connection]:
            return json.loads(await checked(connection, self.request(method, path, body)))

    async def all(self, requests: Sequence[bytes], connections: int) -> list[bytes]:
        """The answers to many requests, in their order, asked over several connections."""
        answers = [b""] * len(requests)
        waiting = iter(enumerate(requests))

        async def work(connection: Connection) -> None:
            for place, request in waiting:
                answers[place] = await checked(connection, request)

        async with self.connections(connections) as opened, asyncio.TaskGroup() as group:
            for connection in opened:
                group.create_task(work(connection))
        return answers

    async def _opened(self, stack: AsyncExitStack) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, self.host, self.port)
        stack.callback(connection.close)
        return connection

    async def load(self, requests: Sequence[bytes], connections: int) -> Load:
        """Send requests as fast as the answers come, over several connections."""
        waiting, latencies = iter(requests), list[float]()
        async with self.connections(connections) as opened:
            started, cpu = time.perf_counter(), time.process_time()
            async with asyncio.TaskGroup() as group:
                for connection in opened:
                    group.create_task(_time(connection, waiting, latencies))
            seconds, spent = time.perf_counter() - started, time.process_time() - cpu
        return Load(seconds, latencies, spent / len(requests) * 1000)


async def checked(connection: Connection, request: bytes) -> bytes:
    """The body of an answer. Raises `RuntimeError` when it is not a success: a refusal must not count as an answer."""
    body = await connection.ask(request)
    if not 200 <= connection.status < 300:
        line = request.partition(b"\r\n")[0].decode()
        raise RuntimeError(f"{line} was answered with {connection.status}: {body[:500].decode(errors='replace')}")
    return body


async def _time(connection: Connection, waiting: Iterator[bytes], latencies: list[float]) -> None:
    for request in waiting:
        began = time.perf_counter()
        await checked(connection, request)
        latencies.append((time.perf_counter() - began) * 1000)
