"""The API process, without the process: its description, its parts, its server."""

import asyncio
import json
import re
import signal
import socket
from contextlib import asynccontextmanager

import pytest

from carrel.entry import web
from carrel.infra.settings import Objects
from carrel.infra.web.app import build
from carrel.infra.web.routing import Terms, unit_routes
from tests.house import (
    KEY,
    acme_fixture,
    eventually,
    home_fixture,
    house_dsn_fixture,
    minilm_fixture,
    opened_home,
    running_home_fixture,
)

__all__ = ["acme_fixture", "home_fixture", "house_dsn_fixture", "minilm_fixture", "running_home_fixture"]
pytestmark = pytest.mark.anyio

ROUTES = unit_routes(build(web.ROUTERS, Objects()))


class TestTheDescription:
    def test_is_made_without_starting_anything_and_is_json(self):
        described = web.openapi()

        assert described["openapi"] == "3.1.0"
        assert json.loads(json.dumps(described)) == described
        assert {"/api/search", "/api/documents", "/api/jobs/{job_id}", "/health/ready"} <= described["paths"].keys()

    def test_names_every_operation_once_and_says_what_it_does(self):
        names = [route.operation_id for route in ROUTES]

        assert len(set(names)) == len(names)
        for route in ROUTES:
            assert re.fullmatch(r"[a-z]+(?:_[a-z]+)*", route.operation_id or "")
            assert len(route.description) > 10

    def test_says_of_every_operation_which_scope_it_needs(self):
        paths = web.openapi()["paths"]
        for route in ROUTES:
            for method in route.methods or () if route.include_in_schema else ():
                operation = paths[route.path_format][method.lower()]
                assert operation.get("x-required-scope") == Terms.of(route).scope
                assert bool(operation["security"]) == bool(Terms.of(route).scope)

    def test_lets_nobody_into_a_path_of_the_api_without_a_scope_by_mistake(self):
        opened = {route.path_format for route in ROUTES if Terms.of(route).scope is None}

        assert not {path for path in opened if path.startswith("/api/")} - {
            "/api/health",
            "/api/auth/register",
            "/api/auth/verify",
            "/api/auth/login",
            "/api/auth/login/totp",
            "/api/auth/oidc",
            "/api/auth/oidc/login",
            "/api/auth/oidc/callback",
            "/api/auth/refresh",
            "/api/auth/password/forgot",
            "/api/auth/password/reset",
            "/api/auth/invitations/accept",
            "/api/branding",
            "/api/branding/logo",
        }


class TestTheParts:
    async def test_come_with_an_administrators_key_that_only_its_owner_can_read(self, home):
        file = home.house.data_dir / "admin.key"

        answer = await home.http.get("/api/admin/api-keys", headers={KEY: file.read_text().strip()})

        assert answer.status_code == 200
        assert file.stat().st_mode & 0o777 == 0o600

    async def test_of_two_processes_accept_each_others_keys_and_cursors(self, home, house_dsn, tmp_path, minilm, acme):
        for _ in range(3):
            await acme.add("Some text.")
        page = await acme.get("/api/documents", limit=1)

        async with opened_home(house_dsn, tmp_path, minilm) as other:
            headers = {KEY: acme.keys["read"]}
            following = await other.http.get(
                "/api/documents", params={"limit": 1, "cursor": page["next_cursor"]}, headers=headers
            )

        assert following.status_code == 200
        assert following.json()["data"][0]["id"] != page["data"][0]["id"]


@asynccontextmanager
async def serving(home):
    """A server on a port of its own, and how to stop it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        server = web.server_of(home.app)
        running = asyncio.create_task(server.serve(sockets=[listener]))

        async def started() -> bool:
            return server.started

        await eventually(started)
        try:
            yield server, running, listener.getsockname()[1]
        finally:
            server.should_exit = True
            await running


class TestTheServer:
    async def test_leaves_the_signals_of_the_process_alone(self, home):
        before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]

        async with serving(home):
            assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before

    async def test_does_not_say_what_it_is_made_of(self, home):
        async with serving(home) as (_, _, port):
            answer = await ask(port, b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"server:" not in answer.lower()
        assert b"uvicorn" not in answer.lower()

    async def test_ends_what_it_has_begun_before_it_stops(self, home, acme):
        body = json.dumps({"content": "Some text."}).encode()
        head = begun(acme.keys["all"])
        async with serving(home) as (server, running, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:5])
            await writer.drain()

            async def is_in_hand() -> bool:
                return bool(server.server_state.tasks)

            await eventually(is_in_hand)
            server.should_exit = True
            await asyncio.sleep(0)
            assert not running.done()
            writer.write(body[5:])
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()

        assert answer.startswith(b"HTTP/1.1 202 Accepted\r\n")
        assert (await acme.get("/api/stats"))["documents"]["total"] == 1

    async def test_stops_although_somebody_never_ends(self, home, acme):
        head = begun(acme.keys["all"])
        async with serving(home) as (server, running, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head + b"Content-Length: 100\r\n\r\n{")
            await writer.drain()

            async def is_in_hand() -> bool:
                return bool(server.server_state.tasks)

            await eventually(is_in_hand)
            server.should_exit = True
            await asyncio.wait_for(asyncio.shield(running), 10)
            writer.close()

        assert (await acme.get("/api/stats"))["documents"]["total"] == 0
        assert await home.objects_of(acme.tenant) == []


def begun(key: str) -> bytes:
    """The head of a request that adds a document, but for the length of its body and the blank line."""
    lines = ("POST /api/documents HTTP/1.1", "Host: x", f"{KEY}: {key}", "Content-Type: application/json", "")
    return "\r\n".join(lines).encode()


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer
