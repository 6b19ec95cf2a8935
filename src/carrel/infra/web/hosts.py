"""By which names the server may be called."""

from collections.abc import Iterable, Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from carrel.core.errors import Problem
from carrel.core.ids import TenantId
from carrel.infra.web.errors import BadRequest, HostNotAllowed
from carrel.infra.web.middleware import QUIET
from carrel.infra.web.problems import LONGEST_NAME, render

ANY = "*"


class Hosts:
    """Refuses requests for a name that is not this server's, and requests that name two.

    A name that an organisation was verified for is good too, and the request knows whose it is. `own` are names that
    never are an organisation's. Health and metrics answer to any name: whoever asks for them knows the machine by its
    address.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str], own: Iterable[str] = ()) -> None:
        self.app, self._allowed, self._own = app, tuple(allowed), tuple(own)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self.app(scope, receive, send)
            return
        named = Headers(scope=scope).getlist("host")
        if len(named) > 1:
            problem: Problem | None = BadRequest(
                "The request has more than one header Host.", hint="Send the header Host once."
            )
        else:
            problem = await self._settle(scope, named)
        await (self.app if problem is None else render(Request(scope), problem))(scope, receive, send)

    async def _settle(self, scope: Scope, named: Sequence[str]) -> Problem | None:
        """Note whose the name is. Gives why the request is refused, if it is."""
        name = name_of(named[0] if named else "")
        is_good, failure, home = is_allowed(name, self._allowed), None, None
        try:
            home = await self._home_of(scope, name)
        except Problem as problem:
            # Nobody can tell now whose the name is; one that is good anyway goes on as the server's own.
            failure = problem
        scope.setdefault("state", {})["home"] = home
        return None if is_good or home is not None else failure or _refused(named)

    async def _home_of(self, scope: Scope, name: str) -> TenantId | None:
        app: Any = scope.get("app")
        kit = getattr(app.state, "kit", None) if app is not None else None
        if kit is None or kit.home_of is None or is_allowed(name, self._own):
            return None
        found: TenantId | None = await kit.home_of(name)
        return found


def name_of(host: str) -> str:
    """The name in a header Host, without its port; IPv6 addresses keep their brackets."""
    name, colon, port = host.rpartition(":")
    return (name if colon and (port.isdigit() or not port) else host).lower().removesuffix(".")


def is_allowed(name: str, allowed: Sequence[str]) -> bool:
    """Whether a name is one of these: `*` is any, `*.example.org` any below example.org."""
    return any(
        one in {ANY, name} or (one.startswith("*.") and name.endswith(one[1:]) and len(name) >= len(one))
        for one in allowed
    )


def _refused(named: Sequence[str]) -> HostNotAllowed:
    shown = named[0][:LONGEST_NAME] if named else "none"
    return HostNotAllowed(
        f"This server does not answer to the name {shown}.",
        hint="Call it by its own name. Its operator names it with PUBLIC_URL and ALLOWED_HOSTS.",
    )
