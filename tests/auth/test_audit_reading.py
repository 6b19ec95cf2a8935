"""The log over HTTP: pages, filters, files, checks."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from carrel.auth import audit_reading
from carrel.auth.audit import Event, Target, record
from carrel.auth.audit_actions import Action
from carrel.auth.schemas_audit import Filter
from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Role
from tests.auth.town import new_email

pytestmark = pytest.mark.anyio
AUDIT, KEYS = "/api/admin/audit", "/api/admin/api-keys"


@pytest.fixture
async def boss(town):
    """Somebody whose log has six events: a registration and five keys."""
    boss = await town.register()
    for number in range(5):
        await boss.call("POST", KEYS, json={"name": f"Key {number}"})
    return boss


@pytest.fixture
async def operator(town):
    person = await town.register()
    await town.change("UPDATE users SET operator = true WHERE id = %(id)s", Role.OPERATOR, id=person.id)
    town.forget()
    return person


class TestPages:
    async def test_show_events_newest_first(self, boss):
        page = await boss.get(AUDIT)

        assert [event["sequence"] for event in page["data"]] == [6, 5, 4, 3, 2, 1]
        assert set(page["data"][0]) == {
            "sequence", "at", "actor", "action", "target_kind", "target_id", "outcome", "address", "request_id",
            "details", "previous_hash", "hash",
        }  # fmt: skip
        assert page["data"][0]["previous_hash"] == page["data"][1]["hash"]
        assert page["data"][-1]["previous_hash"] == "00" * 32

    async def test_are_walked_by_cursor_while_events_come(self, boss):
        seen: list[int] = []
        cursor = None
        while cursor or not seen:
            page = await boss.get(AUDIT, limit=2, **({"cursor": cursor} if cursor else {}))
            seen += [event["sequence"] for event in page["data"]]
            cursor = page["next_cursor"]
            await boss.call("POST", KEYS, json={"name": "Another"})

        assert seen == [6, 5, 4, 3, 2, 1]

    async def test_are_jumped_in_by_offset(self, boss):
        page = await boss.get(AUDIT, limit=2, offset=3)

        assert [event["sequence"] for event in page["data"]] == [3, 2]
        assert page["total"] == 6

    async def test_are_filtered(self, town, boss):
        key = (await boss.get(KEYS))["data"][0]["id"]
        await town.login(boss.email)

        by_action = await boss.get(AUDIT, action="login.succeeded", offset=0)
        by_target = await boss.get(AUDIT, target=key)
        by_actor = await boss.get(AUDIT, actor=f"user:{boss.id}", offset=0)
        by_nobody = await boss.get(AUDIT, actor="user:nobody")

        assert ([event["action"] for event in by_action["data"]], by_action["total"]) == (["login.succeeded"], 1)
        assert [event["target_id"] for event in by_target["data"]] == [key]
        assert by_actor["total"] == 7
        assert by_nobody["data"] == []

    async def test_are_cut_out_of_time(self, boss):
        third = (await boss.get(AUDIT))["data"][3]["at"]
        later = (datetime.fromisoformat(third) + timedelta(microseconds=1)).isoformat()

        since = await boss.get(AUDIT, **{"from": third})
        until = await boss.get(AUDIT, to=third)
        one = await boss.get(AUDIT, **{"from": third, "to": later})

        assert [event["sequence"] for event in since["data"]] == [6, 5, 4, 3]
        assert [event["sequence"] for event in until["data"]] == [2, 1]
        assert [event["sequence"] for event in one["data"]] == [3]

    @pytest.mark.parametrize(
        "query",
        [{"from": "yesterday"}, {"from": "2026-01-01"}, {"from": "2026-01-01T00:00:00"}, {"action": "x" * 501},
         {"actor": "\x00"}, {"limit": 0}, {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}],
    )  # fmt: skip
    @pytest.mark.parametrize("path", [AUDIT, f"{AUDIT}/export"])
    async def test_refuse_what_makes_no_sense(self, boss, path, query):
        if path.endswith("export") and not {"from", "to"} & query.keys():
            return

        answer = await boss.call("GET", path, params=query)

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")

    async def test_are_for_administrators(self, town, boss):
        member = await town.hired(boss, "member")

        for path in (AUDIT, f"{AUDIT}/export", f"{AUDIT}/verify"):
            assert (await member.call("GET", path)).status_code == 403


class TestTheLogOfTheServer:
    async def test_is_for_operators_only(self, boss, operator):
        assert (await boss.call("GET", f"{AUDIT}/server")).status_code == 403
        assert (await operator.call("GET", f"{AUDIT}/server")).status_code == 200

    async def test_is_another_than_that_of_an_organisation(self, town, operator):
        await town.login(new_email(), "something else")
        await town.watch.close()

        server = await operator.get(f"{AUDIT}/server", action="login.failed", limit=1)
        own = await operator.get(AUDIT, action="login.failed")

        assert [event["actor"] for event in server["data"]] == ["anonymous"]
        assert own["data"] == []


class TestExport:
    async def test_is_the_whole_log_as_json(self, boss, monkeypatch):
        monkeypatch.setattr(audit_reading, "BATCH", 2)

        answer = await boss.call("GET", f"{AUDIT}/export")

        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert answer.headers["content-disposition"] == 'attachment; filename="audit.ndjson"'
        assert [line["sequence"] for line in lines] == [1, 2, 3, 4, 5, 6]
        assert lines == list(reversed((await boss.get(AUDIT))["data"]))

    async def test_is_the_whole_log_as_csv(self, boss, monkeypatch):
        monkeypatch.setattr(audit_reading, "BATCH", 4)
        await boss.call("POST", KEYS, json={"name": "=HYPERLINK(1)"})

        answer = await boss.call("GET", f"{AUDIT}/export", params={"format": "csv"})

        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert [row["sequence"] for row in rows] == list("1234567")
        assert all(not cell.startswith("=") for row in rows for cell in row.values())

    async def test_is_cut_out_of_time(self, boss):
        third = (await boss.get(AUDIT))["data"][3]["at"]

        answer = await boss.call("GET", f"{AUDIT}/export", params={"from": third, "to": "2100-01-01T00:00:00Z"})

        assert [json.loads(line)["sequence"] for line in answer.text.splitlines()] == [3, 4, 5, 6]

    async def test_of_nothing_is_empty(self, boss):
        answer = await boss.call("GET", f"{AUDIT}/export", params={"to": "2001-01-01T00:00:00Z"})

        assert (answer.status_code, answer.text) == (200, "")

    async def test_refuses_other_forms(self, boss):
        answer = await boss.call("GET", f"{AUDIT}/export", params={"format": "xlsx"})

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")

    async def test_holds_no_connection_when_nobody_reads_on(self, town, boss):
        export = audit_reading.AuditExport(
            lambda: town.database.transaction(Role.GATE), TenantId(UUID(boss.organization))
        )
        lines = export.lines("csv", Filter())
        await anext(lines)
        await anext(lines)

        statistics = town.database.primary.get_stats()

        assert statistics["pool_available"] == statistics["pool_size"]


class TestVerify:
    async def test_tells_where_the_log_ends(self, boss):
        last = (await boss.get(AUDIT))["data"][0]

        told = await boss.get(f"{AUDIT}/verify")

        assert told == {
            "ok": True, "events": 6, "first_sequence": 1, "last_sequence": 6, "last_hash": last["hash"],
            "broken_at": None, "reason": None,
        }  # fmt: skip

    async def test_names_the_first_event_that_is_wrong(self, dsn, boss):
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(
                "UPDATE audit_events SET actor = 'nobody' WHERE tenant_id = %s AND sequence IN (3, 5)",
                [boss.organization],
            )

        told = await boss.get(f"{AUDIT}/verify")

        assert (told["ok"], told["broken_at"], told["events"]) == (False, 3, 2)
        assert "Event 3 was changed" in told["reason"]

    async def test_goes_on_over_many_events(self, town, boss, monkeypatch):
        monkeypatch.setattr(audit_reading, "BATCH", 4)

        assert (await boss.get(f"{AUDIT}/verify"))["events"] == 6

    async def test_of_a_log_without_events_is_fine(self, database, tenant):
        snapshot = database.snapshot(Role.APP, tenant)

        told = await audit_reading.AuditCheck(snapshot, tenant).verify()
        await snapshot.abandon()

        assert (told.ok, told.events, told.last_sequence) == (True, 0, 0)


async def test_moments_are_kept_to_the_microsecond(town, database, tenant, monkeypatch):
    moment = datetime(2026, 11, 24, 1, 2, 3, 456789, tzinfo=UTC)
    monkeypatch.setattr("carrel.auth.audit.now", lambda: moment)
    async with database.transaction(Role.GATE) as db:
        await record(db, Event(tenant, Action.LOGOUT, "user:1", Target("session", uuid7())))

    assert [event.at for event in await town.events(tenant)] == [moment]
