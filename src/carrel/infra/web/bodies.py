"""Pure ASGI layers around the body of a request: how large it may be, and who listens to the rest of it."""

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from carrel.infra.web.errors import TooLarge
from carrel.infra.web.problems import render

OVERHEAD = 2**20
"""Bytes that part headers and boundaries may add to what a file may weigh."""
SILENCE = 5.0
LONGEST = 60.0
"""Seconds for which the rest of a refused body is read: between two pieces, and in all."""


class BodyLimit:
    """Refuses bodies over the limit, announced or not, without holding them."""

    def __init__(self, app: ASGIApp, *, json: int, upload: int) -> None:
        self.app, self._json, self._upload = app, json, upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_upload = headers.get("content-type", "").lower().startswith("multipart/")
        limit = self._upload + OVERHEAD if is_upload else self._json
        if _announced(headers) > limit:
            await render(Request(scope), _too_large(limit))(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _too_large(limit)
            return message

        await self.app(scope, counted, send)


class HearOut:
    """Lets a client that listens only once it has sent everything hear an answer that came before.

    Were the connection closed with unread bytes in it, the kernel would throw away the answer too. So the rest of
    the body is read and dropped; the answer itself is on its way by then.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        ended = held = False

        async def noting() -> Message:
            nonlocal ended
            message = await receive()
            ended = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        async def holding(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.body" and not message.get("more_body", False) and not ended:
                held, message = True, {**message, "more_body": True}
            await send(message)

        await self.app(scope, noting, holding)
        if held:
            await _drop_the_rest(noting, lambda: ended)
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drop_the_rest(receive: Receive, is_over: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(LONGEST):
            while not is_over():
                await asyncio.wait_for(receive(), SILENCE)
    except TimeoutError:
        return


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _announced(headers: Headers) -> int:
    declared = headers.get("content-length", "")
    # More than 18 digits are too many for any limit, and thousands of them for int().
    return int(declared[:19]) if declared.isascii() and declared.isdigit() else 0


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The body is larger than {limit:,} bytes.",
        hint="Send larger documents as multipart/form-data, or raise UPLOAD_MAX_BYTES or JSON_MAX_BYTES.",
        limit_bytes=limit,
    )
