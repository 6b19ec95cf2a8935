"""Large files over a real socket."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import httpx
import psutil
import pytest
import uvicorn

from carrel.infra.settings import Objects
from tests.documents.conftest import KEY, application, eventually

pytestmark = pytest.mark.anyio

PIECE = bytes(range(256)) * 1024
HEAD = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\n\r\n'
END = b"\r\n--edge--\r\n"


class Upload:
    """A form with a file of so many pieces, made while it is sent; notes how much memory this process holds."""

    def __init__(self, pieces: int) -> None:
        self.pieces, self.sent, self.peak = pieces, 0, 0
        self.length = len(HEAD) + pieces * len(PIECE) + len(END)
        self.digest = hashlib.sha256()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        process = psutil.Process()
        yield HEAD
        for _ in range(self.pieces):
            self.digest.update(PIECE)
            self.peak = max(self.peak, process.memory_info().rss)
            self.sent += 1
            yield PIECE
        yield END


async def is_started(server: uvicorn.Server) -> bool:
    return server.started


@pytest.fixture
async def url(database, blobs):
    config = uvicorn.Config(
        application(database, blobs, Objects()), port=0, lifespan="off", ws="none", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: is_started(server))
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


async def send(url, tenant, upload, **headers):
    kind = {KEY: str(tenant), "content-type": "multipart/form-data; boundary=edge", **headers}
    async with httpx.AsyncClient(timeout=120) as client:
        return await client.post(f"{url}/api/documents", content=aiter(upload), headers=kind)


async def test_two_hundred_megabytes_pass_through_little_memory(url, tenant, blobs):
    before = psutil.Process().memory_info().rss
    upload = Upload(200 * 2**20 // len(PIECE))

    answer = await send(url, tenant, upload)

    assert answer.status_code == 202
    assert (answer.json()["size_bytes"], answer.json()["sha256"]) == (200 * 2**20, upload.digest.hexdigest())
    # Server and client are both in this process.
    assert upload.peak - before < 64 * 2**20
    await blobs.delete(f"{tenant}/{answer.json()['id']}/1")


async def test_more_than_that_is_refused_at_once_when_it_is_announced(url, tenant, stored_keys, given):
    upload = Upload(300 * 2**20 // len(PIECE))

    answer = await send(url, tenant, upload, **{"content-length": str(upload.length)})

    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert await stored_keys() == []
    assert await given.usage() == (0, 0)


async def test_more_than_that_is_cut_off_when_it_is_not_announced(url, tenant, blobs, given):
    upload = Upload(300 * 2**20 // len(PIECE))

    try:
        answer = await send(url, tenant, upload)
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    except (httpx.WriteError, httpx.ReadError):
        assert upload.sent < upload.pieces  # the server had heard enough

    assert [path for path in blobs.root.rglob("*") if path.is_file()] == []
    assert await given.usage() == (0, 0)


async def test_a_client_that_hangs_up_in_mid_file_leaves_nothing(url, tenant, blobs, given):
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /api/documents HTTP/1.1\r\nHost: {host}\r\n{KEY}: {tenant}\r\nContent-Length: 50000000\r\n"
        "Content-Type: multipart/form-data; boundary=edge\r\n\r\n"
    )
    writer.write(head.encode() + HEAD + PIECE * 16)
    await writer.drain()

    async def arriving() -> bool:
        return any(path.stat().st_size for path in (blobs.incoming).glob("*"))

    await eventually(arriving)
    writer.close()
    await writer.wait_closed()

    async def gone() -> bool:
        return not [path for path in blobs.root.rglob("*") if path.is_file()]

    await eventually(gone)
    assert reader.at_eof() or await reader.read() == b""
    assert await given.usage() == (0, 0)
