"""The app factory: routers in, one ASGI application out."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI

from carrel import __version__
from carrel.infra.limits.addresses import Network
from carrel.infra.settings import Objects
from carrel.infra.web import problems
from carrel.infra.web.bodies import BodyLimit, HearOut
from carrel.infra.web.hosts import ANY, Hosts
from carrel.infra.web.limiting import Forwarded, Tell
from carrel.infra.web.middleware import Head, Observe, Secure
from carrel.infra.web.openapi import described
from carrel.infra.web.origins import Cors

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
DESCRIPTION = """Documents go in; passages come out, each with its document, version, page and character range.

Send your key as `X-API-Key: ck_...` or `Authorization: Bearer ck_...`, the token of a login or of a tenant as
`Authorization: Bearer`. Every failure is `application/problem+json` with a stable `code`, a `request_id` and, where
there is something to do, a `hint`. Changing POSTs accept an `Idempotency-Key`."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lies between the server and its callers."""

    proxies: Sequence[Network] = ()
    """What these say about the clients behind them is believed."""
    origins: Sequence[str] = ()
    """Pages of these may call from a browser."""
    hosts: Sequence[str] = (ANY,)
    """The names that the server answers to, beside those of organisations."""
    own: Sequence[str] = ()
    """The names that no organisation can have."""


NOTHING_BETWEEN = Surroundings()


def build(
    routers: Iterable[APIRouter],
    limits: Objects,
    lifespan: Lifespan | None = None,
    *,
    surroundings: Surroundings = NOTHING_BETWEEN,
) -> FastAPI:
    """An application over `routers`. `app.state.kit` must be set before the first request, usually by `lifespan`."""
    app = FastAPI(
        title="Carrel",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in routers:
        app.include_router(router)
    problems.install(app)
    # The last one added is the outermost: it meets the request first and sees its answer last.
    app.add_middleware(BodyLimit, json=limits.json_max_bytes, upload=limits.upload_max_bytes)
    app.add_middleware(Head)
    app.add_middleware(Hosts, allowed=surroundings.hosts, own=surroundings.own)
    app.add_middleware(Observe)
    app.add_middleware(Tell)
    if surroundings.origins:
        app.add_middleware(Cors, origins=surroundings.origins)
    app.add_middleware(Secure)
    if surroundings.proxies:
        app.add_middleware(Forwarded, trusted=surroundings.proxies)
    app.add_middleware(HearOut)
    app.openapi = lambda: described(app)  # type: ignore[method-assign]
    return app
