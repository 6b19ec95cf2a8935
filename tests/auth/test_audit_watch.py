"""What was refused is written down, beside the answer, and a flood of it as a little."""

import asyncio
from uuid import uuid4

import pytest

from carrel.auth.audit import SERVER
from carrel.auth.audit_sampling import MOST
from carrel.auth.keys import new_key
from carrel.infra.db import Role
from carrel.infra.limits import Limiter
from carrel.infra.settings import Limits
from carrel.infra.shared_cache import SharedCache
from tests.auth.town import new_email

pytestmark = pytest.mark.anyio
KEYS, MEMBERS, AUDIT = "/api/admin/api-keys", "/api/organization/members", "/api/admin/audit"


def details(event):
    return {name: value for name, value in event.details.items() if name in {"code", "route"}}


def about(person):
    return {"organization": person.organization}


async def crossings(town, person):
    return [e for e in await town.events(SERVER, "tenant.crossed") if e.actor == f"user:{person.id}"]


async def from_here(town, action):
    address = town.http._transport.client[0]
    return [event for event in await town.events(SERVER, action) if event.address == address]


class TestRefusals:
    async def test_of_a_permission(self, town):
        boss = await town.register()
        viewer = await town.hired(boss, "viewer")

        answer = await viewer.call("GET", KEYS)

        event = await town.event(boss.organization, "permission.refused")
        assert (event.actor, event.outcome) == (f"user:{viewer.id}", "failure")
        assert event.request_id == answer.headers["x-request-id"]
        assert details(event) == {"code": "forbidden", "route": KEYS}

    async def test_of_a_role_that_one_does_not_hold(self, town):
        boss = await town.register()
        admin = await town.hired(boss, "admin")

        await admin.call("PATCH", f"{MEMBERS}/{admin.id}", json={"role": "owner"})

        assert (await town.event(boss.organization, "permission.refused")).details["code"] == "role-not-held"

    async def test_of_credentials_with_the_prefix_of_a_key(self, town):
        key = new_key()
        await town.http.get(KEYS, headers={"X-API-Key": key})

        [event] = await from_here(town, "credentials.refused")

        assert (event.actor, event.outcome) == ("anonymous", "failure")
        assert event.details == {"code": "invalid-credentials", "route": KEYS, "key_prefix": key.split("_")[1]}

    @pytest.mark.parametrize(
        ("headers", "code"),
        [
            ({"Authorization": "Bearer not.a.token"}, "invalid-credentials"),
            ({"Authorization": "Basic abc"}, "authorization-unsupported"),
            ({"Authorization": "Bearer one", "X-API-Key": "two"}, "credentials-conflict"),
        ],
    )
    async def test_of_other_credentials(self, town, headers, code):
        await town.http.get(KEYS, headers=headers)

        assert [event.details["code"] for event in await from_here(town, "credentials.refused")] == [code]

    async def test_of_the_rate_limit(self, town):
        boss = await town.register()
        town.app.state.kit.limiter = Limiter.of(Limits(per_minute=4, anonymous_per_minute=1), SharedCache(None))
        for _ in range(10):
            mine = await boss.call("GET", KEYS)
            strange = await town.login(new_email())

        own, of_strangers = await town.event(boss.organization, "rate.refused"), await from_here(town, "rate.refused")

        assert mine.status_code == strange.status_code == 429
        assert (own.actor, own.details["route"]) == (f"user:{boss.id}", KEYS)
        assert [event.actor for event in of_strangers] == ["anonymous"]

    async def test_of_none_is_none(self, town):
        await town.http.get(KEYS)

        assert await from_here(town, "credentials.refused") == []

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/api/auth/refresh", {"refresh_token": "cr_unknown"}),
            ("/api/auth/password/reset", {"token": "unknown", "password": "four quiet herons 41"}),
            ("/api/auth/invitations/accept", {"token": "unknown", "password": "four quiet herons 41"}),
        ],
    )
    async def test_of_tokens_and_links(self, town, path, body):
        await town.post(path, body)

        [event] = await from_here(town, "credentials.refused")
        assert event.details["route"] == path

    async def test_of_a_forged_request_from_another_page(self, town):
        lina = await town.register()
        headers = {"Cookie": f"carrel_session={lina.tokens['access_token']}", "Origin": "https://evil.test"}

        answer = await town.post(KEYS, {"name": "x"}, headers=headers)

        [event] = await from_here(town, "credentials.refused")
        assert (answer.json()["code"], event.details["code"]) == ("csrf-failed", "csrf-failed")

    async def test_of_a_disabled_organisation(self, town):
        boss = await town.register()
        await town.change(
            "UPDATE organizations SET enabled = false WHERE id = %(id)s", Role.OPERATOR, id=boss.organization
        )
        town.forget()

        await boss.call("GET", KEYS)

        [event] = await from_here(town, "credentials.refused")
        assert event.details["code"] == "organization-disabled"

    async def test_a_broken_log_keeps_nobody_from_being_answered(self, town, monkeypatch):
        def broken(*_):
            raise RuntimeError("a bug of ours")

        monkeypatch.setattr(town.watch, "refused", broken)

        answer = await town.http.get(KEYS, headers={"X-API-Key": new_key()})

        assert (answer.status_code, answer.json()["code"]) == (401, "invalid-credentials")


class TestAFlood:
    async def test_of_the_same_key_is_one_event(self, town):
        for _ in range(20):
            await town.http.get(KEYS, headers={"X-API-Key": "ck_always_the_same"})

        assert len(await from_here(town, "credentials.refused")) == 1

    async def test_of_many_keys_from_one_address_is_one_event(self, town):
        for _ in range(20):
            await town.http.get(KEYS, headers={"X-API-Key": new_key()})

        assert len(await from_here(town, "credentials.refused")) == 1

    async def test_of_one_key_from_many_addresses_is_one_event(self, town):
        key = new_key()
        for _ in range(5):
            async with town.elsewhere() as other:
                await other.http.get(KEYS, headers={"X-API-Key": key})

        seen = [
            e
            for e in await town.events(SERVER, "credentials.refused")
            if e.details.get("key_prefix") == key.split("_")[1]
        ]
        assert len(seen) == 1

    async def test_of_many_keys_from_many_addresses_is_bounded(self, town):
        before = len(await town.events(SERVER, "credentials.refused"))
        for _ in range(MOST + 20):
            async with town.elsewhere() as other:
                await other.http.get(KEYS, headers={"X-API-Key": new_key()})

        assert len(await town.events(SERVER, "credentials.refused")) - before <= MOST

    async def test_of_forbidden_calls_is_one_event_for_each_route(self, town):
        boss = await town.register()
        viewer = await town.hired(boss, "viewer")

        await asyncio.gather(*(viewer.call("GET", path) for path in [KEYS, MEMBERS] * 10))

        events = await town.events(boss.organization, "permission.refused")
        assert sorted(event.details["route"] for event in events) == [KEYS, MEMBERS]


class TestReachingForOthers:
    async def test_by_the_id_of_a_key_in_the_path(self, town):
        us, them = await town.register(), await town.register()
        theirs = (await them.call("POST", KEYS, json={"name": "Theirs"})).json()

        answer = await us.call("DELETE", f"{KEYS}/{theirs['id'].upper()}")

        [crossing] = await crossings(town, us)
        ours = await town.event(us.organization, "access.refused")
        assert answer.status_code == 404
        assert (crossing.target_kind, crossing.target_id, crossing.outcome) == ("key", theirs["id"], "failure")
        assert crossing.details == {
            "organization": us.organization, "other": them.organization, "route": f"{KEYS}/{{key_id}}",
        }  # fmt: skip
        assert (ours.actor, ours.outcome) == (f"user:{us.id}", "failure")
        assert them.organization not in str(ours)
        assert theirs["id"] not in str(ours)
        assert await town.events(them.organization, "access.refused") == []

    async def test_by_the_id_of_a_person_a_session_or_an_invitation(self, town):
        us, them = await town.register(), await town.register()
        invited = (
            await them.call("POST", "/api/organization/invitations", json={"email": new_email(), "role": "viewer"})
        ).json()
        [session] = (await them.get("/api/auth/sessions"))["data"]

        await us.call("DELETE", f"{MEMBERS}/{them.id}")
        await us.call("DELETE", f"/api/auth/sessions/{session['id']}")
        await us.call("DELETE", f"/api/organization/invitations/{invited['id']}")

        found = {(event.target_kind, event.target_id) for event in await crossings(town, us)}
        assert found == {("member", them.id), ("session", session["id"]), ("invitation", invited["id"])}

    async def test_by_switching(self, town):
        us, them = await town.register(), await town.register()

        answer = await us.call("POST", "/api/auth/switch", json=about(them))

        [crossing] = await crossings(town, us)
        ours = await town.event(us.organization, "access.refused")
        assert answer.json()["code"] == "no-organization"
        assert (crossing.target_kind, crossing.target_id) == ("organization", them.organization)
        assert ours.details == {"code": "no-organization", "route": "/api/auth/switch"}
        assert them.organization not in str(ours)

    async def test_by_logging_in(self, town):
        us, them = await town.register(), await town.register()

        await town.login(us.email, organization=them.organization)

        [crossing] = await crossings(town, us)
        assert crossing.details["organization"] is None
        assert crossing.details["other"] == them.organization
        assert (await town.event(us.organization, "login.failed")).details["code"] == "no-organization"

    async def test_by_a_cursor(self, town):
        us, them = await town.register(), await town.register()
        for _ in range(2):
            await them.call("POST", KEYS, json={"name": "Theirs"})
        cursor = (await them.get(KEYS, limit=1))["next_cursor"]

        answer = await us.call("GET", KEYS, params={"cursor": cursor})

        [crossing] = await crossings(town, us)
        assert answer.json()["code"] == "invalid-cursor"
        assert them.organization not in answer.text
        assert (crossing.target_kind, crossing.details["other"]) == ("cursor", them.organization)
        assert (await town.event(us.organization, "access.refused")).details["code"] == "invalid-cursor"

    async def test_by_a_key_of_an_organisation(self, town):
        us, them = await town.register(), await town.register()
        headers = await town.key(us.organization, "admin")

        await town.http.delete(f"{MEMBERS}/{them.id}", headers=headers)

        [crossing] = [e for e in await town.events(SERVER, "tenant.crossed") if e.target_id == them.id]
        assert crossing.actor.startswith("key:")

    async def test_looks_the_same_in_ones_own_log_as_an_id_that_never_was(self, town):
        us, you, them = [await town.register() for _ in range(3)]

        ours = await us.call("DELETE", f"{MEMBERS}/{them.id}")
        yours = await you.call("DELETE", f"{MEMBERS}/{uuid4()}")

        events = [await town.event(one.organization, "access.refused") for one in (us, you)]
        assert ours.status_code == yours.status_code == 404
        assert events[0].details == events[1].details
        assert [event.target_id for event in events] == [None, None]

    async def test_is_no_crossing_where_nobody_has_the_id_or_oneself_has(self, town):
        us = await town.register()
        other = await town.register()
        await other.call("POST", "/api/organization/invitations", json={"email": us.email, "role": "viewer"})
        await town.post("/api/auth/invitations/accept", {"token": town.token(), "password": us.password})
        [mine] = [one for one in (await us.get("/api/auth/sessions"))["data"] if not one["current"]]
        await us.call("DELETE", f"/api/auth/sessions/{mine['id']}")

        await us.call("DELETE", f"/api/auth/sessions/{mine['id']}")  # ended by now, and in another organisation
        await us.call("DELETE", f"{KEYS}/{uuid4()}")
        await us.call("DELETE", f"{KEYS}/{us.id}")
        await us.call("DELETE", f"{KEYS}/{us.organization}")

        assert await crossings(town, us) == []

    async def test_many_times_is_written_once(self, town):
        us, them = await town.register(), await town.register()

        for _ in range(10):
            await us.call("DELETE", f"{MEMBERS}/{them.id}")

        assert len(await crossings(town, us)) == 1
        assert len(await town.events(us.organization, "access.refused")) == 1
