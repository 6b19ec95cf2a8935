"""The API process: `python -m carrel.entry.web PARENT SOCKET`, started by the supervisor."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI, Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from carrel.auth import router as auth
from carrel.auth import router_members as members
from carrel.auth import router_users as users
from carrel.auth.desk import Desk
from carrel.auth.keyring import ring_of
from carrel.auth.service import Authenticator, ensure_admin_key
from carrel.core.ids import uuid7
from carrel.documents import router as documents
from carrel.entry.house import House, LazyModel, opened
from carrel.entry.running import run
from carrel.entry.wiring import for_requests
from carrel.index import router as index
from carrel.infra.limits import Limiter
from carrel.infra.processes import die_with
from carrel.infra.settings import Objects, Settings
from carrel.infra.telemetry import logs
from carrel.infra.web import Caller, Cursors, Kit
from carrel.infra.web.app import build
from carrel.infra.web.errors import BadRequest
from carrel.infra.web.middleware import Secure
from carrel.infra.web.problems import MEDIA_TYPE, body_of
from carrel.jobs import router as jobs
from carrel.ops import router as ops
from carrel.search import router as search

ROUTERS = [ops.router, documents.router, index.router, search.router, jobs.router, jobs.administration, auth.router]
ROUTERS += [users.router, users.published, members.router]
CURSOR_KEY = "cursors"
GRACE = 2
HEAD_BYTES = 64 * 1024
"""The request line and all headers of a request together."""
TOO_LONG = "The head of the request is too long."
HEAD_HINT = f"Use an HTTP library, and keep the address and the headers together below {HEAD_BYTES // 1024} KiB."
LINGER = 1.0
log = structlog.get_logger("carrel.web")


def openapi() -> dict[str, Any]:
    """The description of the API, made without starting anything."""
    return build(ROUTERS, Objects()).openapi()


@asynccontextmanager
async def equipped(house: House, model: LazyModel) -> AsyncIterator[Kit]:
    """What requests are answered with, for as long as the block runs. The administrator's key is there by then."""
    settings = house.settings
    ring = await ring_of(settings.tokens, house.database, production=settings.environment == "production")
    await ensure_admin_key(house.database, house.data_dir, house.settings.admin_api_key)
    authenticator, desk = Authenticator(house.database, ring), Desk.of(settings, house.database, ring)

    async def identify(request: Request) -> Caller:
        return await authenticator.authenticate(request.headers)

    try:
        yield Kit(
            database=house.database,
            identify=identify,
            providers=for_requests(house, await model.get(), desk),
            cursors=Cursors(await house.database.shared_secret(CURSOR_KEY)),
            json_max_bytes=house.settings.objects.json_max_bytes,
            upload_max_bytes=house.settings.objects.upload_max_bytes,
            limiter=Limiter.of(house.settings.limits, house.cache),
        )
    finally:
        await desk.close()
        await authenticator.close()
        model.close()


class Server(uvicorn.Server):
    """Leaves signals alone: ours end the process in order, and must not be raised a second time."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Protocol(HttpToolsProtocol):
    """HTTP whose own refusals are problems like all others, and that holds no head of a request without end."""

    _reading_head = _refused = False
    _head = 0

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        began_in_head = self._reading_head
        super().data_received(data)
        # A piece that only begins with the end of a body is left to be measured when its head is whole.
        if began_in_head and self._reading_head and not self._refused:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self.send_400_response(TOO_LONG)

    def on_message_begin(self) -> None:
        self._reading_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._reading_head = False
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > HEAD_BYTES:
            raise ValueError(TOO_LONG)  # the parser turns it into a refusal
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse, and let go of the connection once the client has had a moment to read why."""
        request_id = f"req_{uuid7().hex}"
        log.info("unreadable request", request_id=request_id, reason=msg)
        problem = BadRequest("The request is not HTTP, or its head is too long.", hint=HEAD_HINT)
        body = json.dumps(body_of(problem, path="", request_id=request_id)).encode()
        told = [
            *self.server_state.default_headers,
            *Secure.HEADERS,
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        head = b"".join(b"%b: %b\r\n" % header for header in told)
        self._refused = True
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + body)
        self.transport.write_eof()
        # Closed with unread bytes in it, the connection would be reset, and the answer with it.
        self.loop.call_later(LINGER, self.transport.close)


def server_of(app: FastAPI) -> Server:
    """A server for `app`; it ends when its `should_exit` is set."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # It would believe everybody on this machine; `Forwarded` believes TRUSTED_PROXIES.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    return Server(config)


async def serve(settings: Settings, listener: socket.socket) -> None:
    """Answer on `listener` until SIGTERM; requests that are being answered get two seconds to end."""
    app = build(ROUTERS, settings.objects, proxies=settings.limits.trusted_proxies)
    server = server_of(app)

    def stop() -> None:
        server.should_exit = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    async with (
        opened(settings, purpose="api") as house,
        equipped(house, LazyModel(settings, house.data_dir)) as app.state.kit,
    ):
        await server.serve(sockets=[listener])


def main(parent: int, descriptor: int) -> int:
    """Run the API; the exit status tells the supervisor whether another try makes sense."""
    die_with(parent)
    settings = Settings()
    logs.configure(settings.log_level, process="api")
    return run(serve(settings, socket.socket(fileno=descriptor)))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
