"""By which names the server may be called."""

from collections.abc import Iterable, Sequence

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from carrel.infra.web.errors import BadRequest, HostNotAllowed
from carrel.infra.web.middleware import QUIET
from carrel.infra.web.problems import LONGEST_NAME, render

ANY = "*"


class Hosts:
    """Refuses requests for a name that is not this server's, and requests that name two.

    Health and metrics answer to any name: whoever asks for them knows the machine by its address.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str]) -> None:
        self.app, self._allowed = app, tuple(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self.app(scope, receive, send)
            return
        named = Headers(scope=scope).getlist("host")
        if len(named) > 1:
            problem = BadRequest("The request has more than one header Host.", hint="Send the header Host once.")
            await render(Request(scope), problem)(scope, receive, send)
        elif not is_allowed(name_of(named[0] if named else ""), self._allowed):
            await render(Request(scope), _refused(named))(scope, receive, send)
        else:
            await self.app(scope, receive, send)


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
