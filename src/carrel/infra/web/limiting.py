"""Rate limits at the edge: who is charged for a request, what its answer says about it, and where it came from."""

from collections.abc import Awaitable, Callable, Sequence
from math import ceil

from fastapi import Request
from prometheus_client import Counter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from carrel.core.clock import now
from carrel.core.errors import Problem
from carrel.infra.limits import Level, Limiter, Verdict, class_of
from carrel.infra.limits.addresses import Network, client_of, is_trusted
from carrel.infra.web.caller import Caller
from carrel.infra.web.cookies import sessions_sent
from carrel.infra.web.errors import TooManyRequests

REFUSED = Counter("rate_limited_total", "Requests that a rate limit refused.", ["limit"])
READING = frozenset({"GET", "HEAD", "OPTIONS"})
CREDENTIALS = frozenset({b"x-api-key", b"authorization"})
WHOSE = {
    "tenant": "Your organization has",
    "key": "This key has",
    "address": "Your address has",
}


async def known(limiter: Limiter | None, identify: Callable[[Request], Awaitable[Caller]], request: Request) -> Caller:
    """Who asks. Raises what `identify` raises, and `TooManyRequests` where that has failed too often."""
    credentials = b"\0".join([value for name, value in request.scope["headers"] if name in CREDENTIALS])
    credentials = credentials or sessions_sent(request)
    if limiter is None or not credentials:
        return await identify(request)
    address = _address(request)
    if (refusal := limiter.door.refusal(address, credentials)) is not None:
        _judge(request, refusal)
    try:
        caller = await identify(request)
    except Problem as problem:
        if problem.status == 401:
            _judge(request, await limiter.door.failed(address, credentials))
        raise
    limiter.door.passed(credentials)
    return caller


async def charge(limiter: Limiter | None, caller: Caller, scope: str, request: Request) -> None:
    """Charge a request that needs `scope` to its caller. Raises `TooManyRequests`."""
    if limiter is not None:
        kind = class_of(scope, is_file=scope == "write" and _is_form(request))
        _judge(request, await limiter.charge(caller, kind))


async def charge_stranger(limiter: Limiter | None, request: Request) -> None:
    """Charge a request that is open to everybody to the client's address. Raises `TooManyRequests`.

    Reading what is open (health, metrics, the reference) is free.
    """
    if limiter is not None and request.method not in READING:
        _judge(request, await limiter.door.enter(_address(request)))


def _judge(request: Request, verdict: Verdict) -> None:
    request.state.limits = verdict
    if verdict.allowed:
        return
    level = verdict.tightest
    REFUSED.labels(level.name).inc()
    whose = WHOSE.get(level.name, f"For calls of the class `{level.name}`, your organization has")
    raise TooManyRequests(
        f"{whose} used up what is allowed: {level.limit} within {level.window:.0f} seconds.",
        hint="Wait as long as Retry-After says; the header RateLimit of each answer helps to pace calls.",
        limit=level.name,
        retry_after=round(level.retry_after, 3),
    )


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/")


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


class Tell:
    """Adds to each answer how much its caller may still ask for."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start" and (verdict := state.get("limits")) is not None:
                message["headers"] = [*message.get("headers", []), *_headers(verdict)]
            await send(message)

        await self.app(scope, receive, telling)


def _headers(verdict: Verdict) -> list[tuple[bytes, bytes]]:
    first = verdict.tightest
    policies = ", ".join(f'"{level.name}";q={level.limit};w={level.window:.0f}' for level in verdict.levels)
    return [
        (b"ratelimit", ", ".join(map(_shown, verdict.levels)).encode()),
        (b"ratelimit-policy", policies.encode()),
        (b"x-ratelimit-limit", b"%d" % first.limit),
        (b"x-ratelimit-remaining", b"%d" % first.remaining),
        (b"x-ratelimit-reset", b"%d" % ceil(now().timestamp() + first.reset)),
    ]


def _shown(level: Level) -> str:
    return f'"{level.name}";r={level.remaining};t={ceil(level.reset)}'


class Forwarded:
    """Lets every layer inside see the client where a trusted proxy speaks for it, else whoever holds the socket.

    The same holds for the scheme and the name by which the client has called.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self.app, self.trusted = app, trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.get("client")
        if peer and scope["type"] == "http" and is_trusted(peer[0], self.trusted):
            headers = Headers(scope=scope)
            client = client_of(peer[0], headers.getlist("x-forwarded-for"), self.trusted)
            scheme = headers.get("x-forwarded-proto", "").strip().lower()
            scope = {
                **scope,
                "headers": _named_as(scope["headers"], headers.getlist("x-forwarded-host")),
                "client": (client, peer[1] if client == peer[0] else 0),
                "scheme": scheme if scheme in {"http", "https"} else scope["scheme"],
            }
        await self.app(scope, receive, send)


def _named_as(headers: list[tuple[bytes, bytes]], forwarded: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """The headers with the name that the client used; of several, the one that the proxy beside us has added."""
    name = ",".join(forwarded).rpartition(",")[2].strip()
    if not name:
        return headers
    return [*(header for header in headers if header[0] != b"host"), (b"host", name.encode("latin-1"))]
