"""JSON that is broken, absurd, or says what no field can hold."""

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carrel.entry.web import openapi
from tests.hostile.conftest import untouched
from tests.house import ALL, KEY, problem

pytestmark = pytest.mark.anyio

GOOD: dict[str, dict[str, Any]] = {
    "/api/documents": {
        "content": "Some text.", "title": "A title", "external_id": "id", "tags": ["a"], "metadata": {"a": 1},
        "source_url": "https://example.test/", "filename": "a.txt", "mime_type": "text/plain",
    },
    "/api/search": {
        "query": "lease", "type": "keyword", "limit": 3, "fusion": "rrf", "group_by": "document", "explain": True,
        "filters": {
            "tags": ["a"], "type": ["text"], "status": ["indexed"], "language": ["en"], "external_id": ["x"],
            "document_id": ["00000000-0000-0000-0000-000000000000"], "collection": ["leases"],
        },
    },
    "/api/admin/api-keys": {
        "name": "A key", "description": "For tests", "scopes": ["read"], "expires_at": "2099-01-01T00:00:00Z",
    },
    "/api/organization/invitations": {"email": "guest@example.org", "role": "viewer"},
    "/api/admin/organizations": {
        "name": "Acme", "slug": "acme", "tier": "free", "max_documents": 1, "max_storage_mb": 1,
        "max_searches_per_day": 1, "rate_limit_per_minute": 1, "metadata": {"a": 1}, "with_key": True,
    },
    "/api/admin/jobs/retry": {
        "state": "failed", "task": "ingestion.ingest", "error_code": "job-timeout", "limit": 10,
        "created_from": "2026-01-01T00:00:00Z", "created_before": "2026-01-02T00:00:00Z",
    },
    "/api/tokens": {"scopes": ["search"], "expires_in": 60, "subject": "Lina", "filter": {"tags": ["a"]}},
    "/api/organization/groups": {"name": "Law", "description": "Those with robes."},
    "/api/organization/domains": {"host": "search.example.org"},
    "/api/organization/branding": {"display_name": "Acme", "primary_color": "#123456", "logo": "iVBORw0KGgo="},
    "/api/collections": {"name": "Leases", "slug": "leases", "description": "All of them", "metadata": {"a": 1}},
}  # fmt: skip
FOR_OPERATORS = {"/api/admin/organizations"}
PATCHED = {"/api/organization/branding"}
BY_PEOPLE = {None, "account", "owner"}
"""The scopes that no key has."""
FIELDS = [
    *((path, (name,)) for path, body in GOOD.items() for name in body),
    *(("/api/search", ("filters", name)) for name in GOOD["/api/search"]["filters"]),
]
TEXTS = [(path, at) for path, at in FIELDS if at[-1] not in {"limit", "explain", "filters", "metadata"}]

# A content is kept with a mark for every character that cannot be stored, and a file's name is cleaned; a lone
# surrogate, which only JSON can bring, is replaced in all that is said about a document.
REPLACED = {
    "\x00": {"content", "filename"},
    "a\ud800b": {"content", "filename", "title", "external_id", "tags", "source_url"},
}
UNSTORABLE = {"\x00", *map(chr, range(0xD800, 0xE000))}

BROKEN = {
    "nothing": b"",
    "an open brace": b"{",
    "a word": b"nul",
    "single quotes": b"{'query': 'lease'}",
    "no value": b'{"query": }',
    "a comma too many": b'{"query": "lease",}',
    "a comment": b'{"query": "lease"} // really',
    "two values": b'{"query": "lease"}{"query": "lease"}',
    "bytes that are no UTF-8": b'{"query": "\xff\xfe"}',
    "a surrogate in UTF-8": b'{"query": "\xed\xa0\x80"}',
    "UTF-16": '{"query": "lease"}'.encode("utf-16"),
    "a raw newline": b'{"query": "a\nb"}',
    "a raw NUL": b'{"query": "a\x00b"}',
    "a hundred thousand brackets": b"[" * 100_000,
    "a hundred thousand brackets, closed": b"[" * 100_000 + b"]" * 100_000,
    "a hundred thousand objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "brackets in a field": b'{"query": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "not a number": b'{"limit": NaN}',
    "infinity": b'{"limit": -Infinity}',
    "a number of 5,000 digits": b'{"limit": ' + b"9" * 5000 + b"}",
    "a number of 100,000 digits": b'{"limit": 0.' + b"1" * 100_000 + b"}",
    "a number beyond all": b'{"limit": 1e999999999}',
    "a list": b"[]",
    "null": b"null",
    "a number": b"1",
    "a string": b'"lease"',
    "a thousand unknown fields": json.dumps({f"field{number}": 1 for number in range(1000)}).encode(),
    "a field of a megabyte": b'{"' + b"a" * 2**20 + b'": 1}',
    "a surrogate as a field": b'{"\\ud800": 1}',
    "NUL as a field": b'{"\\u0000": 1}',
}
WRONG: list[Any] = [
    {}, {"a": {"b": []}}, [[]], [{}], [None], 10**30, -1, 1e308, -1e-308, 0.5, [1e308], None, "", " ", [""],
    "\x00", "a\x00b", ["\x00"], "\ud800", "a\udc00b", ["\ud800"], {"\ud800": "\ud800"}, {"\x00": 1},
    "x" * 100_000, ["x" * 100_000], ["x"] * 10_000, "\u202e", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59-23:59",
    "javascript:alert(1)", "file:///etc/passwd", "../../x", "%s%n",
]  # fmt: skip


async def post(acme, path: str, body: bytes):
    key = acme.keys[ALL] if path not in FOR_OPERATORS else (acme.home.house.data_dir / "admin.key").read_text().strip()
    headers = {KEY: key, "Content-Type": "application/json"}
    method = "PATCH" if path in PATCHED else "POST"
    return await acme.home.http.request(method, path, content=body, headers=headers)


def changed(path: str, at: tuple[str, ...], value: Any) -> bytes:
    """A good body with one field that is not."""
    body = json.loads(json.dumps(GOOD[path]))
    if "external_id" in body:
        body["external_id"] = uuid4().hex
    if "slug" in body:
        body["slug"] = uuid4().hex
    place = body
    for name in at[:-1]:
        place = place[name]
    place[at[-1]] = value
    return json.dumps(body).encode()


@pytest.mark.parametrize("path", GOOD)
async def test_the_bodies_that_are_spoilt_here_are_good(acme, path):
    answer = await post(acme, path, json.dumps(GOOD[path]).encode())

    assert answer.status_code < 300, answer.text


def test_every_body_that_the_api_takes_from_keys_is_spoilt_here():
    described = openapi()["paths"]
    taking = {
        path
        for path, operations in described.items()
        for operation in operations.values()
        if "requestBody" in operation and operation.get("x-required-scope") not in BY_PEOPLE and "{" not in path
    }

    assert taking == GOOD.keys()


@pytest.mark.parametrize("path", GOOD)
async def test_a_broken_body_is_refused(acme, path):
    async with untouched(acme):
        for case, body in BROKEN.items():
            answer = await post(acme, path, body)

            assert problem(answer, 400, 422)["code"] in {"bad-request", "invalid-request"}, case
            assert len(answer.content) < 50_000, case


@pytest.mark.parametrize(("path", "at"), FIELDS)
async def test_a_field_that_holds_what_it_cannot_is_refused_or_taken_as_something_sensible(acme, path, at):
    accepted = 0
    for value in WRONG:
        answer = await post(acme, path, changed(path, at, value))

        if answer.status_code < 300:
            accepted += 1
            assert not UNSTORABLE & set(json.dumps(answer.json(), ensure_ascii=False)), value
        else:
            problem(answer, 400, 409, 422)

    documents = (await acme.get("/api/stats"))["documents"]["total"]
    assert documents == len(await acme.home.objects_of(acme.tenant)) == (accepted if path == "/api/documents" else 0)


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("text", REPLACED)
async def test_what_is_no_text_is_refused_where_it_cannot_be_replaced(acme, path, text):
    before = await acme.get("/api/stats")
    for where, at in TEXTS:
        if where != path or (path == "/api/documents" and at[0] in REPLACED[text]):
            continue
        value = [text] if isinstance(GOOD[path].get(at[0]), list) or at[0] == "filters" else text

        problem(await post(acme, path, changed(path, at, value)), 400, 422)

    assert await acme.get("/api/stats") == before


async def test_of_a_field_that_is_given_twice_the_last_counts(acme):
    answer = await post(acme, "/api/search", b'{"query": "a", "limit": 500, "query": "b", "limit": 5}')

    assert answer.status_code == 200
    assert answer.json()["query"] == "b"


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None), max_size=30)
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(place=st.sampled_from(FIELDS), value=anything, extra=st.dictionaries(st.text(max_size=8), anything, max_size=1))
async def test_whatever_a_body_says_the_answer_is_no_fault_of_ours(acme, place, value, extra):
    path, at = place
    body = {**json.loads(changed(path, at, value)), **extra}

    answer = await post(acme, path, json.dumps(body).encode())

    if answer.status_code >= 300:
        problem(answer, 400, 409, 422)
