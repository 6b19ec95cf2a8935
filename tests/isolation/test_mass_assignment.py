"""Adds to each body what only the server may decide: it is refused, wherever in the body it stands.

The bodies come from the walk over all operations, and the operations from the application's own list.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from carrel.core.ids import uuid7
from carrel.entry.web import openapi
from carrel.infra.web.openapi import operations
from carrel.infra.web.routing import Terms
from tests.house import Organisation, problem
from tests.isolation.conftest import Neighbours, Resident
from tests.isolation.test_credentials import state
from tests.isolation.test_routes import OPERATIONS, TABLE, send

pytestmark = pytest.mark.anyio

DOCUMENT = openapi()
PRIVILEGED: Mapping[str, Any] = {
    "tenant_id": str(uuid7()),
    "tenant": str(uuid7()),
    "organization_id": str(uuid7()),
    "id": str(uuid7()),
    "user_id": str(uuid7()),
    "role": "owner",
    "scopes": ["admin", "owner", "operator"],
    "is_admin": True,
    "admin": True,
    "operator": True,
    "tier": "admin",
    "quota": 10**9,
    "max_documents": 10**9,
    "max_storage_bytes": 10**12,
    "rate_limit": 10**6,
    "enabled": True,
    "verified": True,
    "email_verified_at": "2026-01-01T00:00:00Z",
    "created_at": "2001-01-01T00:00:00Z",
    "updated_at": "2001-01-01T00:00:00Z",
    "expires_at": None,
    "status": "indexed",
    "version": 99,
    "password_hash": "$argon2id$v=19$m=8,t=1,p=1$YWFhYWFhYWE$YQ",
    "hash": "00",
    "prefix": "aaaaaaaa",
    "origin": "setting",
    "object_key": "../../other",
    "sha256": "f" * 64,
    "job_id": str(uuid7()),
    "__proto__": {"operator": True},
}
MEANT = {
    ("create_api_key", "scopes"): "whoever makes a key says what it may do, and gives at most what they hold",
    ("create_api_key", "expires_at"): "a key may have an end",
    ("create_api_key", "rate_limit"): "a key may have a limit of its own, beside that of its organisation",
    ("change_api_key", "scopes"): "as when it is made",
    ("change_api_key", "expires_at"): "as when it is made",
    ("change_api_key", "rate_limit"): "as when it is made",
    ("create_token", "scopes"): "a token holds at most what its key does, and never `admin`",
    ("invite", "role"): "whoever invites says as what, and gives at most what they hold",
    ("change_role", "role"): "that is what the operation is for; nobody gives more than they hold",
}
"""Privileged by name, and yet for callers to give: each with the reason. Operators decide over all of them."""
FREE = frozenset({"metadata"})
"""Whatever stands in there is the caller's own, and means nothing to the server."""


def of_json() -> list[str]:
    return sorted(
        operation["operationId"]
        for _, _, operation in operations(DOCUMENT)
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    )


def without_body() -> list[str]:
    return sorted(
        operation["operationId"]
        for method, _, operation in operations(DOCUMENT)
        if method != "get" and "requestBody" not in operation
    )


def known(operation: str) -> set[str]:
    """The members that the operation's own body has."""
    for _, _, found in operations(DOCUMENT):
        if found["operationId"] == operation:
            schema = found["requestBody"]["content"]["application/json"]["schema"]
            named = DOCUMENT["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
            return set(named.get("properties", {}))
    raise LookupError(operation)


def swollen(body: Any, member: str) -> Iterator[Any]:
    """The body with one member more: beside the others, and in each object inside."""
    for place in places(body):
        changed = copy.deepcopy(body)
        target = changed
        for step in place:
            target = target[step]
        if member not in target:
            target[member] = PRIVILEGED[member]
            yield changed


def places(value: Any) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        yield ()
        for name, inner in value.items():
            yield from ((name, *rest) for rest in places(inner)) if name not in FREE else ()


def is_operators(operation: str) -> bool:
    return Terms.of(OPERATIONS[operation]).scope == "operator"


@pytest.mark.parametrize("operation", of_json())
async def test_a_member_that_only_the_server_may_set_is_refused(neighbours: Neighbours, operation: str):
    us = neighbours.us
    call = await TABLE[operation].own(us)
    before = state(us)

    for member in sorted(PRIVILEGED.keys() - known(operation)):
        for body in swollen(call.options["json"], member):
            answer = await send(us, replace(call, status=422, options={**call.options, "json": body}))

            assert member in json.dumps(problem(answer, 422)["errors"]), (member, answer.text)
    assert state(us) == before


def test_what_is_privileged_by_name_is_in_a_body_only_with_a_reason():
    found = {
        (operation, member)
        for operation in of_json()
        if not is_operators(operation)
        for member in PRIVILEGED.keys() & known(operation)
    }

    assert found == MEANT.keys()


@pytest.mark.parametrize("operation", without_body())
async def test_an_operation_without_a_body_hears_none(neighbours: Neighbours, operation: str):
    us = neighbours.us
    call = await TABLE[operation].own(us)

    answer = await send(us, replace(call, options={**call.options, "json": dict(PRIVILEGED)}))

    assert answer.status_code == call.status, answer.text
    assert_none_of_it_is_kept(us)


async def test_a_form_with_such_a_field_is_refused(neighbours: Neighbours):
    us = neighbours.us
    before = state(us)

    for member in sorted(PRIVILEGED.keys() - {"expires_at"}):
        fields = {member: json.dumps(PRIVILEGED[member])}
        answer = await us.organisation.call("POST", "/api/documents", files={"file": ("a.txt", b"text")}, data=fields)

        assert member in json.dumps(problem(answer, 400, 422)), (member, answer.text)
    assert state(us) == before


async def test_what_stands_in_the_query_instead_changes_nothing(neighbours: Neighbours):
    organisation: Organisation = neighbours.us.organisation
    path = "/api/documents?tenant_id={}&id={}&status=indexed".format(PRIVILEGED["tenant_id"], PRIVILEGED["id"])

    answer = await organisation.call("POST", path, json={"content": "Ours."})

    assert answer.status_code == 202, answer.text
    assert answer.json()["id"] != PRIVILEGED["id"]
    assert answer.json()["status"] == "queued"
    assert_none_of_it_is_kept(neighbours.us)


def assert_none_of_it_is_kept(us: Resident) -> None:
    stored = json.dumps(us.organisation.rows())
    for member in ("tenant_id", "id", "user_id", "password_hash", "object_key", "sha256", "job_id"):
        assert PRIVILEGED[member] not in stored, member
