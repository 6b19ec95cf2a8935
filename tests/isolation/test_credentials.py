"""Walks every operation with every kind of credential: who is let in follows from the scope and the role alone.

Both the operations and their scopes come from the application's own list. One without a row in `TABLE` fails.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import psycopg
import pytest

from carrel.auth.grants import Filter, Grant
from carrel.auth.roles import ACCOUNT, RoleName, scopes_of
from carrel.auth.signing import Claims, Ring
from carrel.core.clock import now
from carrel.core.ids import KeyId, uuid7
from carrel.infra.web.routing import Terms
from tests.house import KEY, problem
from tests.isolation.conftest import Neighbours, Resident, hired
from tests.isolation.test_routes import OPEN, OPERATIONS, SCOPED, TABLE, leaks, login, send

pytestmark = pytest.mark.anyio

Headers = dict[str, str]
NOBODY: Headers = {"X-Nothing": "1"}


@dataclass(frozen=True)
class Refused:
    """What everybody with such credentials hears, whatever they ask for."""

    status: int
    code: str
    headers: Callable[[Resident], Awaitable[Headers]]


async def no_credentials(us: Resident) -> Headers:
    return NOBODY


async def expired_token(us: Resident) -> Headers:
    """The session lives, but the token is of yesterday."""
    return bearer(token_of(us, UUID(us.owner.session), age=timedelta(days=1)))


async def expired_session(us: Resident) -> Headers:
    """The token is fresh, but the session that it stands for is over."""
    person = await login(us, us.owner)
    change(us, "UPDATE sessions SET expires_at = now() - interval '1 second' WHERE id = %s", person.session)
    return bearer(token_of(us, UUID(person.session)))


async def expired_key(us: Resident) -> Headers:
    key = await fresh_key(us)
    change(us, "UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = %s", key["id"])
    return {KEY: key["key"]}


async def revoked_key(us: Resident) -> Headers:
    key = await fresh_key(us)
    answer = await us.organisation.call("DELETE", f"/api/admin/api-keys/{key['id']}")
    assert answer.status_code == 204, answer.text
    return {KEY: key["key"]}


async def disabled_organisation(us: Resident) -> Headers:
    disabled = await us.home.organisation("Disabled")
    change(us, "UPDATE organizations SET enabled = false WHERE id = %s", str(disabled.tenant))
    return {KEY: disabled.keys["all"]}


async def expired_grant(us: Resident) -> Headers:
    """The key is good, but the token that was made from it is of yesterday."""
    grant = Grant(us.organisation.tenant, KeyId(UUID(us.key)), frozenset({"read", "search"}), Filter(), "")
    begin = now() - timedelta(days=1)
    return bearer(grant.signed(ring_of(us), begin, begin + timedelta(hours=1)))


async def grant_of_a_revoked_key(us: Resident) -> Headers:
    key = await fresh_key(us)
    token = await granted(us, key["key"])
    answer = await us.organisation.call("DELETE", f"/api/admin/api-keys/{key['id']}")
    assert answer.status_code == 204, answer.text
    return bearer(token)


REFUSED: Mapping[str, Refused] = {
    "none": Refused(401, "credentials-required", no_credentials),
    "expired token": Refused(401, "invalid-credentials", expired_token),
    "expired session": Refused(401, "invalid-credentials", expired_session),
    "expired key": Refused(401, "invalid-credentials", expired_key),
    "revoked key": Refused(401, "invalid-credentials", revoked_key),
    "expired tenant token": Refused(401, "invalid-credentials", expired_grant),
    "tenant token of a revoked key": Refused(401, "invalid-credentials", grant_of_a_revoked_key),
    "disabled organisation": Refused(403, "organization-disabled", disabled_organisation),
}
ROLES: tuple[RoleName, ...] = ("viewer", "member", "admin", "owner")


@pytest.fixture(scope="module", name="staff")
async def staff_fixture(neighbours: Neighbours) -> Mapping[str, Any]:
    """Somebody in each role of our organisation, and an administrator of theirs."""
    us, them = neighbours.us, neighbours.them
    ours: dict[str, Any] = {role: await hired(us.organisation, role, us.word) for role in ROLES if role != "owner"}
    return {**ours, "owner": us.owner, "their admin": await hired(them.organisation, "admin", them.word)}


@pytest.fixture(scope="module", name="bad")
async def bad_fixture(neighbours: Neighbours) -> Mapping[str, Headers]:
    return {kind: await refused.headers(neighbours.us) for kind, refused in REFUSED.items()}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("operation", SCOPED)
async def test_credentials_that_are_not_good_open_nothing(
    neighbours: Neighbours, bad: Mapping[str, Headers], operation: str, kind: str
):
    call = await TABLE[operation].own(neighbours.us)

    answer = await send(neighbours.us, call, **bad[kind])

    assert problem(answer, REFUSED[kind].status)["code"] == REFUSED[kind].code
    assert not leaks(answer, neighbours.them) | leaks(answer, neighbours.us, call.said)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("operation", SCOPED)
async def test_a_role_may_what_its_scopes_say(
    neighbours: Neighbours, staff: Mapping[str, Any], operation: str, role: RoleName
):
    us, needed = neighbours.us, str(Terms.of(OPERATIONS[operation]).scope)
    call = await TABLE[operation].own(us)
    # What is for the account alone may end the session, so it gets one of its own.
    person = await login(us, staff[role]) if needed == ACCOUNT else staff[role]

    answer = await send(us, call, **bearer(person.access_token))

    assert not leaks(answer, neighbours.them)
    if needed in scopes_of(role):
        assert answer.status_code != 401, answer.text
        assert code_of(answer) != "forbidden", answer.text
    else:
        assert problem(answer, 403)["code"] == "forbidden"


@pytest.mark.parametrize("operation", SCOPED)
async def test_a_tenant_token_may_what_its_scopes_say_although_its_key_may_all(neighbours: Neighbours, operation: str):
    us, needed = neighbours.us, str(Terms.of(OPERATIONS[operation]).scope)
    call = await TABLE[operation].own(us)
    token = await granted(us, us.organisation.keys["all"])

    answer = await send(us, call, **bearer(token))

    assert not leaks(answer, neighbours.them)
    if needed in {"read", "search"}:
        assert answer.status_code != 401, answer.text
        assert code_of(answer) != "forbidden", answer.text
    else:
        assert problem(answer, 403)["code"] == "forbidden"


@pytest.mark.parametrize("operation", SCOPED)
async def test_an_administrator_of_another_organisation_changes_and_sees_nothing_here(
    neighbours: Neighbours, staff: Mapping[str, Any], operation: str
):
    us, them = neighbours.us, neighbours.them
    needed = str(Terms.of(OPERATIONS[operation]).scope)
    call = await TABLE[operation].own(us)
    person = await login(them, staff["their admin"]) if needed == ACCOUNT else staff["their admin"]
    before = state(us)

    answer = await send(them, call, **bearer(person.access_token))

    assert not leaks(answer, us, call.said)
    assert state(us) == before
    if needed not in scopes_of("admin"):
        assert problem(answer, 403)["code"] == "forbidden"
    elif any(mark in call.path for mark in us.marks()):
        assert problem(answer, 403, 404)["code"] != "forbidden"


@pytest.mark.parametrize("operation", SCOPED)
async def test_a_session_in_a_cookie_changes_nothing_without_its_proof(neighbours: Neighbours, operation: str):
    us = neighbours.us
    call = await TABLE[operation].own(us)
    before = state(us)

    answer = await send(us, call, Cookie=f"carrel_session={us.owner.access_token}", Origin="https://evil.example")

    if call.method == "GET":
        assert answer.status_code != 401, answer.text
    else:
        assert problem(answer, 403)["code"] == "csrf-failed"
        assert state(us) == before


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("operation", OPEN)
async def test_what_is_open_to_everybody_does_not_ask_for_credentials(
    neighbours: Neighbours, bad: Mapping[str, Headers], operation: str, kind: str
):
    call = await TABLE[operation].own(neighbours.us)

    answer = await send(neighbours.us, call, **bad[kind])

    assert answer.status_code == call.status, answer.text
    assert not leaks(answer, neighbours.them) | leaks(answer, neighbours.us)


def bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"}


def code_of(answer: Any) -> str:
    return str(answer.json()["code"]) if answer.status_code >= 400 else ""


def token_of(us: Resident, session: UUID, *, age: timedelta = timedelta(0)) -> str:
    # Each token is another one, so that none is judged by what a server remembers of the one before.
    claims = Claims(UUID(us.owner.id), us.organisation.tenant, session, "owner", uuid7().int % 10**9)
    return ring_of(us).issue(claims, now() - age)


def ring_of(us: Resident) -> Ring:
    return cast("Ring", us.home.app.state.kit.providers[Ring](cast("Any", None)))


async def granted(us: Resident, key: str) -> str:
    """A tenant token from a key, narrowed to one document."""
    body = {"filter": {"document_ids": [us.document]}}
    answer = await us.home.http.post("/api/tokens", headers={KEY: key}, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def change(us: Resident, statement: Any, name: str) -> None:
    with psycopg.connect(us.home.dsn, autocommit=True) as connection:
        assert connection.execute(statement, [name]).rowcount == 1


async def fresh_key(us: Resident) -> dict[str, Any]:
    body = {"name": f"Key {uuid4().hex}", "scopes": ["admin", "read", "write", "search"]}
    answer = await us.organisation.call("POST", "/api/admin/api-keys", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def state(us: Resident) -> dict[str, Any]:
    """Every row of an organisation, but for when its keys were used last."""
    rows = us.organisation.rows()
    return {**rows, "api_keys": [{**key, "last_used_at": None} for key in rows["api_keys"]]}


def test_every_operation_stands_in_the_table():
    assert set(SCOPED) | set(OPEN) == OPERATIONS.keys() == TABLE.keys()


def test_the_roles_are_those_of_the_table_of_permissions():
    assert all(scopes_of(role) for role in ROLES)
