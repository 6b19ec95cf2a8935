"""Pure ASGI layers around every request: identity, log, metrics, security headers, and HEAD."""

import asyncio
import re
import time
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from carrel.core.ids import uuid7
from carrel.infra.web import whence
from carrel.infra.web.caller import Caller
from carrel.infra.web.errors import InternalError, Unavailable
from carrel.infra.web.problems import render

REQUESTS = Counter("http_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "http_request_duration_seconds",
    "Time from the first byte in to the last byte out.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
IN_FLIGHT = Gauge("http_requests_in_flight", "Requests being answered now.")
QUIET = frozenset({"/health", "/health/ready", "/api/health", "/metrics"})
REQUEST_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}")
log = structlog.get_logger("carrel.web")


class Observe:
    """Gives each request an id, and each answer a log line and its place in the metrics.

    A bug, whatever it is, is logged here with its trace and answered without it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        client = scope.get("client")
        came_from = whence.enter(client[0] if client else None, request_id)
        started, status = time.perf_counter(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        IN_FLIGHT.inc()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, noting)
            except Exception:
                log.exception("bug", method=scope["method"], path=scope["path"])
                if status:
                    raise  # half an answer is out: only a broken connection can tell the client
                await render(Request(scope), _fault())(scope, receive, noting)
            except asyncio.CancelledError:
                # Only a server that stops cancels requests.
                if not status:
                    await render(Request(scope), _stopping())(scope, receive, noting)
                raise
            finally:
                whence.leave(came_from)
                IN_FLIGHT.dec()
                self._note(scope, status or 500, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = _place(scope)
        key = (method, route, status)
        if (children := self._children.get(key)) is None:
            children = (REQUESTS.labels(method, route, str(status)), SECONDS.labels(method, route))
            self._children[key] = children
        children[0].inc()
        children[1].observe(seconds)
        if scope["path"] not in QUIET:
            tenant: UUID | None = scope["state"].get("tenant")
            caller: Caller | None = scope["state"].get("caller")
            log.info(
                "request",
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 2),
                tenant=str(tenant) if tenant else None,
                caller=caller.subject if caller else None,
            )


def _place(scope: Scope) -> tuple[str, str]:
    """Method and route template, if the request found both: a stranger's must not make a new series."""
    route = scope.get("route")
    served: set[str] = getattr(route, "methods", None) or set()
    wanted = "GET" if scope["method"] == "HEAD" else scope["method"]
    return (scope["method"], getattr(route, "path", "")) if wanted in served else ("any", "unmatched")


def _fault() -> InternalError:
    return InternalError(
        "An unexpected fault stopped this request.",
        hint="Nothing was changed. Give the request_id to the operator, who finds the reason in the log.",
    )


def _stopping() -> Unavailable:
    return Unavailable(
        "The server stops and could not end this request in time.",
        hint="Send it again in a few seconds, with the same Idempotency-Key if it had one.",
        retry_after=2,
    )


class Secure:
    """Adds the headers that keep browsers from doing what nobody asked for."""

    HEADERS = (
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    )
    POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
    PAGES = ("/docs", "/problems/")
    # The pages for people are plain HTML with one stylesheet of this server: no script runs there.
    DOCS_POLICY = (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    )
    # A key in X-API-Key does not keep shared caches from storing an answer, as Authorization would.
    UNCACHED = (b"cache-control", b"no-store")
    HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        extra = [*self.HEADERS, self.DOCS_POLICY if scope["path"].startswith(self.PAGES) else self.POLICY]
        if scope["scheme"] == "https":
            extra.append(self.HSTS)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", []))
                cached = any(name.lower() == b"cache-control" for name, _ in given)
                message["headers"] = [*given, *extra] if cached else [*given, *extra, self.UNCACHED]
            await send(message)

        await self.app(scope, receive, guarded)


class Head:
    """Answers HEAD as GET is answered, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        asked: Scope = {**scope, "method": "GET"}

        ended = False

        async def bare(message: Message) -> None:
            nonlocal ended
            if message["type"] != "http.response.body":
                await send(message)
            elif not ended:
                # Ended at the first piece: a stream of events would else keep whoever asked for its head.
                ended = True
                await send({**message, "body": b"", "more_body": False})

        try:
            await self.app(asked, receive, bare)
        finally:
            if "route" in asked:
                scope["route"] = asked["route"]  # the metrics outside look for it


def _request_id(given: str | None) -> str:
    return given if given is not None and REQUEST_ID.fullmatch(given) else f"req_{uuid7().hex}"
