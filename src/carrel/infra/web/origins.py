"""Which pages of other origins may call from a browser (CORS). Pure ASGI."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANY = "*"
ACCEPTED = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-API-Key, X-CSRF-Token, "
    "X-Request-ID"
)
EXPOSED = (
    "ETag, Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, X-RateLimit-Limit, "
    "X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID"
)
KEPT_FOR = "600"
"""Seconds for which a browser need not ask again: a change of CORS_ORIGINS shall not take a day."""


class Cors:
    """Tells browsers that the pages of `origins` may call and read the answers.

    Whether a call is good is decided inside, as for everybody; a browser's question before a call needs no
    credentials. Cookies go along from the origins that are named, never where everybody may call (`*`).
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self.app, self._origins = app, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        told = self._told(headers.get("origin"))
        is_question = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        is_granted = is_question and any(name == b"access-control-allow-origin" for name, _ in told)

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", []))
                message["headers"] = [*given, *told, *(_granted(given) if is_granted else ())]
            await send(message)

        await self.app(scope, receive, telling)

    def _told(self, origin: str | None) -> list[tuple[bytes, bytes]]:
        exposed = (b"access-control-expose-headers", EXPOSED.encode())
        if ANY in self._origins:
            return [(b"access-control-allow-origin", b"*"), exposed] if origin else []
        # A cache must not give one origin what was meant for another.
        vary = (b"vary", b"Origin")
        if origin is None or origin not in self._origins:
            return [vary]
        return [
            vary,
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
            exposed,
        ]


def _granted(given: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What a browser may send afterwards; the methods are those that the path says it answers to."""
    allow = next((value for name, value in given if name.lower() == b"allow"), b"GET, HEAD, OPTIONS")
    return [
        (b"access-control-allow-methods", allow),
        (b"access-control-allow-headers", ACCEPTED.encode()),
        (b"access-control-max-age", KEPT_FOR.encode()),
    ]
