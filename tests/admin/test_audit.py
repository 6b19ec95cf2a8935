"""What operators do with an organisation is in its own log and in that of the server, which outlives it."""

from typing import Any

import pytest

from carrel.auth.audit import SERVER
from carrel.auth.audit_chain import Stored
from carrel.auth.repository_audit import ChainRows
from carrel.core.ids import TenantId
from carrel.entry import wiring
from carrel.infra.db import Role
from tests.admin.conftest import ALL, Operator
from tests.house import Home, eventually, problem

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(wiring, "ERASE_AFTER", wiring.ERASE_AFTER * 0)


async def events(home: Home, tenant: Any, about: Any) -> list[Stored]:
    async with home.house.database.transaction(Role.OPERATOR) as db:
        found = await ChainRows(db, TenantId(tenant)).following(0, limit=10_000)
    return [event for event in found if event.target_kind == "organization" and event.target_id == str(about)]


async def in_both(home: Home, organization: str) -> list[Stored]:
    """The events about an organisation, which its own log and that of the server tell alike."""
    own, others = [await events(home, tenant, organization) for tenant in (organization, SERVER)]
    assert [(e.action, e.actor, e.details) for e in own] == [(e.action, e.actor, e.details) for e in others]
    return own


async def actor(operator: Operator) -> str:
    keys = (await operator.get("/api/admin/api-keys", limit=200))["data"]
    [mine] = [key["id"] for key in keys if operator.key.startswith(f"ck_{key['prefix']}_")]
    return f"key:{mine}"


async def test_an_organisation_that_is_made(home, operator):
    made = await operator.make(with_key=True)
    organization = made["organization"]

    [event] = await in_both(home, organization["id"])

    assert event.action == "organization.created"
    assert event.details == {"slug": organization["slug"], "with_key": True}
    assert event.actor == await actor(operator)
    assert made["key"] not in str(event)


async def test_changes_by_the_names_of_what_is_otherwise(home, operator):
    organization = (await operator.make())["organization"]["id"]
    secret = {"metadata": {"contract": "four quiet herons"}}
    await operator.change(organization, name="Herons", **secret)
    await operator.change(organization, name="Herons", **secret)
    await operator.change(organization, enabled=False, rate_limit_per_minute=7)
    await operator.change(organization, enabled=True)

    _, *told = await in_both(home, organization)

    assert [(event.action, event.details.get("changed")) for event in told] == [
        ("organization.changed", ["name", "metadata"]),
        ("organization.disabled", None),
        ("organization.changed", ["rate_limit_per_minute"]),
        ("organization.enabled", None),
    ]
    assert "quiet herons" not in str(told)


async def test_what_is_refused_leaves_no_event(home, operator):
    made, other = [(await operator.make())["organization"] for _ in range(2)]

    problem(await operator.change(made["id"], slug=other["slug"]), 409)
    problem(await operator.call("POST", ALL, json={"name": "Acme", "slug": other["slug"]}), 409)
    problem(await operator.call("DELETE", f"{ALL}/{made['id']}", params={"confirm": "wrong"}))

    assert [event.action for event in await in_both(home, made["id"])] == ["organization.created"]
    assert [event.action for event in await in_both(home, other["id"])] == ["organization.created"]


async def test_an_erasure_is_told_by_the_log_of_the_server_when_the_other_is_gone(home, operator):
    organization = (await operator.make())["organization"]
    await operator.erase(organization["id"])
    asked = (await in_both(home, organization["id"]))[-1]
    async with home.working():

        async def look() -> bool:
            report = await operator.get(f"{ALL}/{organization['id']}/erasure")
            return bool(report["nothing_left"])

        await eventually(look)

    kept = await events(home, SERVER, organization["id"])

    assert await events(home, organization["id"], organization["id"]) == []
    assert [event.action for event in kept] == ["organization.created", "organization.erasure_asked"]
    assert (kept[-1].actor, kept[-1].details) == (asked.actor, {"slug": organization["slug"], "again": False})


async def test_an_erasure_that_is_asked_for_again(home, operator):
    organization = (await operator.make())["organization"]
    first = await operator.erase(organization["id"])
    await operator.call("POST", f"/api/jobs/{first.json()['job_id']}/cancel")
    again = await operator.call("DELETE", f"{ALL}/{organization['id']}", params={"confirm": organization["slug"]})

    told = await events(home, SERVER, organization["id"])

    assert again.status_code == 202
    assert [event.details.get("again") for event in told] == [None, False, True]
