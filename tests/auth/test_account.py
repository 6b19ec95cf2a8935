import asyncio
from collections import Counter

import pytest

from carrel.infra.db import Role
from tests.auth.town import PASSWORD, Citizen, new_email

pytestmark = pytest.mark.anyio
ME, CHANGE = "/api/auth/me", "/api/auth/password"
FORGOT, RESET = "/api/auth/password/forgot", "/api/auth/password/reset"
NEW = "another seven herons"
OPERATIONS = [
    ("GET", ME, None),
    ("PATCH", ME, {"name": "Lina"}),
    ("POST", CHANGE, {"current_password": PASSWORD, "new_password": NEW}),
    ("GET", "/api/auth/sessions", None),
    ("DELETE", "/api/auth/sessions/0198c5a0-0000-7000-8000-000000000000", None),
    ("POST", "/api/auth/logout", None),
    ("GET", "/api/auth/organizations", None),
    ("POST", "/api/auth/switch", {"organization": "0198c5a0-0000-7000-8000-000000000000"}),
]


class TestProfile:
    async def test_shows_who_and_where(self, town):
        lina = await town.register()

        profile = await lina.get(ME)

        assert profile == {"user": lina.tokens["user"], "organization": lina.tokens["organization"], "groups": []}
        assert set(profile["user"]) == {"id", "email", "name", "tier", "operator", "email_verified", "created_at"}

    async def test_changes_the_name(self, town):
        lina = await town.register()

        changed = await lina.call("PATCH", ME, json={"name": "ليلى حداد"})

        assert changed.json()["user"]["name"] == "ليلى حداد"
        assert (await lina.get(ME))["user"]["name"] == "ليلى حداد"

    @pytest.mark.parametrize(
        "change",
        [
            {},
            {"name": None},
            {"name": "x" * 201},
            {"name": "a\u0000b"},
            {"name": "a\nb"},
            {"name": "\u2066a"},
            *(
                {"name": "Lina", field: value}
                for field, value in {
                    "id": "0198c5a0-0000-7000-8000-000000000000",
                    "email": "other@example.org",
                    "tier": "admin",
                    "role": "owner",
                    "operator": True,
                    "is_admin": True,
                    "enabled": False,
                    "tenant_id": "0198c5a0-0000-7000-8000-000000000000",
                    "password_hash": "x",
                    "password": NEW,
                    "created_at": "2026-01-01T00:00:00Z",
                    "email_verified": True,
                    "email_verified_at": "2026-01-01T00:00:00Z",
                    "quota": 10**9,
                }.items()
            ),
        ],
    )
    async def test_changes_nothing_else(self, town, change):
        lina = await town.register()
        before = await lina.get(ME)

        answer = await lina.call("PATCH", ME, json=change)

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
        assert await lina.get(ME) == before


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
class TestTheDoorOfAnAccount:
    async def test_is_closed_without_credentials(self, town, method, path, body):
        answer = await town.http.request(method, path, json=body)

        assert (answer.status_code, answer.json()["code"]) == (401, "credentials-required")

    async def test_is_closed_for_keys_whatever_their_scopes(self, town, tenant, method, path, body):
        headers = await town.key(tenant, "read", "write", "search", "admin")

        answer = await town.http.request(method, path, json=body, headers=headers)

        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")

    async def test_is_closed_for_a_token_beside_a_different_key(self, town, tenant, method, path, body):
        lina = await town.register()

        answer = await lina.call(method, path, json=body, headers=await town.key(tenant))

        assert (answer.status_code, answer.json()["code"]) == (401, "credentials-conflict")


async def test_a_key_can_be_made_by_a_person_and_only_for_what_they_may(town):
    lina = await town.register()

    made = await lina.call("POST", "/api/admin/api-keys", json={"name": "Importer"})

    assert made.status_code == 201
    refused = await town.http.get(ME, headers={"X-API-Key": made.json()["key"]})
    assert refused.json()["code"] == "forbidden"


class TestChangeOfPassword:
    async def test_ends_all_other_sessions(self, town):
        lina = await town.register()
        other = Citizen(town, lina.email, PASSWORD, (await town.login(lina.email)).json())

        changed = await lina.call("POST", CHANGE, json={"current_password": PASSWORD, "new_password": NEW})
        town.forget()

        assert changed.status_code == 204
        assert (await lina.call("GET", ME)).status_code == 200
        assert (await other.call("GET", ME)).status_code == 401
        assert (await town.login(lina.email)).status_code == 401
        assert (await town.login(lina.email, NEW)).status_code == 200

    async def test_needs_the_present_one(self, town):
        lina = await town.register()

        answer = await lina.call("POST", CHANGE, json={"current_password": "something else", "new_password": NEW})

        assert (answer.status_code, answer.json()["code"]) == (403, "wrong-password")

    async def test_is_limited(self, town):
        lina = await town.register()
        wrong = {"current_password": "something else", "new_password": NEW}

        answers = [await lina.call("POST", CHANGE, json=wrong) for _ in range(11)]

        assert [answer.status_code for answer in answers] == [403] * 10 + [429]

    @pytest.mark.parametrize("new", ["short", "password1234", "aaaaaaaaaaaa"])
    async def test_refuses_weak_ones(self, town, new):
        lina = await town.register()

        answer = await lina.call("POST", CHANGE, json={"current_password": PASSWORD, "new_password": new})

        assert (answer.status_code, answer.json()["code"]) == (422, "weak-password")

    async def test_twice_at_once_happens_once(self, town):
        lina = await town.register()
        wanted = [{"current_password": PASSWORD, "new_password": f"{NEW} {number}"} for number in range(5)]

        answers = await asyncio.gather(*(lina.call("POST", CHANGE, json=one) for one in wanted))

        assert Counter(answer.status_code for answer in answers) == {204: 1, 403: 4}

    async def test_repeated_with_its_idempotency_key_is_done_once(self, town):
        lina = await town.register()
        said = {"json": {"current_password": PASSWORD, "new_password": NEW}, "headers": {"Idempotency-Key": "once"}}

        first, again = [await lina.call("POST", CHANGE, **said) for _ in range(2)]

        assert (first.status_code, again.status_code) == (204, 204)
        assert again.headers["idempotent-replayed"] == "true"


class TestLostPassword:
    async def test_is_replaced_by_the_link_in_the_mail(self, town, links):
        lina = await town.register()

        asked = await town.post(FORGOT, {"email": lina.email.upper()})
        await town.desk.background.close()
        done = await town.post(RESET, {"token": town.token(), "password": NEW})
        town.forget()

        assert (asked.status_code, asked.json()) == (202, {"status": "mail-sent"})
        assert done.status_code == 204
        assert (await lina.call("GET", ME)).status_code == 401
        again = await town.login(lina.email, NEW)
        assert again.json()["user"]["email_verified"]

    async def test_is_answered_alike_for_unknown_addresses_which_get_no_mail(self, town, links):
        lina = await town.register()

        known = await town.post(FORGOT, {"email": lina.email})
        await town.desk.background.close()
        unknown = await town.post(FORGOT, {"email": new_email()})
        await town.desk.background.close()

        assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
        assert len(links) == 1

    async def test_takes_a_link_once_and_only_the_newest_purpose(self, town):
        lina = await town.register()
        for _ in range(2):
            await town.post(FORGOT, {"email": lina.email})
            await town.desk.background.close()
        first, second = [link.partition("#token=")[2] for link in town.links]

        verified = await town.post("/api/auth/verify", {"token": first, "password": PASSWORD})
        accepted = await town.post("/api/auth/invitations/accept", {"token": first, "password": PASSWORD})
        used = [await town.post(RESET, {"token": token, "password": NEW}) for token in (second, second, first)]

        assert verified.json()["code"] == accepted.json()["code"] == "link-not-valid"
        assert [answer.status_code for answer in used] == [204, 410, 410]

    async def test_does_not_take_a_link_that_has_expired(self, town):
        lina = await town.register()
        await town.post(FORGOT, {"email": lina.email})
        await town.desk.background.close()
        await town.change("UPDATE user_tokens SET expires_at = now() WHERE email_key = %(key)s", key=lina.email)

        assert (await town.post(RESET, {"token": town.token(), "password": NEW})).json()["code"] == "link-not-valid"

    async def test_refuses_weak_passwords_and_keeps_the_link(self, town):
        lina = await town.register()
        await town.post(FORGOT, {"email": lina.email})
        await town.desk.background.close()

        weak = await town.post(RESET, {"token": town.token(), "password": "password123"})
        good = await town.post(RESET, {"token": town.token(), "password": NEW})

        assert (weak.status_code, good.status_code) == (422, 204)

    async def test_is_limited_whether_the_address_is_known_or_not(self, town):
        lina = await town.register()
        for email in (lina.email, new_email()):
            answers = [await town.post(FORGOT, {"email": email}) for _ in range(6)]
            assert [answer.status_code for answer in answers] == [202] * 5 + [429]

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            (FORGOT, {"email": "nobody"}),
            (FORGOT, {"email": "x@example.org", "url": "https://evil.example"}),
            (RESET, {"token": "x" * 201, "password": NEW}),
            (RESET, {"token": "", "password": NEW}),
            (RESET, {"token": "x", "password": NEW, "email": "x@example.org"}),
            ("/api/auth/verify", {"token": "x", "password": NEW, "tier": "admin"}),
            (CHANGE, {"current_password": PASSWORD, "new_password": NEW, "user_id": "x"}),
            (CHANGE, {"current_password": PASSWORD, "new_password": "x" * 1001}),
            ("/api/auth/switch", {"organization": "x"}),
            ("/api/auth/switch", {"organization": "0198c5a0-0000-7000-8000-000000000000", "role": "owner"}),
        ],
    )
    async def test_refuses_fields_that_are_wrong_or_not_its_own(self, town, path, body):
        lina = await town.register()

        answer = await lina.call("POST", path, json=body)

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


@pytest.mark.parametrize(("tier", "multiplier"), [("free", 1), ("pro", 10), ("enterprise", 100), ("admin", 1000)])
async def test_a_tier_multiplies_what_the_rate_limits_allow(town, tier, multiplier):
    lina = await town.register()
    await town.change("UPDATE users SET tier = %(tier)s WHERE id = %(id)s", Role.OPERATOR, tier=tier, id=lina.id)

    caller = await town.authenticator.caller_with(lina.tokens["access_token"].encode())

    assert (caller.tier, caller.multiplier) == (tier, multiplier)


async def test_public_keys_are_for_everybody(town):
    answer = await town.http.get("/.well-known/jwks.json")

    assert (answer.status_code, answer.json()) == (200, {"keys": []})
