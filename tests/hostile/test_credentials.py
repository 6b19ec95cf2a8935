"""Keys that are not ours, in every way they can be wrong."""

import hashlib
from typing import Any

import pytest

from carrel.auth.keys import new_key
from tests.hostile.conftest import untouched
from tests.house import ALL, KEY, SCOPES, problem

pytestmark = pytest.mark.anyio

PATH = "/api/documents"

FORGED = {
    "none": lambda key: [],
    "an empty one": lambda key: [(KEY, "")],
    "one of the right form": lambda key: [(KEY, new_key())],
    "the same with another end": lambda key: [(KEY, key[:-1] + ("a" if key[-1] != "a" else "b"))],
    "the same, longer": lambda key: [(KEY, key + "a")],
    "the same, shorter": lambda key: [(KEY, key[:-1])],
    "the same in capitals": lambda key: [(KEY, key.swapcase())],
    "the same with a space": lambda key: [(KEY, f"{key[:20]} {key[20:]}")],
    "the same in quotes": lambda key: [(KEY, f'"{key}"')],
    "the same, twice": lambda key: [(KEY, f"{key},{key}")],
    "its prefix": lambda key: [(KEY, key[:11])],
    "its digest": lambda key: [(KEY, hashlib.sha256(key.encode()).hexdigest())],
    "ten thousand characters": lambda key: [(KEY, "ck_" + "a" * 10_000)],
    "a wildcard": lambda key: [(KEY, "ck_%")],
    "a statement": lambda key: [(KEY, "' OR '1'='1' --")],
    "bytes": lambda key: [(KEY, b"ck_\xff\xfe\x80")],
    "full-width letters": lambda key: [(KEY, "ｃｋ＿".encode() + key[3:].encode())],
    "two different headers": lambda key: [(KEY, key), (KEY, new_key())],
    "two different ways": lambda key: [(KEY, key), ("Authorization", f"Bearer {new_key()}")],
    "Basic": lambda key: [("Authorization", f"Basic {key}")],
    "no scheme": lambda key: [("Authorization", key)],
    "a scheme without a key": lambda key: [("Authorization", "Bearer")],
    "an unsigned token": lambda key: [("Authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.")],
    "a cookie": lambda key: [("Cookie", f"{KEY}={key}; api_key={key}")],
    "another header": lambda key: [("X-Forwarded-API-Key", key), ("Proxy-Authorization", f"Bearer {key}")],
}


@pytest.mark.parametrize("case", FORGED)
async def test_a_forged_key_opens_nothing(acme, case):
    async with untouched(acme):
        answer = await acme.home.http.post(PATH, headers=FORGED[case](acme.keys[ALL]), json={"content": "text"})

        refused = problem(answer, 401)

    assert answer.headers["www-authenticate"] == "Bearer"
    assert acme.keys[ALL] not in answer.text
    assert refused["hint"]


@pytest.mark.parametrize("where", ["api_key", "key", "x-api-key", "access_token"])
async def test_a_key_in_the_address_is_no_key(acme, where):
    answer = await acme.home.http.get(PATH, params={where: acme.keys[ALL]})

    problem(answer, 401)


async def test_credentials_are_looked_at_before_anything_else(acme):
    """Whoever is nobody learns nothing of what is right or wrong with a request."""
    for answer in [
        await acme.home.http.post(PATH, content=b"{", headers={"Content-Type": "application/json"}),
        await acme.home.http.post(PATH, content=b"x", headers={"Content-Type": "text/plain"}),
        await acme.home.http.get(PATH, params={"limit": "abc"}),
        await acme.home.http.get(f"{PATH}/no-id"),
        await acme.home.http.post(PATH, json={"content": "x"}, headers={"Idempotency-Key": "k"}),
    ]:
        assert problem(answer, 401)["code"] == "credentials-required"


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_key_gives_nothing_beyond_its_scopes(acme, scope):
    wanted: dict[str, tuple[str, str, dict[str, Any]]] = {
        "read": ("GET", "/api/stats", {}),
        "write": ("POST", PATH, {"json": {"content": "text"}}),
        "search": ("POST", "/api/search", {"json": {"query": "text"}}),
        "admin": ("POST", "/api/admin/api-keys", {"json": {"name": "More", "scopes": ["admin"]}}),
    }
    for needed, (method, path, options) in wanted.items():
        answer = await acme.call(method, path, scope=scope, **options)

        if scope in {needed, "admin"}:
            assert answer.status_code < 300
        else:
            assert problem(answer, 403)["scope"] == needed
