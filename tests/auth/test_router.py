from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from carrel.auth.authenticator import Authenticator
from carrel.auth.router import router
from carrel.auth.service import Keys
from carrel.core.clock import now
from carrel.infra.settings import Objects
from carrel.infra.web import Cursors, Kit
from carrel.infra.web.app import build
from tests.auth.givens import enable, given_key

pytestmark = pytest.mark.anyio

URL = "/api/admin/api-keys"
ID = "0198c5a0-0000-7000-8000-000000000000"
ODD_LIMITS: list[dict[str, Any]] = [
    {"rate_limit": 0},
    {"rate_limit": -1},
    {"rate_limit": 1_000_001},
    {"rate_limit": 1.5},
    {"rate_limit": "60"},
    {"rate_limit": True},
    {"tags": []},
    {"tags": [""]},
    {"tags": ["  "]},
    {"tags": ["a\u0000"]},
    {"tags": ["x" * 101]},
    {"tags": [str(number) for number in range(51)]},
    {"tags": "a"},
    {"tags": [None]},
    {"collections": []},
    {"collections": ["all"]},
    {"collections": ID},
    {"groups": []},
    {"groups": [1]},
    {"groups": ["group:" + ID]},
]
PRIVILEGED: dict[str, Any] = {
    "id": ID,
    "tenant_id": ID,
    "tenant": ID,
    "origin": "setting",
    "hash": "00",
    "key": "ck_mine",
    "prefix": "mine",
    "created_at": "2020-01-01T00:00:00Z",
    "last_used_at": None,
    "revoked_at": None,
    "rotated_from": ID,
    "replaced_by": ID,
    "operator": True,
    "multiplier": 1000,
    "tenant_rate": 1000,
    "access": {},
    "readers": None,
}


@pytest.fixture
async def client(database):
    authenticator = Authenticator(database)
    app = build([router], Objects())
    app.state.kit = Kit(
        database=database,
        identify=lambda request: authenticator.authenticate(request.headers),
        providers={Keys: lambda scope: Keys(scope.db, scope.caller)},
        cursors=Cursors(b"secret of a test"),
        json_max_bytes=10_000,
        upload_max_bytes=10_000,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client
    await authenticator.close()


@pytest.fixture
async def admin(database, tenant):
    key = await given_key(database, tenant, ["admin"], name="Administrator")
    return {"X-API-Key": key.key}


class TestCreate:
    async def test_answers_with_a_key_that_works(self, client, admin):
        made = await client.post(URL, headers=admin, json={"name": "Second", "scopes": ["admin"]})

        assert made.status_code == 201
        assert set(made.json()) == {
            "id",
            "key",
            "prefix",
            "name",
            "description",
            "scopes",
            "created_at",
            "expires_at",
            "last_used_at",
            "rate_limit",
            "tags",
            "collections",
            "groups",
            "origin",
            "rotated_from",
            "replaced_by",
        }
        answer = await client.get(URL, headers={"Authorization": f"Bearer {made.json()['key']}"})
        assert answer.status_code == 200

    async def test_gives_the_usual_scopes_and_no_end(self, client, admin):
        made = (await client.post(URL, headers=admin, json={"name": "Importer", "description": "nightly"})).json()

        assert made["scopes"] == ["read", "write", "search"]
        assert made["expires_at"] is None
        assert made["description"] == "nightly"

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"name": ""},
            {"name": "x" * 201},
            {"name": "a\u0000b"},
            {"name": "two\nlines"},
            {"name": "x", "description": "\u0000"},
            {"name": "x", "scopes": []},
            {"name": "x", "scopes": ["everything"]},
            {"name": "x", "expires_at": "2099-01-01T00:00:00"},
            {"name": "x", "expires_at": "9999-12-31T23:59:59-12:00"},
            {"name": "x", "expires_at": "yesterday"},
            *({"name": "x", **limits} for limits in ODD_LIMITS),
            *({"name": "x", privileged: value} for privileged, value in PRIVILEGED.items()),
        ],
    )
    async def test_refuses_what_no_key_can_be(self, client, admin, body):
        answer = await client.post(URL, headers=admin, json=body)

        assert answer.status_code == 422
        assert answer.json()["code"] == "invalid-request"

    async def test_refuses_lone_surrogates(self, client, admin):
        headers = {**admin, "Content-Type": "application/json"}

        answer = await client.post(URL, headers=headers, content=b'{"name": "\\ud800"}')

        assert answer.status_code in {400, 422}

    async def test_refuses_an_expiry_in_the_past(self, client, admin):
        past = (now() - timedelta(days=1)).isoformat()

        answer = await client.post(URL, headers=admin, json={"name": "x", "expires_at": past})

        assert (answer.status_code, answer.json()["code"]) == (422, "expiry-in-the-past")

    async def test_never_repeats_the_key(self, client, admin):
        headers = {**admin, "Idempotency-Key": "once"}
        body = {"name": "Once"}
        first = await client.post(URL, headers=headers, json=body)

        again = await client.post(URL, headers=headers, json=body)

        assert first.status_code == 201
        assert (again.status_code, again.json()["code"]) == (409, "secret-not-repeatable")
        assert first.json()["key"] not in again.text


class TestList:
    async def test_shows_keys_without_the_keys(self, client, admin):
        made = (await client.post(URL, headers=admin, json={"name": "Second"})).json()

        answer = await client.get(URL, headers=admin)

        body = answer.json()
        assert set(body) == {"data", "next_cursor", "has_more"}
        assert {key["name"] for key in body["data"]} == {"Administrator", "Second"}
        shown = next(key for key in body["data"] if key["id"] == made["id"])
        assert set(shown) == set(made) - {"key"}
        assert made["key"] not in answer.text

    async def test_walks_by_cursor(self, client, admin):
        for number in range(3):
            await client.post(URL, headers=admin, json={"name": f"key {number}"})
        names, params = [], {"limit": "1"}
        for _ in range(4):
            body = (await client.get(URL, headers=admin, params=params)).json()
            names += [key["name"] for key in body["data"]]
            params["cursor"] = body["next_cursor"]

        assert sorted(names) == ["Administrator", "key 0", "key 1", "key 2"]
        assert not body["has_more"]

    async def test_shows_nothing_of_another_organization(self, client, admin, database, stranger):
        theirs = await given_key(database, stranger, ["admin"], name="theirs")

        ours = await client.get(URL, headers=admin)

        assert str(theirs.id) not in ours.text


class TestChange:
    async def test_shows_the_key_as_it_is_from_now_on(self, client, admin):
        made = (await client.post(URL, headers=admin, json={"name": "Second", "tags": ["a", " a "]})).json()
        change = {"name": "New", "description": "nightly", "rate_limit": 7, "tags": None, "groups": [ID, ID]}

        answer = await client.patch(f"{URL}/{made['id']}", headers=admin, json=change)

        assert made["tags"] == ["a"]
        assert answer.status_code == 200
        expected = {**made, **change, "groups": [ID]}
        assert answer.json() == {name: value for name, value in expected.items() if name != "key"}
        assert (await client.get(f"{URL}/{made['id']}", headers=admin)).json() == answer.json()

    async def test_of_nothing_changes_nothing(self, client, admin):
        made = (await client.post(URL, headers=admin, json={"name": "Second"})).json()

        answer = await client.patch(f"{URL}/{made['id']}", headers=admin, json={})

        assert {**answer.json(), "key": made["key"]} == made

    @pytest.mark.parametrize(
        "body",
        [
            {"name": ""},
            {"name": None},
            {"name": "two\nlines"},
            {"description": None},
            {"scopes": []},
            {"scopes": None},
            {"scopes": ["operator"]},
            {"scopes": ["token"]},
            {"expires_at": "2099-01-01T00:00:00"},
            *ODD_LIMITS,
            *({privileged: value} for privileged, value in PRIVILEGED.items()),
        ],
    )
    async def test_refuses_what_no_key_can_be(self, client, admin, body):
        made = (await client.post(URL, headers=admin, json={"name": "Second"})).json()

        answer = await client.patch(f"{URL}/{made['id']}", headers=admin, json=body)

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
        assert (await client.get(f"{URL}/{made['id']}", headers=admin)).json()["name"] == "Second"

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"tags": ["a"], "scopes": ["admin"]}, "narrowed-administrator"),
            ({"expires_at": "2020-01-01T00:00:00Z"}, "expiry-in-the-past"),
        ],
    )
    async def test_says_what_contradicts_itself(self, client, admin, body, code):
        made = (await client.post(URL, headers=admin, json={"name": "Second"})).json()

        for answer in (
            await client.patch(f"{URL}/{made['id']}", headers=admin, json=body),
            await client.post(URL, headers=admin, json={"name": "Third", **body}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (422, code)
            assert answer.json()["hint"]


class TestRotate:
    async def test_shows_the_new_key_once(self, client, admin):
        made = (await client.post(URL, headers=admin, json={"name": "Second", "scopes": ["admin"]})).json()
        headers = {**admin, "Idempotency-Key": "once"}

        answer = await client.post(f"{URL}/{made['id']}/rotate", headers=headers, json={})
        again = await client.post(f"{URL}/{made['id']}/rotate", headers=headers, json={})

        new = answer.json()
        assert (answer.status_code, new["rotated_from"], new["name"]) == (201, made["id"], "Second")
        assert (again.status_code, again.json()["code"]) == (409, "secret-not-repeatable")
        assert (await client.get(URL, headers={"X-API-Key": new["key"]})).status_code == 200
        old = (await client.get(f"{URL}/{made['id']}", headers=admin)).json()
        left = datetime.fromisoformat(old["expires_at"]) - now()
        assert timedelta(hours=23) < left <= timedelta(hours=24)
        assert old["replaced_by"] == new["id"]

    async def test_refuses_a_second_time(self, client, admin):
        made = (await client.post(URL, headers=admin, json={"name": "Second"})).json()
        await client.post(f"{URL}/{made['id']}/rotate", headers=admin, json={"overlap_seconds": 60})

        answer = await client.post(f"{URL}/{made['id']}/rotate", headers=admin, json={"overlap_seconds": 60})

        assert (answer.status_code, answer.json()["code"]) == (409, "api-key-rotated")
        assert answer.json()["hint"]

    @pytest.mark.parametrize("overlap", [-1, 604_801, 1.5, "60", None, True, 10**30])
    async def test_refuses_an_overlap_that_is_none(self, client, admin, overlap):
        made = (await client.post(URL, headers=admin, json={"name": "Second"})).json()

        answer = await client.post(f"{URL}/{made['id']}/rotate", headers=admin, json={"overlap_seconds": overlap})

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


class TestRevoke:
    async def test_removes_the_key(self, client, admin):
        made = (await client.post(URL, headers=admin, json={"name": "Second"})).json()

        gone = await client.delete(f"{URL}/{made['id']}", headers=admin)

        assert (gone.status_code, gone.content) == (204, b"")
        refused = await client.get(URL, headers={"X-API-Key": made["key"]})
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid-credentials")
        again = await client.delete(f"{URL}/{made['id']}", headers=admin)
        assert (again.status_code, again.json()["code"]) == (404, "api-key-not-found")

    async def test_does_not_find_another_organizations_key(self, client, admin, database, stranger):
        theirs = await given_key(database, stranger, ["admin"])

        refused = await client.delete(f"{URL}/{theirs.id}", headers=admin)

        assert refused.status_code == 404
        assert (await client.get(URL, headers={"X-API-Key": theirs.key})).status_code == 200

    async def test_refuses_what_is_no_id(self, client, admin):
        assert (await client.delete(f"{URL}/all", headers=admin)).status_code == 422


OPERATIONS = [
    ("GET", URL),
    ("POST", URL),
    *((method, f"{URL}/{ID}") for method in ("GET", "PATCH", "DELETE")),
    ("POST", f"{URL}/{ID}/rotate"),
    ("GET", f"{URL}/{ID}/usage"),
]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
class TestTheDoor:
    async def test_is_closed_without_credentials(self, client, method, path):
        answer = await client.request(method, path, json={"name": "x"})

        assert (answer.status_code, answer.json()["code"]) == (401, "credentials-required")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "X-API-Key: ck_" in answer.json()["hint"]

    async def test_is_closed_for_a_wrong_key(self, client, method, path):
        answer = await client.request(method, path, headers={"X-API-Key": "ck_wrong"}, json={"name": "x"})

        assert (answer.status_code, answer.json()["code"]) == (401, "invalid-credentials")
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    async def test_is_closed_for_two_different_keys(self, client, admin, method, path):
        headers = {**admin, "Authorization": "Bearer ck_other"}

        answer = await client.request(method, path, headers=headers, json={"name": "x"})

        assert (answer.status_code, answer.json()["code"]) == (401, "credentials-conflict")

    async def test_is_closed_for_a_key_without_the_scope(self, client, database, tenant, method, path):
        key = await given_key(database, tenant, ["read", "write", "search"])

        answer = await client.request(method, path, headers={"X-API-Key": key.key}, json={"name": "x"})

        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")

    async def test_is_closed_for_a_disabled_organization(self, client, admin, database, tenant, method, path):
        await enable(database, tenant, False)

        answer = await client.request(method, path, headers=admin, json={"name": "x"})

        assert (answer.status_code, answer.json()["code"]) == (403, "organization-disabled")
