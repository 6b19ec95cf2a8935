"""Each event is written by the endpoint that it tells of, with who did it, from where, and about what."""

import asyncio
import json
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from carrel.auth.adminkey import ensure_admin_key
from carrel.auth.audit import SERVER
from carrel.auth.audit_actions import Action
from carrel.auth.keys import new_key
from carrel.infra.db import Role
from carrel.tenants.service import Organizations
from tests.auth.town import PASSWORD, new_email

pytestmark = pytest.mark.anyio
RETIRE = "UPDATE api_keys SET revoked_at = created_at WHERE tenant_id = %(tenant)s AND origin = 'setting'"
KEYS, INVITATIONS = "/api/admin/api-keys", "/api/organization/invitations"
NEW = "another seven herons"


def actor(person):
    return f"user:{person.id}"


class TestOnesAccount:
    async def test_a_registration(self, town):
        lina = await town.register()

        registered = await town.event(lina.organization, "user.registered")
        created = [e for e in await town.events(SERVER, "organization.created") if e.target_id == lina.organization]

        assert (registered.actor, registered.target_id) == (actor(lina), lina.id)
        assert [event.actor for event in created] == [actor(lina)]

    async def test_a_registration_by_mail_and_its_verification(self, mail_town, postbox):
        email = new_email()
        body = {"email": email, "password": PASSWORD, "organization": "Acme"}
        asked = await mail_town.post("/api/auth/register", body)
        verified = await mail_town.post("/api/auth/verify", {"token": await postbox.token(), "password": PASSWORD})

        home, who = verified.json()["organization"]["id"], verified.json()["user"]["id"]
        [told] = [
            event
            for event in await mail_town.events(SERVER, "registration.asked")
            if event.request_id == asked.headers["x-request-id"]
        ]

        assert (told.actor, told.details) == ("anonymous", {"known": False})
        assert (await mail_town.event(home, "user.verified")).actor == f"user:{who}"

    async def test_a_login_with_its_address_and_request(self, town):
        lina = await town.register()
        answer = await town.login(lina.email)

        event = await town.event(lina.organization, "login.succeeded")

        assert (event.actor, event.outcome) == (actor(lina), "success")
        assert event.request_id == answer.headers["x-request-id"]
        assert str(event.address).startswith("10.")

    @pytest.mark.parametrize("known", [True, False])
    async def test_a_failed_login(self, town, known):
        lina = await town.register()
        answer = await town.login(lina.email if known else new_email(), "something else")

        [event] = [
            one for one in await town.events(SERVER, "login.failed")
            if one.request_id == answer.headers["x-request-id"]
        ]  # fmt: skip
        of_the_organisation = await town.events(lina.organization, "login.failed")

        assert (event.actor, event.outcome, event.target_id) == ("anonymous", "failure", lina.id if known else None)
        assert event.details == {"code": "invalid-login", "route": "/api/auth/login"}
        assert len(of_the_organisation) == known

    async def test_a_login_that_is_refused_after_the_right_password(self, town):
        lina = await town.register()
        await town.change("UPDATE users SET enabled = false WHERE id = %(id)s", id=lina.id)

        await town.login(lina.email)

        assert (await town.event(lina.organization, "login.failed")).details["code"] == "user-disabled"

    async def test_too_many_logins(self, town):
        lina = await town.register()
        for _ in range(14):
            answer = await town.login(lina.email, "something else")

        throttled = [
            event for event in await town.events(SERVER, "login.throttled") if str(event.address) in str(_address(town))
        ]

        assert answer.status_code == 429
        assert [event.outcome for event in throttled] == ["failure"]
        assert len(await town.events(lina.organization, "login.failed")) == 10

    async def test_a_logout(self, town):
        lina = await town.register()

        await lina.call("POST", "/api/auth/logout")

        event = await town.event(lina.organization, "logout")
        assert (event.actor, event.target_kind) == (actor(lina), "session")

    async def test_a_session_that_is_revoked(self, town):
        lina = await town.register()
        [session] = (await lina.get("/api/auth/sessions"))["data"]

        await lina.call("DELETE", f"/api/auth/sessions/{session['id']}")

        event = await town.event(lina.organization, "session.revoked")
        assert (event.actor, event.target_id) == (actor(lina), session["id"])

    async def test_a_change_of_the_password_and_a_refused_one(self, town):
        lina = await town.register()
        path = "/api/auth/password"
        await lina.call("POST", path, json={"current_password": "wrong", "new_password": NEW})
        await lina.call("POST", path, json={"current_password": PASSWORD, "new_password": NEW})

        refused, changed = [
            await town.event(lina.organization, name) for name in ("password.refused", "password.changed")
        ]

        assert (refused.actor, refused.outcome) == (actor(lina), "failure")
        assert (changed.actor, changed.outcome, changed.target_id) == (actor(lina), "success", lina.id)

    async def test_a_password_that_is_asked_for_and_set_anew(self, town):
        lina = await town.register()
        await town.post("/api/auth/password/forgot", {"email": lina.email})
        await town.desk.background.close()
        await town.post("/api/auth/password/reset", {"token": town.token(), "password": NEW})

        asked = [e for e in await town.events(SERVER, "password.reset_asked") if e.target_id == lina.id]
        done = [e for e in await town.events(SERVER, "password.reset") if e.target_id == lina.id]

        assert [event.actor for event in asked] == ["anonymous"]
        assert [event.actor for event in done] == [actor(lina)]
        assert (await town.event(lina.organization, "password.reset")).actor == actor(lina)

    async def test_a_refresh_token_that_comes_back(self, town):
        lina = await town.register()
        first = lina.tokens["refresh_token"]
        second = (await town.post("/api/auth/refresh", {"refresh_token": first})).json()["refresh_token"]
        await town.post("/api/auth/refresh", {"refresh_token": second})
        await town.post("/api/auth/refresh", {"refresh_token": first})

        event = await town.event(lina.organization, "refresh.reused")

        assert (event.target_kind, event.outcome) == ("session", "failure")
        assert event.details == {"user": lina.id, "shown": 1, "newest": 3}

    async def test_a_switch_into_the_log_of_the_other_organisation_only(self, town):
        lina, boss = await town.register(), await town.register()
        invited = {"email": lina.email, "role": "member"}
        await boss.call("POST", INVITATIONS, json=invited)
        await town.post("/api/auth/invitations/accept", {"token": town.token(), "password": PASSWORD})

        await lina.call("POST", "/api/auth/switch", json={"organization": boss.organization})

        assert (await town.event(boss.organization, "organization.switched")).actor == actor(lina)
        assert await town.events(lina.organization, "organization.switched") == []


class TestMembersAndKeys:
    async def test_an_invitation_and_its_acceptance(self, town):
        boss = await town.register()
        guest = await town.hired(boss, "member")

        invited = await town.event(boss.organization, "member.invited")
        joined = await town.event(boss.organization, "member.joined")

        assert (invited.actor, invited.target_kind) == (actor(boss), "invitation")
        assert invited.details == {"role": "member", "email": guest.email, "replaces": False}
        assert (joined.actor, joined.target_id) == (actor(guest), guest.id)
        assert joined.details == {"invitation": invited.target_id, "role": "member"}

    async def test_an_invitation_that_is_withdrawn(self, town):
        boss = await town.register()
        made = (await boss.call("POST", INVITATIONS, json={"email": new_email()})).json()

        await boss.call("DELETE", f"{INVITATIONS}/{made['id']}")

        event = await town.event(boss.organization, "invitation.withdrawn")
        assert (event.actor, event.target_id) == (actor(boss), made["id"])

    async def test_a_role_that_changes_and_a_member_who_goes(self, town):
        boss = await town.register()
        guest = await town.hired(boss, "member")
        path = f"/api/organization/members/{guest.id}"
        await boss.call("PATCH", path, json={"role": "admin"})
        await boss.call("DELETE", path)

        changed = await town.event(boss.organization, "member.role_changed")
        removed = await town.event(boss.organization, "member.removed")

        assert (changed.actor, changed.target_id) == (actor(boss), guest.id)
        assert changed.details == {"from": "member", "to": "admin"}
        assert (removed.actor, removed.target_id, removed.details) == (actor(boss), guest.id, {"role": "admin"})

    async def test_a_key_that_is_made_and_revoked(self, town):
        boss = await town.register()
        made = (await boss.call("POST", KEYS, json={"name": "Importer", "scopes": ["read"]})).json()
        await boss.call("DELETE", f"{KEYS}/{made['id']}")

        created, revoked = [await town.event(boss.organization, name) for name in ("key.created", "key.revoked")]

        assert created.actor == revoked.actor == actor(boss)
        assert created.target_id == revoked.target_id == made["id"]
        assert created.details == {
            "prefix": made["prefix"], "name": "Importer", "scopes": ["read"], "expires_at": None,
        }  # fmt: skip

    async def test_a_key_that_is_changed_and_rotated(self, town):
        boss = await town.register()
        made = (await boss.call("POST", KEYS, json={"name": "Importer", "scopes": ["read"]})).json()
        await boss.call("PATCH", f"{KEYS}/{made['id']}", json={"rate_limit": 7, "tags": ["a"]})
        new = (await boss.call("POST", f"{KEYS}/{made['id']}/rotate", json={})).json()

        changed, rotated = [await town.event(boss.organization, name) for name in ("key.changed", "key.rotated")]

        assert changed.actor == rotated.actor == actor(boss)
        assert (changed.target_id, rotated.target_id) == (made["id"], new["id"])
        assert (changed.details["rate_limit"], changed.details["tags"]) == (7, ["a"])
        assert rotated.details["rotated_from"] == made["id"]
        assert new["key"] not in str(rotated)

    async def test_what_a_key_does_is_done_by_the_key(self, town):
        boss = await town.register()
        headers = await town.key(boss.organization, "admin")
        [mine] = [key["id"] for key in (await town.http.get(KEYS, headers=headers)).json()["data"]]

        made = await town.post(KEYS, {"name": "Another"}, headers=headers)

        [event] = [e for e in await town.events(boss.organization, "key.created") if e.target_id == made.json()["id"]]
        assert event.actor == f"key:{mine}"

    async def test_a_failed_request_leaves_no_event(self, town):
        boss = await town.register()
        before = len(await town.events(boss.organization))

        answer = await boss.call("POST", KEYS, json={"name": "x", "expires_at": "2001-01-01T00:00:00Z"})

        assert answer.status_code == 422
        assert len(await town.events(boss.organization)) == before

    async def test_reading_leaves_no_event(self, town):
        boss = await town.register()
        before = len(await town.events(boss.organization))

        for path in ("/api/auth/me", "/api/auth/sessions", KEYS, INVITATIONS, "/api/admin/audit"):
            await boss.get(path)

        assert len(await town.events(boss.organization)) == before

    async def test_the_administrators_key_that_is_made_and_one_that_is_adopted(self, town, tmp_path):
        async with town.database.transaction(Role.GATE) as db:
            home = (await Organizations(db).ensure_default()).id
            # Other tests leave keys of settings behind, and events of them.
            await db.execute(RETIRE, tenant=home)
        before = len(await town.events(home, "admin_key.adopted"))
        await ensure_admin_key(town.database, tmp_path, None)
        await ensure_admin_key(town.database, tmp_path, SecretStr("a key of somebody's choice"))
        await ensure_admin_key(town.database, tmp_path, SecretStr("a key of somebody's choice"))

        made, adopted = [await town.events(home, f"admin_key.{name}") for name in ("created", "adopted")]

        assert {event.actor for event in [*made, *adopted]} == {"system"}
        assert made[-1].details["name"] == "Administrator"
        assert adopted[-1].details == {"adopted": True, "retired": 0}
        assert len(adopted) == before + 1


async def test_no_secret_is_ever_written(town, dsn, monkeypatch):
    """A walk through everything that has one, and then a look at all that was written."""
    secrets = {NEW, PASSWORD, "something else"}
    boss = await town.register()
    guest = await town.hired(boss, "admin")
    secrets.add(town.token())
    made = (await boss.call("POST", KEYS, json={"name": "Importer"})).json()
    for headers in ({"X-API-Key": made["key"]}, {"X-API-Key": new_key()}, {"Authorization": "Bearer abcdefgh.ijkl.mn"}):
        secrets |= {value.removeprefix("Bearer ") for value in headers.values()}
        await town.http.get(KEYS, headers=headers)
    await town.login(guest.email, "something else")
    for person in (boss, guest):
        again = (await town.login(person.email)).json()
        following = (await town.post("/api/auth/refresh", {"refresh_token": again["refresh_token"]})).json()
        for tokens in (person.tokens, again, following):
            secrets |= {tokens["access_token"], tokens["refresh_token"]}
    await town.post("/api/auth/refresh", {"refresh_token": "cr_" + "x" * 43})
    await boss.call("POST", "/api/auth/password", json={"current_password": PASSWORD, "new_password": NEW})
    await town.post("/api/auth/password/forgot", {"email": guest.email})
    await town.desk.background.close()
    secrets.add(town.token())
    await town.post("/api/auth/password/reset", {"token": town.token(), "password": NEW})
    await town.watch.close()

    with psycopg.connect(dsn) as connection:
        written = json.dumps(connection.execute("SELECT jsonb_agg(to_jsonb(e)) FROM audit_events e").fetchone())

    assert len(secrets) > 15
    assert [secret for secret in secrets if secret in written] == []
    assert boss.id in written


def test_every_action_is_in_the_manual():
    manual = Path("docs/operations.md").read_text(encoding="utf-8")

    assert [action.value for action in Action if f"`{action.value}`" not in manual] == []


async def test_logins_at_once_make_one_chain(town):
    lina = await town.register()

    answers = await asyncio.gather(*(town.login(lina.email) for _ in range(8)))

    assert {answer.status_code for answer in answers} == {200}
    verified = await lina.get("/api/admin/audit/verify")
    assert (verified["ok"], verified["events"]) == (True, 9)


def _address(town):
    return town.http._transport.client[0]


async def test_an_ordinary_request_asks_the_log_nothing(town, monkeypatch):
    lina = await town.register()
    asked: list[str] = []
    original = town.database.primary.getconn

    async def counting(*args, **options):
        asked.append("connection")
        return await original(*args, **options)

    await lina.get("/api/auth/me")
    monkeypatch.setattr(town.database.primary, "getconn", counting)

    await lina.get("/api/auth/me")

    assert len(asked) == 1
