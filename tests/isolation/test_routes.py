"""Walks every operation there is: none shows or changes anything of another organisation.

The operations come from the application's own list, so one that is added without a row in `TABLE` fails.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from carrel.auth.keys import new_key
from carrel.entry.web import ROUTERS
from carrel.infra.settings import Objects
from carrel.infra.web.app import build
from carrel.infra.web.caller import NOT_IMPLIED
from carrel.infra.web.routing import Terms, UnitRoute, unit_routes
from tests.house import KEY, SCOPES, Home, problem
from tests.isolation.access import ACCESS
from tests.isolation.calls import NONE, PERSON, Call, Row, for_a_person, listing, of_nobody, plain
from tests.isolation.conftest import (
    PASSWORD,
    Neighbours,
    Person,
    Resident,
    forget_attempts,
    hired,
    invited,
    settled,
    signed_in,
)
from tests.isolation.conftest import UUID as ID
from tests.isolation.operators import OPERATED, operators_key
from tests.isolation.rows_audit import AUDIT
from tests.isolation.rows_domains import DOMAINS
from tests.isolation.rows_factors import FACTORS
from tests.isolation.rows_keys import KEYS

pytestmark = pytest.mark.anyio

OPERATIONS: dict[str, UnitRoute] = {str(route.operation_id): route for route in unit_routes(build(ROUTERS, Objects()))}
SCOPED = sorted(name for name, route in OPERATIONS.items() if Terms.of(route).scope)
OPEN = sorted(OPERATIONS.keys() - set(SCOPED))


def of_a_document(method: str, part: str = "", **options: Any) -> Row:
    async def own(us: Resident) -> Call:
        if method == "DELETE":
            return Call(method, f"/api/documents/{(await us.organisation.add('Not for long.'))['id']}", 204)
        return Call(method, f"/api/documents/{us.document}{part}", 200, options)

    def foreign(them: Resident) -> Sequence[Call]:
        ids = (them.document, them.failed, them.waiting, UUID(them.document).hex, them.document.upper())
        return [Call(method, f"/api/documents/{one}{part}", 404, options) for one in ids]

    return Row(own, foreign)


def of_chunks() -> Row:
    row = of_a_document("GET", "/chunks")

    def foreign(them: Resident) -> Sequence[Call]:
        path = f"/api/documents/{them.document}/chunks"
        return [
            *row.foreign(them),
            Call("GET", path, 400, {"params": {"limit": 1, "cursor": them.cursors[path]}}),
            Call("GET", path, 404, {"params": {"offset": 0}}),
        ]

    return Row(row.own, foreign)


def of_a_job(method: str, part: str = "", path: str = "/api/jobs") -> Row:
    async def own(us: Resident) -> Call:
        added = await us.organisation.add("To be cancelled.")
        if part in {"/retry", "/events"}:
            await us.organisation.call("POST", f"/api/jobs/{added['job_id']}/cancel")
        return Call(method, f"{path}/{added['job_id']}{part}", 200)

    return Row(
        own,
        lambda them: [Call(method, f"{path}/{one}{part}", 404) for one in (them.job, them.waiting_job, them.dead_job)],
    )


async def own_replay(us: Resident) -> Call:
    return Call("POST", "/api/admin/jobs/retry", 200, {"json": {"state": "cancelled"}})


async def own_add(us: Resident) -> Call:
    return Call("POST", "/api/documents", 202, {"json": {"content": "Ours.", "external_id": uuid4().hex}})


async def own_list(us: Resident) -> Call:
    return Call("GET", "/api/documents", 200, {"params": {"limit": 200, "offset": 0}})


def foreign_list(them: Resident) -> Sequence[Call]:
    cursor = them.cursors["/api/documents"]
    return [
        Call("GET", "/api/documents", 400, {"params": {"limit": 1, "cursor": cursor}}),
        Call("GET", "/api/documents", 200, {"params": {"external_id": them.external_id, "offset": 0}}, empty=True),
        Call("GET", "/api/documents", 200, {"params": {"tag": them.word, "offset": 0}}, empty=True),
    ]


async def own_search(us: Resident) -> Call:
    return Call("POST", "/api/search", 200, {"json": {"query": us.word, "limit": 100, "explain": True}})


def foreign_search(them: Resident) -> Sequence[Call]:
    narrow: list[dict[str, Any]] = [
        {"document_id": them.document},
        {"external_id": them.external_id},
        {"tags": [them.word]},
    ]
    kinds = ("hybrid", "keyword", "semantic")
    asked = {"limit": 100, "explain": True, "query": f"the lease of {them.word}"}
    narrowed = [Call("POST", "/api/search", 200, {"json": {**asked, "filters": one}}, empty=True) for one in narrow]
    return [*narrowed, *(Call("POST", "/api/search", 200, {"json": {**asked, "type": kind}}) for kind in kinds)]


async def own_sessions(us: Resident) -> Call:
    return Call("GET", "/api/auth/sessions", 200, token=us.owner.access_token)


async def own_session(us: Resident) -> Call:
    another = await login(us, us.member)
    return Call("DELETE", f"/api/auth/sessions/{another.session}", 204, token=us.member.access_token)


async def own_logout(us: Resident) -> Call:
    return Call("POST", "/api/auth/logout", 204, token=(await login(us, us.member)).access_token)


async def own_switch(us: Resident) -> Call:
    options = {"json": {"organization": str(us.organisation.tenant)}}
    return Call("POST", "/api/auth/switch", 200, options, token=us.member.access_token)


async def own_role(us: Resident) -> Call:
    path = f"/api/organization/members/{us.member.id}"
    return Call("PATCH", path, 200, {"json": {"role": "member"}}, token=us.owner.access_token)


async def own_renaming(us: Resident) -> Call:
    return Call("PATCH", "/api/organization", 200, {"json": {"name": us.word}}, token=us.owner.access_token)


async def own_dismissal(us: Resident) -> Call:
    short = await hired(us.organisation, "viewer", us.word)
    return Call("DELETE", f"/api/organization/members/{short.id}", 204, token=us.owner.access_token)


async def own_invitation(us: Resident) -> Call:
    return Call("POST", "/api/organization/invitations", 201, {"json": {"email": f"{uuid4().hex}@example.org"}})


async def own_withdrawal(us: Resident) -> Call:
    made = await invited(us.organisation, "viewer", f"{uuid4().hex}@{us.word}.test")
    return Call("DELETE", f"/api/organization/invitations/{made['id']}", 204)


async def login(us: Resident, person: Person) -> Person:
    forget_attempts(us.home)
    answer = await us.home.http.post("/api/auth/login", json={"email": person.email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return await signed_in(us.home, person.email, answer.json())


def foreign_members(method: str, **options: Any) -> Callable[[Resident], Sequence[Call]]:
    def foreign(them: Resident) -> Sequence[Call]:
        ids = (them.owner.id, them.member.id)
        return [Call(method, f"/api/organization/members/{one}", 404, options) for one in ids]

    return foreign


async def own_registration(us: Resident) -> Call:
    body = {"email": f"{uuid4().hex}@example.org", "password": PASSWORD, "organization": "New"}
    return Call("POST", "/api/auth/register", 201, {"json": body})


async def own_key(us: Resident) -> Call:
    return Call("POST", "/api/admin/api-keys", 201, {"json": {"name": "Another"}})


async def own_revocation(us: Resident) -> Call:
    made = await us.organisation.call("POST", "/api/admin/api-keys", json={"name": "Short-lived"})
    return Call("DELETE", f"/api/admin/api-keys/{made.json()['id']}", 204)


TABLE: dict[str, Row] = {
    "health": plain("/health"),
    "ready": plain("/health/ready"),
    "health_report": plain("/api/health"),
    "metrics": plain("/metrics"),
    "reference": plain("/docs"),
    "reference_style": plain("/docs/style.css"),
    "explain_problem": plain("/problems/not-found"),
    "statistics": plain("/api/stats"),
    # The external id and the Idempotency-Key of others are free to use; see the end of this file.
    "add_document": Row(own_add),
    "list_documents": Row(own_list, foreign_list),
    "get_document": of_a_document("GET"),
    "get_document_text": of_a_document("GET", "/text"),
    "delete_document": of_a_document("DELETE"),
    "list_chunks": of_chunks(),
    "search": Row(own_search, foreign_search),
    "list_jobs": listing("/api/jobs"),
    "get_job": of_a_job("GET"),
    "cancel_job": of_a_job("POST", "/cancel"),
    "retry_job": of_a_job("POST", "/retry"),
    "follow_job": of_a_job("GET", "/events"),
    "list_admin_jobs": listing("/api/admin/jobs"),
    "retry_admin_job": of_a_job("POST", "/retry", "/api/admin/jobs"),
    "retry_jobs": Row(own_replay),
    "list_api_keys": listing("/api/admin/api-keys"),
    "create_api_key": Row(own_key),
    "revoke_api_key": Row(own_revocation, lambda them: [Call("DELETE", f"/api/admin/api-keys/{them.key}", 404)]),
}
TABLE |= {
    "register": Row(own_registration),
    "verify_registration": of_nobody("/api/auth/verify", 410, token=NONE, password=PASSWORD),
    "login": of_nobody("/api/auth/login", 401, email="nobody@example.org", password=PASSWORD),
    "refresh_tokens": of_nobody("/api/auth/refresh", 401, refresh_token=NONE),
    "forget_password": of_nobody("/api/auth/password/forgot", 202, email="nobody@example.org"),
    "reset_password": of_nobody("/api/auth/password/reset", 410, token=NONE, password=PASSWORD),
    "accept_invitation": of_nobody("/api/auth/invitations/accept", 410, token=NONE, password=PASSWORD),
    "list_public_keys": plain("/.well-known/jwks.json"),
    "get_profile": for_a_person("GET", "/api/auth/me"),
    "change_profile": for_a_person("PATCH", "/api/auth/me", json={"name": "Somebody else"}),
    "change_password": for_a_person(
        "POST", "/api/auth/password", 403, json={"current_password": "another one", "new_password": PASSWORD}
    ),
    "list_sessions": Row(own_sessions),
    "revoke_session": Row(
        own_session, lambda them: [Call("DELETE", f"/api/auth/sessions/{them.owner.session}", 404, token=PERSON)]
    ),
    "logout": Row(own_logout),
    "list_own_organizations": for_a_person("GET", "/api/auth/organizations"),
    "switch_organization": Row(
        own_switch,
        lambda them: [
            Call(
                "POST", "/api/auth/switch", 403, {"json": {"organization": str(them.organisation.tenant)}}, token=PERSON
            )
        ],
    ),
    "list_members": listing("/api/organization/members"),
    "change_role": Row(own_role, foreign_members("PATCH", json={"role": "viewer"})),
    "remove_member": Row(own_dismissal, foreign_members("DELETE")),
    "list_invitations": listing("/api/organization/invitations"),
    "invite": Row(own_invitation),
    "get_organization": plain("/api/organization"),
    "rename_organization": Row(own_renaming),
    "get_usage": plain("/api/organization/usage"),
    "get_usage_history": plain("/api/organization/usage/history"),
    "withdraw_invitation": Row(
        own_withdrawal, lambda them: [Call("DELETE", f"/api/organization/invitations/{them.invitation}", 404)]
    ),
}
TABLE |= AUDIT | KEYS
TABLE |= OPERATED
TABLE |= ACCESS | {
    "change_document": of_a_document("PATCH", json={"metadata": {}}),
    "list_groups": listing("/api/organization/groups"),
    "list_collections": listing("/api/collections"),
}
TABLE |= FACTORS | DOMAINS
# Made without a caller and without a database; each shows the same to everybody.
PAGES = {"/openapi.json"}


async def send(us: Resident, call: Call, **headers: str) -> httpx.Response:
    given = headers or {KEY: operators_key(us.home) if call.operator else us.organisation.keys["all"]}
    if call.token is not None and not headers:
        token = us.member.access_token if call.token == PERSON else call.token
        given = {"Authorization": f"Bearer {token}"}
    forget_attempts(us.home)
    return await us.home.http.request(call.method, call.path, headers=given, **call.options)


def leaks(answer: httpx.Response, them: Resident, said: str = "") -> set[str]:
    """What an answer shows of `them`, beyond what was said in the request itself."""
    shown, known = answer.text + json.dumps(answer.headers.multi_items()), bare(said)
    return {mark for mark in them.marks() if mark in shown and bare(mark) not in known}


def bare(text: str) -> str:
    """In one spelling, because ids are taken in several and shown in one."""
    return text.replace("-", "").lower()


def test_the_table_has_a_row_for_every_operation_and_no_other():
    assert TABLE.keys() == OPERATIONS.keys()


def test_every_route_is_an_operation_or_a_page_for_everybody():
    app = build(ROUTERS, Objects())
    beside = {getattr(route, "path", None) for route in app.routes if not hasattr(route, "original_router")}

    assert beside - {route.path for route in OPERATIONS.values()} <= PAGES


@pytest.mark.parametrize("path", ["/api/documents", "/api/jobs", "/api/admin/api-keys", "/api/stats"])
async def test_the_walk_notices_what_is_theirs(neighbours: Neighbours, path: str):
    answer = await send(neighbours.them, Call("GET", path, 200))

    assert bool(leaks(answer, neighbours.them)) == (path != "/api/stats")
    assert not leaks(answer, neighbours.us)


@pytest.mark.parametrize("operation", SCOPED)
class TestEveryOperationWithAScope:
    async def test_asks_for_credentials(self, neighbours: Neighbours, operation: str):
        call = await TABLE[operation].own(neighbours.us)

        for headers in ({"X-Nothing": "1"}, {KEY: new_key()}, {"Authorization": "Bearer nobody"}):
            answer = await send(neighbours.us, call, **headers)

            assert problem(answer, 401)["code"] in {"credentials-required", "invalid-credentials"}
            assert not leaks(answer, neighbours.them)

    async def test_refuses_keys_without_the_scope(self, neighbours: Neighbours, operation: str):
        needed = Terms.of(OPERATIONS[operation]).scope
        call = await TABLE[operation].own(neighbours.us)

        implied = set() if needed in NOT_IMPLIED else {"admin"}
        for scope in set(SCOPES) - {needed, *implied, *TABLE[operation].holders}:
            answer = await send(neighbours.us, call, **{KEY: neighbours.us.organisation.keys[scope]})

            assert problem(answer, 403)["code"] == "forbidden"
            assert not leaks(answer, neighbours.them)

    async def test_shows_nothing_of_others(self, neighbours: Neighbours, operation: str):
        call = await TABLE[operation].own(neighbours.us)

        answer = await send(neighbours.us, call)

        assert answer.status_code == call.status, answer.text
        assert bool(leaks(answer, neighbours.them)) == TABLE[operation].shows_all

    async def test_does_not_reach_the_things_of_others(self, neighbours: Neighbours, operation: str):
        before = neighbours.them.organisation.rows()

        for call in TABLE[operation].foreign(neighbours.them):
            answer = await send(neighbours.us, call)

            assert answer.status_code == call.status, (call, answer.text)
            assert not leaks(answer, neighbours.them, call.said), call
            if call.empty:
                shown = answer.json()
                assert [*shown.get("data", []), *shown.get("results", []), shown["total"]] == [0]

        assert neighbours.them.organisation.rows() == before

    async def test_answers_for_things_of_others_as_for_things_that_never_were(
        self, neighbours: Neighbours, operation: str
    ):
        for call in TABLE[operation].foreign(neighbours.them):
            if call.status not in {403, 404}:
                continue
            never_was = str(uuid4())
            options = json.loads(ID.sub(never_was, json.dumps(call.options)))
            unknown = replace(call, path=ID.sub(never_was, call.path.lower()), options=options)

            ours, theirs = await send(neighbours.us, unknown), await send(neighbours.us, call)

            assert without_echo(ours) == without_echo(theirs)


@pytest.mark.parametrize("operation", sorted(OPERATED))
async def test_an_operation_for_operators_refuses_whoever_administers_an_organisation(
    neighbours: Neighbours, operation: str
):
    us, call = neighbours.us, await TABLE[operation].own(neighbours.us)
    people = [{"Authorization": f"Bearer {one.access_token}"} for one in (us.owner, us.member)]

    for headers in (*people, *({KEY: us.organisation.keys[scope]} for scope in ("all", "admin"))):
        answer = await send(us, call, **headers)

        assert problem(answer, 403)["scope"] == "operator"
        assert not leaks(answer, neighbours.them)


@pytest.mark.parametrize("operation", OPEN)
async def test_an_operation_for_everybody_tells_nothing_of_anybody(neighbours: Neighbours, operation: str):
    for headers in ({"X-Nothing": "1"}, {KEY: new_key()}, {KEY: neighbours.us.organisation.keys["all"]}):
        call = await TABLE[operation].own(neighbours.us)
        answer = await send(neighbours.us, call, **headers)

        assert answer.status_code == call.status, answer.text
        assert not leaks(answer, neighbours.them) | leaks(answer, neighbours.us)


@pytest.mark.parametrize("path", sorted(PAGES))
async def test_a_page_for_everybody_tells_nothing_of_anybody(neighbours: Neighbours, path: str):
    answer = await send(neighbours.us, Call("GET", path, 200))

    assert answer.status_code == 200
    assert not leaks(answer, neighbours.them) | leaks(answer, neighbours.us)


async def test_what_others_do_changes_none_of_our_numbers(running_home: Home):
    us = await settled(running_home, "counted")
    before = await view(us)

    them = await settled(us.home, "newcomers")
    theirs = them.organisation
    await theirs.search(us.word, explain=True)
    await theirs.call("DELETE", f"/api/documents/{them.document}")
    await theirs.call("POST", f"/api/jobs/{them.waiting_job}/cancel")
    await theirs.call("DELETE", f"/api/admin/api-keys/{them.key}")

    assert await view(us) == before


async def test_both_may_use_the_same_external_id(neighbours: Neighbours):
    them, other = neighbours.them, await neighbours.them.home.organisation("Other")
    body = {"content": "Ours.", "external_id": them.external_id}
    before = them.organisation.rows()

    first = await other.call("POST", "/api/documents", json=body)
    again = await other.call("POST", "/api/documents", json=body)

    assert first.status_code == 202, first.text
    assert problem(again, 409)["document_id"] == first.json()["id"]
    found = await other.get("/api/documents", external_id=them.external_id)
    assert [one["id"] for one in found["data"]] == [first.json()["id"]]
    assert them.organisation.rows() == before


async def test_both_may_use_the_same_idempotency_key(neighbours: Neighbours):
    body, headers = {"content": "The same."}, {"Idempotency-Key": uuid4().hex}
    ours, theirs, again = [
        await one.organisation.call("POST", "/api/documents", json=body, headers=headers)
        for one in (neighbours.us, neighbours.them, neighbours.us)
    ]

    assert ours.status_code == theirs.status_code == again.status_code == 202
    assert ours.json()["id"] != theirs.json()["id"]
    assert again.content == ours.content
    assert "idempotent-replayed" not in theirs.headers
    assert not leaks(ours, neighbours.them) | leaks(theirs, neighbours.us)


async def test_the_rank_of_a_passage_does_not_depend_on_what_others_have(running_home: Home):
    us = await settled(running_home, "ranked")
    before = await ranked(us)

    async with us.home.working():
        other = await us.home.organisation("Others")
        for _ in range(3):
            await other.indexed("The lease, the lease, the lease ends in May.")

    assert await ranked(us) == before


async def ranked(us: Resident) -> list[Any]:
    answers = [await us.organisation.search("lease in May", type=kind) for kind in ("hybrid", "keyword", "semantic")]
    return [[(hit["chunk_id"], hit["score"]) for hit in answer["results"]] for answer in answers]


async def view(us: Resident) -> list[Any]:
    """Everything that an organisation can count about itself."""
    pages = ("/api/documents", "/api/jobs", f"/api/documents/{us.document}/chunks", "/api/admin/api-keys")
    counts = [await us.organisation.get(path, offset=0, limit=200) for path in pages]
    keys = [{**key, "last_used_at": None} for key in counts[-1]["data"]]
    return [await us.organisation.get("/api/stats"), *counts[:-1], keys, counts[-1]["total"], await ranked(us)]


def without_echo(answer: httpx.Response) -> tuple[int, str]:
    """An answer without the path and the id that it repeats from the request."""
    body = {name: value for name, value in answer.json().items() if name not in {"instance", "request_id"}}
    return answer.status_code, ID.sub("", json.dumps(body).lower())
