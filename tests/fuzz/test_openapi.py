"""Sends what the OpenAPI document describes, and what it rules out, to a real server.

Whoever asks: no answer of 5xx, every failure a problem as the document describes it, every success as described too.
"""

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from carrel.entry.web import openapi
from carrel.infra.postgres import read_dsn
from tests.server import Server

CASES = 10_000
"""In the long run, so many at a time of each operation; the short one sends a few of each."""
EACH, FEW = 25, 1
PASSWORD = "four quiet herons 41"
SCHEMA = schemathesis.openapi.from_dict(openapi())
OPERATIONS = {
    found.ok().definition.raw["operationId"]: found.ok()
    for found in SCHEMA.get_all_operations()
    if isinstance(found, Ok)
}
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
WHO = ("nobody", "key", "person")
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
HURRIED = {"wait"}
"""Parameters that would only make the run long."""
MADE: dict[str, tuple[str, dict[str, Any], str]] = {
    "document_id": ("/api/documents", {"content": "Two weeks of notice."}, "id"),
    "job_id": ("/api/documents", {"content": "Three weeks of notice."}, "job_id"),
    "key_id": ("/api/admin/api-keys", {"name": "Fuzzed", "scopes": ["read"]}, "id"),
    "group_id": ("/api/organization/groups", {"name": "Fuzzed"}, "id"),
    "collection": ("/api/collections", {"name": "fuzzed"}, "name"),
    "organization_id": ("/api/admin/organizations", {"name": "Fuzzed"}, "id"),
    "invitation_id": ("/api/organization/invitations", {"email": "@example.org"}, "id"),
}
"""What the paths name: where it is made, of what, and which member of the answer names it."""
ENDING = {"logout", "revoke_session", "change_password", "switch_organization", "refresh_tokens"}
"""Operations after which a session may be over."""


@dataclass
class Callers:
    """A running server and everybody who asks it."""

    server: Server
    sent: Counter[int] = field(default_factory=Counter)
    owner: str = ""
    """The access token of somebody who owns an organisation."""

    def headers(self, who: str, operation: str) -> dict[str, str]:
        if who == "key":
            return {"X-API-Key": self.server.key}
        if who == "nobody":
            return {}
        if operation in ENDING:
            return {"Authorization": f"Bearer {self.session()}"}
        if not self.owner:
            self.owner = self.session()
        return {"Authorization": f"Bearer {self.owner}"}

    def existing(self, headers: dict[str, str], path: str) -> dict[str, str]:
        """Something of the caller's own for each name in the path, as far as the caller may make it."""
        found = {}
        for name, (where, body, member) in MADE.items():
            if f"{{{name}}}" in path:
                mark = os.urandom(6).hex()
                fresh = {key: mark + body[key] for key in body.keys() & {"name", "email"}}
                answer = httpx.post(
                    self.server.url + where, json=body | fresh, headers=headers, trust_env=False, timeout=30
                )
                if answer.is_success:
                    found[name] = str(answer.json()[member])
        return found

    def session(self) -> str:
        # All come from one address, and shall not be told to wait.
        with psycopg.connect(read_dsn(self.server.data_dir / "postgres"), autocommit=True) as connection:
            connection.execute("DELETE FROM login_attempts")
        body = {"email": f"{os.urandom(8).hex()}@example.org", "password": PASSWORD, "organization": "Fuzzed"}
        answer = httpx.post(f"{self.server.url}/api/auth/register", json=body, trust_env=False, timeout=30)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["access_token"])


@pytest.fixture(scope="module", name="callers")
def callers_fixture(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Callers]:
    told = {
        "RATE_LIMIT_ENABLED": "false",
        "REGISTRATION": "open",
        "LOG_LEVEL": "warning",
        "JWT_ACCESS_LIFETIME": "3600",
    }
    with Server(tmp_path_factory.mktemp("fuzz"), model_cache=model_cache, **told) as server:
        yield Callers(server)


def send(callers: Callers, operation: str, who: str, mode: GenerationMode, cases: int) -> None:
    """So many cases of one operation by one caller."""
    headers = callers.headers(who, operation)
    existing, turns = callers.existing(headers, OPERATIONS[operation].path), itertools.count()

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[operation].as_strategy(generation_mode=mode))
    def run(case: "Case[Any]") -> None:
        for name in HURRIED & set(case.query or {}):
            del case.query[name]
        # What a case says of credentials is left out: who asks is not for chance to decide.
        for name in ("X-API-Key", "Authorization", "Cookie"):
            case.headers.pop(name, None)
        case.cookies.clear()
        if next(turns) % 2 == 0:
            case.path_parameters.update(existing)
        answer = case.call(base_url=callers.server.url, headers=headers, timeout=30)
        callers.sent[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    with suppress(Unsatisfiable):  # an operation without any input has none that is wrong
        run()


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("who", WHO)
def test_a_few_cases_of_every_operation(callers: Callers, who: str, mode: GenerationMode):
    for operation in sorted(OPERATIONS):
        send(callers, operation, who, mode, FEW)

    # Operations without any input have none that is wrong.
    assert sum(callers.sent.values()) > len(OPERATIONS) / 2


@pytest.mark.slow
def test_ten_thousand_cases(callers: Callers, tell: Callable[[str], None]):
    runs, found = list(product(sorted(OPERATIONS), WHO, MODES)), dict[str, str]()
    while sum(callers.sent.values()) < CASES:
        for operation, who, mode in runs:
            try:
                send(callers, operation, who, mode, EACH)
            except (FailureGroup, AssertionError) as error:
                found[f"{operation} {who} {mode.value}"] = str(error)
    tell(
        f"{len(runs)} runs, {sum(callers.sent.values())} cases, answers by status: {dict(sorted(callers.sent.items()))}"
    )

    assert not found, "\n".join(f"{place}: {why}" for place, why in found.items())
    assert not [status for status in callers.sent if status >= 500]
