"""Reaching for what is another's changes nothing for them, and the operators of the server hear of it."""

import pytest

from carrel.auth.audit import SERVER
from carrel.auth.repository_audit import ChainRows
from carrel.auth.schemas_audit import Filter
from carrel.infra.db import Role
from tests.isolation.conftest import Neighbours
from tests.isolation.test_routes import leaks

pytestmark = pytest.mark.anyio


async def test_what_others_have_is_told_to_operators_only(neighbours: Neighbours):
    us, them = neighbours.us, neighbours.them
    wanted = {
        "document": (f"/api/documents/{them.document}", them.document),
        "job": (f"/api/jobs/{them.job}", them.job),
        "key": (f"/api/documents/{them.key}", them.key),
        "collection": (f"/api/collections/{them.collection}", them.collection),
        "group": (f"/api/organization/groups/{them.group}", them.group),
    }
    before = them.home.rows(them.organisation.tenant)["audit_events"]
    answers = [await us.organisation.call("GET", path) for path, _ in wanted.values()]
    await us.home.app.state.kit.observer.close()

    async with us.home.house.database.transaction(Role.OPERATOR) as db:
        crossed = await ChainRows(db, SERVER).following(0, limit=10_000, wanted=Filter(action="tenant.crossed"))
    ours = [event for event in crossed if event.details["organization"] == str(us.organisation.tenant)]
    own = await us.organisation.call("GET", "/api/admin/audit", params={"limit": 200})

    assert {answer.status_code for answer in answers} == {404}
    assert {(event.target_kind, event.target_id) for event in ours} >= {
        (kind, id_) for kind, (_, id_) in wanted.items()
    }
    assert {event.details["other"] for event in ours} == {str(them.organisation.tenant)}
    assert not leaks(own, them)
    assert any(event["action"] == "access.refused" for event in own.json()["data"])
    assert them.home.rows(them.organisation.tenant)["audit_events"] == before
