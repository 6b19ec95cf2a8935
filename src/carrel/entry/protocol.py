"""HTTP on the wire: what it takes beyond uvicorn to be safe from requests that are broken, endless, or never end."""

import asyncio
import json
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from carrel.core.errors import Problem
from carrel.core.ids import uuid7
from carrel.infra.web.errors import BadRequest, RequestTimeout
from carrel.infra.web.middleware import Secure
from carrel.infra.web.problems import MEDIA_TYPE, body_of

HEAD_BYTES = 64 * 1024
"""The request line and all headers of a request together."""
HEAD_PATIENCE = 10.0
"""Seconds for the request line and all headers; on a new connection, from its beginning on."""
BODY_PATIENCE = 30.0
"""Seconds between two pieces of a body."""
LINGER = 1.0
"""Seconds for a client to read why it was refused."""
TOO_LONG = "The head of the request is too long."
HEAD_HINT = f"Use an HTTP library, and keep the address and the headers together below {HEAD_BYTES // 1024} KiB."
REASONS = {400: b"Bad Request", 408: b"Request Timeout"}
log = structlog.get_logger("carrel.web")


class Protocol(HttpToolsProtocol):
    """HTTP whose own refusals are problems like all others, and that waits for nothing without end."""

    _reading_head = _reading_body = _refused = False
    _head = 0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait(HEAD_PATIENCE, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

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
        self._reading_head, self._reading_body, self._head = True, False, 0
        self._wait(HEAD_PATIENCE, self._head_is_late)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._reading_head, self._reading_body = False, True
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > HEAD_BYTES:
            raise ValueError(TOO_LONG)  # the parser turns it into a refusal
        self._wait(BODY_PATIENCE, self._body_is_late)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._wait(BODY_PATIENCE, self._body_is_late)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._reading_body = False
        self._stop_waiting()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, and let go of the connection."""
        self._refuse(BadRequest("The request is not HTTP, or its head is too long.", hint=HEAD_HINT), msg)

    def _wait(self, seconds: float, late: Any) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(seconds, late)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _head_is_late(self) -> None:
        if self._reading_head:
            self._refuse_slowness(f"The head of the request was not there after {HEAD_PATIENCE:.0f} seconds.")
        elif not self.transport.is_closing():
            self.transport.close()  # not a byte came: nobody is there to be told

    def _body_is_late(self) -> None:
        if self.flow.read_paused:
            # It is we who do not read: whoever has the request in hand is busy, or those before it are.
            self._wait(BODY_PATIENCE, self._body_is_late)
        elif self._reading_body:
            self._refuse_slowness(f"No part of the body came for {BODY_PATIENCE:.0f} seconds.")

    def _refuse_slowness(self, detail: str) -> None:
        self._refuse(RequestTimeout(detail, hint="Send the request without pauses, or try again."), detail)

    def _refuse(self, problem: Problem, reason: str) -> None:
        request_id = f"req_{uuid7().hex}"
        log.info("request refused", request_id=request_id, code=problem.code, reason=reason)
        self._refused = True
        self._stop_waiting()
        if not self._is_half_answered():
            self.transport.write(_written(problem, request_id, self.server_state.default_headers))
        if self._in_hand is not None:
            # Whoever works on it hears that the client is gone, and answers nobody.
            self._in_hand.disconnected = True
            self._in_hand.message_event.set()
        if not self.pipeline:
            self.transport.write_eof()
        # Closed with unread bytes in it, the connection would be reset, and the answer with it.
        self.loop.call_later(LINGER, self.transport.close)

    @property
    def _in_hand(self) -> RequestResponseCycle | None:
        # uvicorn declares that there always is one, and begins without.
        cycle: RequestResponseCycle | None = getattr(self, "cycle", None)
        return None if cycle is None or cycle.response_complete else cycle

    def _is_half_answered(self) -> bool:
        return self._in_hand is not None and self._in_hand.response_started


def _written(problem: Problem, request_id: str, headers: list[tuple[bytes, bytes]]) -> bytes:
    body = json.dumps(body_of(problem, path="", request_id=request_id)).encode()
    told = [
        *headers,
        *Secure.HEADERS,
        Secure.POLICY,
        Secure.UNCACHED,
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        (b"connection", b"close"),
    ]
    head = b"".join(b"%b: %b\r\n" % header for header in told)
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (problem.status, REASONS[problem.status], head, body)
