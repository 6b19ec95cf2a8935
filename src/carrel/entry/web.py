"""The API process: `python -m carrel.entry.web PARENT SOCKET`, started by the supervisor."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI, Request

from carrel.admin import router as admin
from carrel.auth import router as auth
from carrel.auth import router_audit as audit
from carrel.auth import router_domains as domains
from carrel.auth import router_factors as factors
from carrel.auth import router_groups as groups
from carrel.auth import router_members as members
from carrel.auth import router_openid as openid
from carrel.auth import router_people as people
from carrel.auth import router_tokens as tokens
from carrel.auth import router_users as users
from carrel.auth.adminkey import ensure_admin_key
from carrel.auth.audit_watch import Watch
from carrel.auth.authenticator import Authenticator
from carrel.auth.desk import Desk
from carrel.auth.homes import Homes
from carrel.auth.keyring import ring_of
from carrel.auth.usage import KeyUsage
from carrel.documents import router as documents
from carrel.documents import router_collections as collections
from carrel.entry.house import House, LazyModel, opened
from carrel.entry.protocol import Protocol
from carrel.entry.running import run
from carrel.entry.wiring import for_requests
from carrel.index import router as index
from carrel.infra.limits import Limiter
from carrel.infra.processes import die_with
from carrel.infra.settings import Objects, Settings, Tenancy
from carrel.infra.telemetry import logs
from carrel.infra.web import Caller, Cursors, Kit
from carrel.infra.web.app import Surroundings, build
from carrel.jobs import router as jobs
from carrel.ops import router as ops
from carrel.search import router as search
from carrel.tenants import router as tenants
from carrel.tenants import router_branding as branding
from carrel.tenants.repository_searches import SearchCounts
from carrel.tenants.stock import SearchStock

ROUTERS = [ops.router, documents.router, index.router, search.router, jobs.router, jobs.administration, auth.router]
ROUTERS += [users.router, users.published, members.router, tenants.router]
ROUTERS += [audit.router, tokens.router, groups.router, collections.router]
OPERATORS = [admin.router, domains.operation]
ROUTERS += OPERATORS
ROUTERS += [people.router, factors.router, openid.router]
ROUTERS += [domains.router, branding.router, branding.shown]
CURSOR_KEY = "cursors"
GRACE = 2


def routers(tenancy: Tenancy) -> list[APIRouter]:
    """What the server answers to. Where there is one organisation, nobody manages several."""
    return ROUTERS if tenancy.multi_tenant_mode else [router for router in ROUTERS if router not in OPERATORS]


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
    watch, usage = Watch(house.database), KeyUsage(house.database)
    homes = Homes(house.database)

    async def identify(request: Request) -> Caller:
        return await desk.browsers.caller_of(request, authenticator)

    searches = SearchStock(lambda tenant: SearchCounts(house.database, tenant))
    try:
        async with searches.kept():
            yield Kit(
                database=house.database,
                identify=identify,
                providers=for_requests(house, await model.get(), desk, searches),
                cursors=Cursors(await house.database.shared_secret(CURSOR_KEY)),
                json_max_bytes=house.settings.objects.json_max_bytes,
                upload_max_bytes=house.settings.objects.upload_max_bytes,
                limiter=Limiter.of(house.settings.limits, house.cache),
                observer=watch,
                count=usage.note,
                home_of=homes.home_of,
            )
    finally:
        await homes.close()
        await usage.close()
        await watch.close()
        await desk.close()
        await authenticator.close()
        model.close()


class Server(uvicorn.Server):
    """Leaves signals alone: ours end the process in order, and must not be raised a second time."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server_of(app: FastAPI) -> Server:
    """A server for `app`; it ends when its `should_exit` is set."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
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
    around = Surroundings(
        settings.limits.trusted_proxies, settings.web.cors_origins, settings.hosts, settings.own_hosts
    )
    app = build(routers(settings.tenancy), settings.objects, surroundings=around)
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
