"""Every answer carries the headers that keep browsers from doing what nobody asked for, whatever went wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from carrel.entry.web import ROUTERS
from carrel.infra import mail
from carrel.infra.settings import Objects
from carrel.infra.web.app import Surroundings, build
from carrel.infra.web.openapi import operations
from tests.house import KEY, Home
from tests.isolation.conftest import Letters

pytestmark = pytest.mark.anyio

WANTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
FORGED = {"Host": "evil.example", "X-Forwarded-Host": "worse.example", "Forwarded": "host=worst.example"}
OPERATIONS = sorted((method.upper(), path) for method, path, _ in operations(build(ROUTERS, Objects()).openapi()))


@asynccontextmanager
async def calling(home: Home, scheme: str = "http", **surroundings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the same house behind other surroundings."""
    app = build(ROUTERS, Objects(json_max_bytes=1000, upload_max_bytes=1000), surroundings=Surroundings(**surroundings))
    app.state.kit = home.app.state.kit
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://carrel.test") as client:
        yield client


def check(answer: httpx.Response) -> None:
    for name, value in WANTED.items():
        assert answer.headers.get_list(name) == [value], (answer.request.method, answer.request.url, name)
    [policy] = answer.headers.get_list("content-security-policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"]
    assert answer.headers["x-request-id"]
    assert ("strict-transport-security" in answer.headers) == (answer.request.url.scheme == "https")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_every_operation_answers_everybody_with_them(home, acme, scheme):
    keys: list[dict[str, str]] = [{}, {KEY: acme.keys["all"]}, {KEY: acme.keys["search"]}]
    async with calling(home, scheme) as client:
        for (method, path), headers in product(OPERATIONS, keys):
            for asked in {method, "OPTIONS", "BREW", "HEAD" if method == "GET" else method}:
                check(await client.request(asked, path.format_map(Anything()), headers=headers))


ODD: dict[str, tuple[int, str, str, dict[str, Any]]] = {
    "no path": (404, "GET", "/nowhere", {}),
    "a slash too many": (404, "GET", "/api/stats/", {}),
    "no JSON": (400, "POST", "/api/search", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
    "no type": (415, "POST", "/api/search", {"content": b"{}"}),
    "no field": (422, "POST", "/api/search", {"json": {}}),
    "too large": (413, "POST", "/api/search", {"json": {"query": "a" * 2000}}),
    "a wrong cursor": (400, "GET", "/api/documents?cursor=abc", {}),
    "not there": (404, "GET", "/api/documents/0198c5a0-0000-7000-8000-000000000000", {}),
    "two keys": (401, "GET", "/api/stats", {"headers": {"Authorization": "Bearer another"}}),
}


@pytest.mark.parametrize("case", ODD)
async def test_every_kind_of_refusal_has_them(home, acme, case):
    status, method, path, options = ODD[case]
    headers = {KEY: acme.keys["all"], **options.get("headers", {})}
    async with calling(home) as client:
        answer = await client.request(method, path, **{**options, "headers": headers})

    assert answer.status_code == status, answer.text
    check(answer)


async def test_a_name_that_is_not_ours_is_refused_with_them(home):
    async with calling(home, hosts=["carrel.example"]) as client:
        answer = await client.get("/api/stats")

    assert answer.status_code == 421
    check(answer)


async def test_a_fault_of_ours_has_them(home, acme, monkeypatch):
    async def broken(request: object) -> None:
        raise ZeroDivisionError

    async with calling(home) as client:
        monkeypatch.setattr(home.app.state.kit, "identify", broken)
        answer = await client.get("/api/stats", headers={KEY: acme.keys["all"]})

    assert answer.status_code == 500
    check(answer)


async def test_what_pages_of_other_origins_get_has_them(home):
    async with calling(home, origins=["https://app.example.org"]) as client:
        check(await client.get("/api/stats", headers={"Origin": "https://app.example.org"}))


async def test_a_forged_name_is_in_no_answer(home, acme):
    document = await acme.add("Some text.")
    # Whoever follows a job hears of it until it has ended.
    await acme.call("POST", f"/api/jobs/{document['job_id']}/cancel")
    known = Anything(document_id=document["id"], job_id=document["job_id"])
    async with calling(home) as client:
        for (method, path), key in product(OPERATIONS, ({}, {KEY: acme.keys["all"]})):
            options: dict[str, Any] = {"json": {"content": "a"}} if method == "POST" else {}
            options |= {"params": {"offset": "0", "limit": "1"}} if method == "GET" else {}
            answer = await client.request(method, path.format_map(known), headers={**FORGED, **key}, **options)

            said = answer.text + str(answer.headers.multi_items())
            assert not [name for name in ("evil.example", "worse.example", "worst.example") if name in said]
            assert not urlsplit(answer.headers.get("location", "")).netloc


async def test_a_forged_name_is_in_no_mail(home, acme, monkeypatch):
    letters = Letters()
    monkeypatch.setattr(mail, "log", letters)
    async with calling(home) as client:
        answer = await client.post(
            "/api/organization/invitations",
            json={"email": "guest@example.org"},
            headers={**FORGED, KEY: acme.keys["all"]},
        )

    assert answer.status_code == 201, answer.text
    [link] = letters.links
    assert link.startswith(home.house.settings.accounts.public_url)


class Anything(dict[str, str]):
    """Some value for each parameter of a path."""

    def __missing__(self, name: str) -> str:
        return "0198c5a0-0000-7000-8000-000000000000"
