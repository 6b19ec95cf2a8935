"""Ids, query parameters, headers and methods that make no sense."""

import base64
import random
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from carrel.entry.web import ROUTERS
from carrel.infra.settings import Objects
from carrel.infra.web.app import build
from carrel.infra.web.routing import unit_routes
from tests.hostile.conftest import untouched
from tests.house import problem

pytestmark = pytest.mark.anyio

ROUTES = {str(route.operation_id): route for route in unit_routes(build(ROUTERS, Objects()))}
WITH_ID = sorted(name for name, route in ROUTES.items() if route.param_convertors)
PATHS = sorted({route.path_format for route in ROUTES.values()})
LISTS = ("/api/documents", "/api/jobs", "/api/admin/api-keys", "/api/documents/{id}/chunks")
METHODS = ("PUT", "PATCH", "DELETE", "POST", "GET", "TRACE", "PROPFIND", "BREW", "X" * 1000)

IDS = [
    "a" * 10_000, "9" * 10_000, "..", "%2e%2e", "%2F", "%2f%2e%2e%2f", "%00", "a%00b", "%0d%0aX-A:%20b", "%ff",
    "%ed%a0%80", "%F0%9F%8F%A0", "'", "%22", "%3Cscript%3E", "*", "0", "-1", "null", "{}", "%25s", "~", ";",
    "00000000-0000-0000-0000-000000000000", f"{uuid4()}%20", f"{uuid4()}%0a", str(uuid4())[:-1],
    "{" + str(uuid4()) + "}", f"urn:uuid:{uuid4()}", "%E2%80%AE",
]  # fmt: skip


@pytest.mark.parametrize("operation", WITH_ID)
async def test_an_id_that_cannot_be_is_not_found(acme, operation):
    route = ROUTES[operation]
    name, method = min(route.param_convertors), min(route.methods or ())
    options: dict[str, Any] = {"json": {}} if method in {"POST", "PATCH", "PUT"} else {}
    async with untouched(acme):
        for one in IDS:
            answer = await acme.call(method, route.path_format.replace("{" + name + "}", one), **options)

            # That one may have words for everything; and dots lead up the path, to what is something else.
            if answer.status_code != 200 or not (operation == "explain_problem" or "." in one):
                problem(answer)
            assert len(answer.content) < 50_000


QUERIES = [
    "limit=-1", "limit=0", "limit=201", "limit=1e9", "limit=1000000000", "limit=abc", "limit=", "limit=%00",
    "limit=%ff", "limit=" + "9" * 5000, "limit=1.5", "limit=%D9%A1x", "limit=NaN", "limit=true", "limit=0x10",
    "offset=-1", "offset=100001", "offset=1e9", "offset=" + "9" * 400, "offset=abc", "offset=",
    "cursor=", "cursor=abc", "cursor=%00", "cursor=%ff", "cursor=" + "A" * 10_000, "cursor=%F0%9F%8F%A0",
    "cursor=" + "=" * 50, "cursor=abc&offset=0",
]  # fmt: skip


@pytest.mark.parametrize("path", LISTS)
async def test_a_page_that_cannot_be_is_refused(acme, path):
    document = await acme.add("Some text.")
    generator = random.Random(11)
    noise = [f"cursor={base64.urlsafe_b64encode(generator.randbytes(40)).decode()}" for _ in range(5)]
    async with untouched(acme):
        for query in QUERIES + noise:
            answer = await acme.call("GET", f"{path.replace('{id}', document['id'])}?{query}")

            problem(answer, 400, 422)


@pytest.mark.parametrize("path", LISTS[:3])
async def test_a_cursor_is_good_for_its_own_list_and_caller_only(acme, path):
    other = await acme.home.organisation("Other")
    for organisation in (acme, other):
        for _ in range(2):
            await organisation.add("Some text.")
    cursor = (await acme.get(path, limit=1))["next_cursor"]
    flipped = cursor[:5] + ("A" if cursor[5] != "A" else "B") + cursor[6:]

    assert (await acme.call("GET", path, params={"limit": 1, "cursor": cursor})).status_code == 200
    for organisation, where, given in [
        (other, path, {"cursor": cursor}),
        (acme, path, {"cursor": flipped}),
        (acme, path, {"cursor": cursor[:-2]}),
        (acme, path, {"cursor": cursor, "state": "queued", "status": "queued"}),
        *((acme, elsewhere, {"cursor": cursor}) for elsewhere in LISTS[:3] if elsewhere != path),
    ]:
        assert problem(await organisation.call("GET", where, params=given), 400)["code"] == "invalid-cursor"


@pytest.mark.parametrize(
    "query",
    [
        "status=lost", "status=", "status=%00", "tag=%00", "external_id=a%00b", "doc_type=%00", "tag=" + "a" * 600,
        "external_id=" + "a" * 5000,
    ],
)  # fmt: skip
async def test_a_filter_that_cannot_be_is_refused(acme, query):
    problem(await acme.call("GET", f"/api/documents?{query}"), 422)


@pytest.mark.parametrize(
    "query",
    [
        "tag=%ff%fe", "tag=%ed%a0%80", "&".join("tag=a" for _ in range(100)), "unknown=1", "&&&===",
        "tag=%F0%9F%8F%A0", "%00=%00", "limit=5&limit=6", "tag='%3B--", "tag=%",
    ],
)  # fmt: skip
async def test_a_filter_that_fits_nothing_finds_nothing(acme, query):
    answer = await acme.call("GET", f"/api/documents?{query}")

    assert answer.status_code == 200, answer.text
    assert answer.json()["data"] == []


@pytest.mark.parametrize("wait", ["-1", "61", "abc", "nan", "inf", "1e400", "%00", "", "9" * 400])
async def test_a_wait_that_cannot_be_is_refused(acme, wait):
    async with untouched(acme):
        problem(await acme.call("POST", f"/api/documents?wait={wait}", json={"content": "text"}), 422)


@pytest.mark.parametrize(
    "headers",
    [
        {"Idempotency-Key": ""},
        {"Idempotency-Key": "a" * 256},
        {"Idempotency-Key": b"a\x01b"},
        {"Idempotency-Key": b"a\x7f"},
        {"Idempotency-Key": b"\x80\x81"},
    ],
)
async def test_an_idempotency_key_that_cannot_be_is_refused(acme, headers):
    async with untouched(acme):
        problem(await acme.call("POST", "/api/documents", json={"content": "text"}, headers=headers), 400, 422)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Request-ID": "a" * 100_000},
        {"X-Request-ID": "<script>"},
        {"X-Request-ID": b"\xff\xfe"},
        {"Accept": "image/png"},
        {"Accept-Encoding": "nonsense;q=9"},
        {"If-None-Match": "*"},
        {"Range": "bytes=0-1"},
        {"Cookie": "a=" + "b" * 100_000},
        {"X-Forwarded-For": "' OR 1=1", "X-Forwarded-Host": "evil.test", "Forwarded": "for=evil"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"Host": "evil.test"},
        {"Origin": "https://evil.test"},
        {"X-Big": "a" * 2**20},
    ],
)
async def test_a_strange_header_changes_nothing(acme, headers):
    answer = await acme.call("GET", "/api/documents", headers=headers)

    assert answer.status_code == 200
    assert answer.json()["data"] == []
    assert "evil" not in answer.text + str(answer.headers)
    assert len(answer.headers["x-request-id"]) <= 128
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("match", ["", "nonsense", '"', "W/", "a" * 1001, b"\xff", ",", '"a", "b"'])
async def test_an_etag_that_fits_nothing_deletes_nothing(acme, match):
    document = await acme.add("Some text.")
    async with untouched(acme):
        answer = await acme.call("DELETE", f"/api/documents/{document['id']}", headers={"If-Match": match})

        problem(answer, 400, 412, 422)


async def test_a_method_that_a_path_does_not_have_is_refused(acme):
    async with untouched(acme):
        for path in PATHS:
            there = {method for route in ROUTES.values() if route.path_format == path for method in route.methods or ()}
            address = path.replace("{", "").replace("}", "")
            # A path with an id in it may also be the path of something else.
            fitting = [route for route in ROUTES.values() if route.path_regex.match(address)]
            for method in {*METHODS} - {method for route in fitting for method in route.methods or ()}:
                answer = await acme.call(method, address)

                assert problem(answer, 405)["code"] == "method-not-allowed"
                assert there <= set(answer.headers["allow"].split(", "))


async def test_a_path_that_does_not_exist_is_not_found(acme):
    paths = [
        "/", "/api", "/api/", "/api/documents/", "//api/documents", "/api//documents", "/API/documents", "/.env",
        "/api/documents/a/b/c", "/" + quote("\u202e"), "/" + "a" * 10_000, "/static/../admin.key",
    ]  # fmt: skip
    for path in paths:
        for method in ("GET", "POST", "BREW"):
            problem(await acme.call(method, path), 404)
