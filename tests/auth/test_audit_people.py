"""Groups, accounts, second factors, identities and tokens: each change is in the logs that it belongs into."""

import json

import psycopg
import pytest

from carrel.auth import tenant_tokens
from carrel.auth.audit import SERVER, SYSTEM
from carrel.auth.people import People
from carrel.auth.transfer import Import, Roll
from carrel.auth.userfile import parsed
from carrel.core.clock import now
from carrel.infra.db import Role
from tests.auth import test_factors
from tests.auth.test_factors import SECOND, TOTP, with_factor
from tests.auth.town import PASSWORD, new_email

pytestmark = pytest.mark.anyio
GROUPS, USERS, TOKENS = "/api/organization/groups", "/api/admin/users", "/api/tokens"
time = test_factors.time


def actor(person):
    return f"user:{person.id}"


async def of_server(town, action, target):
    """What the log of the server tells of somebody."""
    return [event for event in await town.events(SERVER, action) if event.target_id == target]


async def names(town, tenant, *prefixes):
    return [event.action for event in await town.events(tenant) if event.action.startswith(prefixes)]


class TestGroups:
    async def test_that_are_made_changed_and_removed(self, town):
        boss = await town.register()
        group = (await boss.call("POST", GROUPS, json={"name": "Editors", "description": "Write."})).json()["id"]
        await boss.call("PATCH", f"{GROUPS}/{group}", json={"name": "Authors", "description": "Write."})
        await boss.call("DELETE", f"{GROUPS}/{group}")

        events = [await town.event(boss.organization, f"group.{name}") for name in ("created", "changed", "removed")]

        assert {(event.actor, event.target_kind, event.target_id) for event in events} == {
            (actor(boss), "group", group)
        }
        assert [event.details for event in events] == [
            {"name": "Editors"}, {"name": "Authors", "changed": ["name"]}, {},
        ]  # fmt: skip

    async def test_whose_members_come_and_go(self, town):
        boss = await town.register()
        guest = await town.hired(boss, "member")
        group = (await boss.call("POST", GROUPS, json={"name": "Editors"})).json()["id"]
        path = f"{GROUPS}/{group}/members/{guest.id}"
        for method in ("PUT", "DELETE"):
            await boss.call(method, path)

        for name in ("member_added", "member_removed"):
            event = await town.event(boss.organization, f"group.{name}")
            assert (event.actor, event.target_id, event.details) == (actor(boss), group, {"user": guest.id})

    async def test_that_stay_as_they_were_leave_no_event(self, town):
        boss = await town.register()
        group = (await boss.call("POST", GROUPS, json={"name": "Editors"})).json()["id"]
        other = (await boss.call("POST", GROUPS, json={"name": "Readers"})).json()["id"]
        path = f"{GROUPS}/{group}/members/{boss.id}"
        await boss.call("PUT", path)
        before = await names(town, boss.organization, "group.")

        answers = [
            await boss.call("PUT", path),
            await boss.call("PATCH", f"{GROUPS}/{group}", json={"name": "Editors"}),
            await boss.call("PATCH", f"{GROUPS}/{other}", json={"name": "Editors"}),
            await boss.call("DELETE", f"{GROUPS}/{other}/members/{boss.id}"),
        ]

        assert [answer.status_code for answer in answers] == [204, 200, 409, 404]
        assert await names(town, boss.organization, "group.") == before


class TestPeople:
    async def test_whom_an_operator_changes(self, town):
        boss, lina = await town.operator(), await town.register()
        await boss.call("PATCH", f"{USERS}/{lina.id}", json={"tier": "pro", "enabled": False, "operator": False})
        await boss.call("PATCH", f"{USERS}/{lina.id}", json={"tier": "pro"})

        [event] = await of_server(town, "user.changed", lina.id)

        assert (event.actor, event.target_kind) == (actor(boss), "user")
        assert event.details == {"changed": ["enabled", "tier"], "tier": "pro", "enabled": False}
        assert await names(town, lina.organization, "user.changed") == []

    async def test_who_are_made_by_command(self, town):
        boss, email = await town.register(), new_email()
        line = {"email": email, "organization": boss.tokens["organization"]["slug"], "role": "admin", "operator": True}
        [entry] = parsed(json.dumps([line]), "json")
        assert entry.line is not None
        async with town.database.transaction(Role.GATE) as db:
            await Roll(db, now()).create(entry.line, None)
            who = str((await People(db, SYSTEM).by_email(email)).id)

        [created] = await of_server(town, "user.created", who)
        joined = await town.event(boss.organization, "member.joined")

        assert (created.actor, created.details) == ("system", {"operator": True})
        assert (joined.actor, joined.target_id, joined.details) == ("system", who, {"role": "admin"})

    async def test_who_are_imported_are_counted_and_whoever_was_there_is_named(self, town):
        boss = await town.register()
        guest = await town.hired(boss, "member")
        place = {"organization": boss.tokens["organization"]["slug"]}
        lines = [
            {"email": new_email(), **place}, {"email": new_email(), **place, "role": "viewer"},
            {"email": new_email(), "operator": True, **place},
            {"email": guest.email, **place, "role": "admin", "tier": "pro", "password": "another seven herons"},
            {"email": boss.email, **place},
        ]  # fmt: skip
        entries = parsed(json.dumps(lines), "json")
        before = await town.events(SERVER)

        for dry_run in (True, False):
            await Import(town.database, town.desk.passwords).run(entries, partial=False, dry_run=dry_run)

        told = [e for e in (await town.events(SERVER))[len(before) :] if e.actor == SYSTEM]
        own = [e for e in await town.events(boss.organization) if e.actor == SYSTEM]
        assert [(event.action, event.details) for event in told] == [
            ("user.created", {"operator": True}),
            ("user.changed", {"changed": ["password", "tier"], "tier": "pro"}),
            ("users.imported", {"created": 3, "changed": 1, "unchanged": 1, "failed": 0}),
        ]
        assert [(event.action, event.target_id, event.details) for event in own] == [
            ("member.role_changed", guest.id, {"from": "member", "to": "admin"}),
            ("members.imported", None, {"member": 2, "viewer": 1}),
        ]

    async def test_of_an_import_that_fails_nothing_is_told(self, town):
        boss = await town.register()
        lines = [{"email": new_email(), "organization": "nowhere"}, {"email": boss.email, "tier": "pro"}]
        entries = parsed(json.dumps(lines), "json")

        await Import(town.database, town.desk.passwords).run(entries, partial=False, dry_run=False)

        assert await of_server(town, "user.changed", boss.id) == []


class TestSecondFactors:
    async def test_that_come_into_force_and_go(self, town, time):
        lina = await with_factor(await town.register(), time)
        body = {"current_password": PASSWORD, "code": lina.phone.code()}
        renewed = (await lina.call("POST", f"{TOTP}/recovery-codes", json=body)).json()["recovery_codes"]
        await lina.call("POST", f"{TOTP}/disable", json={"current_password": PASSWORD, "recovery_code": renewed[0]})

        events = [e for e in await town.events(lina.organization) if e.action.startswith(("second_", "recovery_"))]

        assert [event.action for event in events] == [
            "second_factor.enrolled", "recovery_codes.renewed", "recovery_code.used", "second_factor.disabled",
        ]  # fmt: skip
        assert {(event.actor, event.target_id) for event in events} == {(actor(lina), lina.id)}
        assert not any(code in str(event) for code in [*lina.codes, *renewed] for event in events)

    async def test_of_which_a_recovery_code_is_used_to_log_in(self, town, time):
        lina = await with_factor(await town.register(), time)
        ticket = (await town.login(lina.email)).json()["ticket"]

        answer = await town.post(SECOND, {"ticket": ticket, "recovery_code": lina.codes[0]})

        assert answer.status_code == 200
        assert (await town.event(lina.organization, "recovery_code.used")).actor == actor(lina)
        assert await names(town, lina.organization, "recovery_code.", "login.s") == [
            "recovery_code.used",
            "login.succeeded",
        ]

    async def test_that_are_forgotten_by_command(self, town, time):
        boss = await town.register()
        lina = await with_factor(await town.hired(boss, "member"), time)
        async with town.database.transaction(Role.GATE) as db:
            for _ in range(2):
                await People(db, SYSTEM).forget_factor(lina.id)

        [event] = await of_server(town, "second_factor.forgotten", lina.id)

        assert event.actor == "system"
        assert (await town.event(boss.organization, "second_factor.forgotten")).target_id == lina.id

    async def test_that_are_refused_leave_no_event(self, town, time):
        lina = await with_factor(await town.register(), time)
        wrong = {"current_password": PASSWORD, "recovery_code": "AAAA-AAAA-AAAA-AAAA"}

        answer = await lina.call("POST", f"{TOTP}/disable", json=wrong)

        assert answer.json()["code"] == "wrong-code"
        assert await names(town, lina.organization, "recovery_", "second_factor.d") == []


class TestIdentities:
    async def test_that_are_linked_to_an_account(self, opened):
        world = await opened(link_by_email=True)
        lina = await world.town.register(world.email)
        await world.town.change("UPDATE users SET email_verified_at = created_at WHERE id = %(id)s", id=lina.id)

        for _ in range(2):
            assert (await world.walk()).status_code == 200

        [told] = await of_server(world.town, "identity.linked", lina.id)
        own = await world.town.event(lina.organization, "identity.linked")
        assert told.actor == own.actor == actor(lina)
        assert told.details == {"issuer": world.provider.issuer}

    async def test_that_bring_a_member_and_another_role(self, opened):
        world = await opened(role_claim="groups", role_map={"staff": "member", "heads": "admin"}, default_role="viewer")
        bodies = []
        for group in ("staff", "heads"):
            await world.orders(claims={"groups": [group]})
            bodies.append((await world.walk()).json())

        home, who = bodies[0]["organization"]["id"], bodies[0]["user"]["id"]
        joined, changed = [await world.town.event(home, f"member.{name}") for name in ("joined", "role_changed")]

        assert (joined.actor, joined.target_id, joined.details) == (f"user:{who}", who, {"role": "member"})
        assert (changed.actor, changed.details) == (f"user:{who}", {"from": "member", "to": "admin"})
        assert len(await of_server(world.town, "identity.linked", who)) == 1


class TestTokens:
    async def test_that_a_key_makes(self, town, tenant, dsn):
        headers = await town.key(tenant, "read", "search")
        wanted = {"filter": {"tags": ["secret project"]}, "scopes": ["read"], "subject": "visitor 7"}

        made = (await town.post(TOKENS, wanted, headers=headers)).json()

        event = await town.event(tenant, "token.created")
        assert (event.actor, event.target_kind) == (f"key:{event.target_id}", "key")
        assert event.details == {"scopes": ["read"], "expires_at": made["expires_at"].replace("Z", "+00:00")}
        with psycopg.connect(dsn) as connection:
            written = str(connection.execute("SELECT jsonb_agg(to_jsonb(e)) FROM audit_events e").fetchone())
        assert [one for one in (made["token"], headers["X-API-Key"], "visitor 7") if one in written] == []

    async def test_that_are_very_many_are_told_of_some(self, town, tenant):
        first, second = [await town.key(tenant, "read") for _ in range(2)]
        for headers, count in ((first, tenant_tokens.NOTED + 5), (second, 1)):
            for _ in range(count):
                assert (await town.post(TOKENS, {"filter": {}}, headers=headers)).status_code == 201

        assert len(await town.events(tenant, "token.created")) == tenant_tokens.NOTED + 1

    async def test_that_are_refused_leave_no_event(self, town, tenant):
        headers = await town.key(tenant, "read")

        answer = await town.post(TOKENS, {"filter": {}, "scopes": ["write"]}, headers=headers)

        assert answer.status_code == 403
        assert await town.events(tenant, "token.created") == []
