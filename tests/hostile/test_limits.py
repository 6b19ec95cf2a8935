"""Every text and every list that a request may hold has an end, in the description of the API and in earnest."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from carrel.entry.web import openapi
from carrel.infra.web.openapi import operations
from carrel.infra.web.shapes import name_of, resolved
from tests.hostile.conftest import untouched
from tests.house import problem

pytestmark = pytest.mark.anyio

DOCUMENT = openapi()
SCHEMAS: Mapping[str, Any] = DOCUMENT["components"]["schemas"]
BOUND = {"maxLength", "enum", "const"}
FORMATS = {"uuid", "date-time", "date", "binary"}
ENDLESS = {
    "add_document application/json content": "the body itself has a limit, JSON_MAX_BYTES",
    **{
        f"{operation} application/json metadata": "any JSON object: its bytes and its depth are counted"
        for operation in ("add_document", "change_document", "create_collection", "change_collection")
    },
}
"""Without an end of their own in the description; each with the reason."""


def requests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of something that a request may hold, with its place."""
    for _, _, operation in operations(DOCUMENT):
        name = operation["operationId"]
        for parameter in operation.get("parameters", []):
            yield f"{name} {parameter['in']} {parameter['name']}", parameter["schema"]
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} {kind}", content["schema"]


def endless(place: str, schema: dict[str, Any], seen: tuple[str, ...] = ()) -> Iterator[str]:
    """Where in a schema something may be as long as it likes."""
    if (name := name_of(schema)) is not None:
        seen = () if name in seen else (*seen, name)
        yield from endless(place, dict(resolved(schema, SCHEMAS)), seen) if seen else ()
        return
    for choice in [one for kind in ("anyOf", "oneOf", "allOf") for one in schema.get(kind, [])]:
        yield from endless(place, choice, seen)
    kind = schema.get("type")
    if kind == "string" and not BOUND & schema.keys() and schema.get("format") not in FORMATS:
        yield place
    if kind == "array":
        yield from [] if "maxItems" in schema else [place]
        yield from endless(f"{place} items", schema["items"], seen)
    if kind == "object":
        yield from [] if {"properties", "maxProperties"} & schema.keys() else [place]
        if "maxProperties" in schema:
            yield from endless(f"{place} names", schema["propertyNames"] | {"type": "string"}, seen)
            yield from endless(f"{place} values", schema["additionalProperties"], seen)
        for member, inner in schema.get("properties", {}).items():
            yield from endless(f"{place} {member}", inner, seen)


def test_everything_that_a_request_may_hold_has_an_end():
    found = {one for place, schema in requests() for one in endless(place, schema)}

    assert found == ENDLESS.keys()


def test_the_walk_finds_what_has_none():
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {}}}}

    assert list(endless("x", schema)) == ["x a", "x b"]


LONG: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a query": ("POST", "/api/search", {"json": {"query": "a" * 4001}}),
    "a word of a filter": ("POST", "/api/search", {"json": {"query": "a", "filters": {"tags": ["a" * 513]}}}),
    "words of a filter": ("POST", "/api/search", {"json": {"query": "a", "filters": {"tags": ["a"] * 101}}}),
    "a title": ("POST", "/api/documents", {"json": {"content": "a", "title": "a" * 1001}}),
    "a name of a file": ("POST", "/api/documents", {"json": {"content": "a", "filename": "a" * 5001}}),
    "a type": ("POST", "/api/documents", {"json": {"content": "a", "mime_type": "text/plain;" + "a" * 200}}),
    "tags": ("POST", "/api/documents", {"json": {"content": "a", "tags": [str(n) for n in range(51)]}}),
    "an address": ("POST", "/api/documents", {"json": {"content": "a", "source_url": "https://a/" + "a" * 2048}}),
    "a filter that is repeated": ("GET", "/api/documents?" + "&".join(["tag=a"] * 101), {}),
    "a state that is repeated": ("GET", "/api/documents?" + "&".join(["status=queued"] * 101), {}),
    "a cursor": ("GET", "/api/documents?cursor=" + "a" * 10_001, {}),
    "a name of a key": ("POST", "/api/admin/api-keys", {"json": {"name": "a" * 201}}),
    "scopes": ("POST", "/api/admin/api-keys", {"json": {"name": "a", "scopes": ["read"] * 21}}),
    "an e-mail address": ("POST", "/api/organization/invitations", {"json": {"email": "a" * 250 + "@example.org"}}),
    "a password": ("POST", "/api/auth/login", {"json": {"email": "a@example.org", "password": "a" * 100_000}}),
    "a token": ("POST", "/api/auth/refresh", {"json": {"refresh_token": "a" * 201}}),
}


@pytest.mark.parametrize("case", LONG)
async def test_what_is_too_long_is_refused(acme, case):
    method, path, options = LONG[case]
    async with untouched(acme):
        answer = await acme.call(method, path, **options)

        assert problem(answer, 422)["code"] == "invalid-request"
        assert len(answer.content) < 20_000


@pytest.mark.parametrize("char", ["\n", "\x7f", "\u202e", "\u200b", "\u2066", "\ufeff", "\u00ad"])
async def test_a_name_that_does_not_look_like_what_it_is_is_refused(acme, char):
    name = f"Acme{char}Archive"
    registration = {"email": "a@example.org", "password": "four quiet herons 41", "organization": name}
    async with untouched(acme):
        for path, body in {
            "/api/admin/api-keys": {"name": name},
            "/api/auth/register": registration,
            "/api/auth/invitations/accept": {"token": "a", "password": "four quiet herons 41", "name": name},
        }.items():
            refused = problem(await acme.call("POST", path, json=body), 422)

            assert refused["errors"][0]["field"] in {"body.name", "body.organization"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Windows\\a.txt", "a.txt"),
        ("/etc/a.txt", "a.txt"),
        ("a\u202etxt.exe.txt", "atxt.exe.txt"),
        ("a\u200b\u2060\ufeff.txt", "a.txt"),
        ("a\r\nX-Injected: b.txt", "aX-Injected: b.txt"),
    ],
)
async def test_a_name_of_a_file_is_kept_without_path_and_without_what_cannot_be_seen(acme, sent, kept):
    answer = await acme.call("POST", "/api/documents", json={"content": "a", "filename": sent})

    assert answer.json()["filename"] == kept
