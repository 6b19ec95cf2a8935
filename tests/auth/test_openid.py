"""The whole walk of a browser, to a provider that runs as a process of its own and back."""

import asyncio
from datetime import timedelta

import pytest

from carrel.auth import openid
from carrel.core import clock
from carrel.infra.db import Role
from tests.auth.town import PASSWORD, Citizen
from tests.auth.world import CALLBACK, LOGIN, told

pytestmark = pytest.mark.anyio
FAILED, REFUSED = (401, "oidc-login-failed"), (403, "oidc-refused")


class TestTheWalk:
    async def test_ends_in_a_session_of_a_new_member(self, world):
        answer = await world.walk()

        body = answer.json()
        lina = Citizen(world.town, world.email, "", body)
        assert answer.status_code == 200, answer.text
        assert (body["user"]["email"], body["user"]["name"]) == (world.email, "Lina Haddad")
        assert (body["user"]["email_verified"], body["user"]["operator"]) == (True, False)
        assert (body["organization"]["slug"], body["organization"]["role"]) == (world.slug, "member")
        assert (await lina.get("/api/auth/me"))["user"]["id"] == lina.id

    async def test_finds_the_same_person_again_by_the_subject(self, world):
        first = (await world.walk()).json()
        await world.orders(claims={"email": f"other-{world.email}"})

        second = (await world.walk()).json()

        assert second["user"] == first["user"]

    async def test_sends_what_protects_it(self, world):
        departure = await world.browser.get(LOGIN)

        where, cookie = departure.headers["location"], departure.headers["set-cookie"]
        assert where.startswith(f"{world.provider.issuer}/authorize?")
        for part in ("response_type=code", "code_challenge_method=S256", "state=", "nonce=", "scope=openid+email"):
            assert part in where
        for part in ("HttpOnly", "SameSite=lax", "Max-Age=600", "Path=/api/auth/oidc"):
            assert part in cookie
        assert departure.headers["cache-control"] == "no-store"

    async def test_takes_the_cookie_away_at_the_end(self, world):
        await world.walk()

        assert "carrel_oidc" not in world.browser.cookies

    @pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
    async def test_believes_every_usual_algorithm(self, world, algorithm):
        await world.orders(sign=algorithm)

        assert (await world.walk()).status_code == 200

    async def test_gives_the_secret_in_the_form_where_the_provider_wants_it_there(self, world):
        await world.orders(discovery={"token_endpoint_auth_methods_supported": ["client_secret_post"]})

        assert (await world.walk()).status_code == 200

    async def test_asks_for_what_the_token_does_not_tell(self, world):
        hidden = {"email": None, "email_verified": None}
        told_later = {"sub": world.subject, "email": world.email, "email_verified": True}
        await world.orders(claims=hidden, userinfo=told_later)

        assert (await world.walk()).json()["user"]["email"] == world.email

    async def test_believes_nothing_about_somebody_else(self, world):
        await world.orders(claims={"email": None}, userinfo={"email": world.email, "email_verified": True})

        assert told(await world.walk()) == FAILED

    async def test_leaves_the_session_with_the_browser_that_wants_it(self, world):
        answer = await world.browser.get(CALLBACK, params=await world.leave(cookie=True))

        profile = await world.browser.get("/api/auth/me")
        assert set(answer.json()) == {"csrf_token", "expires_in", "user", "organization"}
        assert profile.json()["user"]["email"] == world.email

    async def test_is_offered(self, world):
        on = await world.browser.get("/api/auth/oidc")

        assert on.json() == {"enabled": True, "name": "Single sign-on"}


class TestWithoutAProvider:
    async def test_there_is_no_walk(self, town):
        assert (await town.http.get("/api/auth/oidc")).json() == {"enabled": False, "name": None}
        for path in (LOGIN, CALLBACK):
            assert told(await town.http.get(path)) == (404, "oidc-not-configured")


class TestState:
    async def test_of_another_browser_opens_nothing(self, world):
        back = await world.leave()

        async with world.town.elsewhere() as other:
            without = await other.http.get(CALLBACK, params=back)
            await other.http.get(LOGIN)
            with_its_own = await other.http.get(CALLBACK, params=back)

        assert told(without) == told(with_its_own) == FAILED

    @pytest.mark.parametrize("state", ["", "x", "é" * 43, "a" * 43])
    async def test_that_was_forged_opens_nothing(self, world, state):
        back = await world.leave()

        assert told(await world.browser.get(CALLBACK, params={**back, "state": state})) == FAILED

    async def test_that_is_missing_opens_nothing(self, world):
        back = await world.leave()

        assert told(await world.browser.get(CALLBACK, params={"code": back["code"]})) == FAILED

    async def test_is_good_once_even_if_the_provider_forgets(self, world):
        await world.orders(forgetful=True)
        back = await world.leave()
        cookies = dict(world.browser.cookies)
        first = await world.browser.get(CALLBACK, params=back)
        world.browser.cookies.update(cookies)

        second = await world.browser.get(CALLBACK, params=back)

        assert (first.status_code, told(second)) == (200, FAILED)
        assert "used before" in second.json()["detail"]

    async def test_lets_one_of_many_in(self, world):
        await world.orders(forgetful=True)
        back = await world.leave()

        answers = await asyncio.gather(*(world.browser.get(CALLBACK, params=back) for _ in range(4)))

        assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]

    @pytest.mark.parametrize("later", [timedelta(minutes=11), timedelta(minutes=-2)])
    async def test_of_another_time_opens_nothing(self, world, monkeypatch, later):
        back = await world.leave()
        monkeypatch.setattr(openid, "now", lambda: clock.now() + later)

        assert told(await world.browser.get(CALLBACK, params=back)) == FAILED

    @pytest.mark.parametrize("mark", ["x", "1795161600.short", "9999999999." + "a" * 43, "." + "a" * 43])
    async def test_needs_a_cookie_of_ours(self, world, mark):
        back = await world.leave()
        world.browser.cookies.clear()

        answer = await world.browser.get(CALLBACK, params=back, headers={"Cookie": f"carrel_oidc={mark}"})

        assert told(answer) == FAILED


class TestTheAnswer:
    @pytest.mark.parametrize(
        ("back", "said"),
        [
            ({"error": "access_denied"}, "access_denied"),
            ({"error": "<script>alert(1)</script>"}, "an unknown error"),
            ({"code": "x", "iss": "https://evil.test"}, "another provider"),
            ({}, "no code"),
            ({"code": "no code of ours"}, "nothing for this code"),
        ],
    )
    async def test_that_is_a_refusal_or_not_ours_is_explained(self, world, back, said):
        await world.orders(back=back)

        answer = await world.walk()

        assert told(answer) == FAILED
        assert said in answer.json()["detail"]
        assert "<" not in answer.json()["detail"]

    async def test_with_a_code_that_was_used_opens_nothing(self, world):
        first = await world.leave()
        await world.browser.get(CALLBACK, params=first)
        again = await world.leave()

        answer = await world.browser.get(CALLBACK, params={**again, "code": first["code"]})

        assert told(answer) == FAILED

    async def test_of_another_login_opens_nothing(self, world):
        """Somebody else's code, put into one's own login: its nonce and its PKCE challenge are others."""
        async with world.town.elsewhere() as other:
            stolen = await type(world)(
                other, world.provider, other.http, world.slug, world.subject, world.email
            ).leave()
        own = await world.leave()

        answer = await world.browser.get(CALLBACK, params={**own, "code": stolen["code"]})

        assert told(answer) == FAILED


class TestWhoIsLetIn:
    @pytest.mark.parametrize("verified", [None, False, "false", 1, "yes", []])
    async def test_nobody_whose_address_is_not_verified(self, world, verified):
        await world.orders(claims={"email_verified": verified}, userinfo={"sub": world.subject})

        assert told(await world.walk()) == REFUSED

    @pytest.mark.parametrize("email", ["nobody", "a@b", "pаypal@example.org", "x\u0000@example.org", 7])
    async def test_nobody_whose_address_is_none(self, world, email):
        await world.orders(claims={"email": email})

        assert told(await world.walk()) == REFUSED

    async def test_only_those_of_the_allowed_domains(self, opened):
        for domains, expected in ((("example.org",), 200), (("EXAMPLE.org", "x.test"), 200), (("ample.org",), 403)):
            world = await opened(allowed_domains=domains)
            assert (await world.walk()).status_code == expected

    async def test_nobody_new_where_no_organization_takes_them(self, opened):
        world = await opened(organization=None)

        assert told(await world.walk()) == REFUSED
        assert await world.town.value("SELECT count(*) FROM users WHERE email = %(e)s", e=world.email) == 0

    async def test_nobody_into_an_organization_that_is_not_there(self, opened):
        world = await opened(organization="nowhere")

        assert told(await world.walk()) == (503, "oidc-misconfigured")

    async def test_nobody_who_is_disabled(self, world):
        await world.walk()
        await world.town.change("UPDATE users SET enabled = false WHERE email = %(e)s", Role.OPERATOR, e=world.email)

        assert told(await world.walk()) == (403, "user-disabled")

    async def test_nobody_into_an_organization_that_is_disabled(self, world):
        off = "UPDATE organizations SET enabled = false WHERE slug = %(slug)s"
        await world.town.change(off, Role.OPERATOR, slug=world.slug)

        assert told(await world.walk()) == (403, "organization-disabled")

    async def test_nobody_by_a_password_that_was_never_chosen(self, world):
        await world.walk()
        links = len(world.town.links)

        login = await world.town.login(world.email, PASSWORD)
        await world.town.post("/api/auth/password/forgot", {"email": world.email})
        await world.town.desk.background.close()

        assert told(login) == (401, "invalid-login")
        assert len(world.town.links) == links


class TestLinking:
    async def test_does_not_happen_by_itself(self, world):
        lina = await world.town.register(world.email)

        answer = await world.walk()

        assert told(answer) == (409, "email-taken")
        assert (await lina.get("/api/auth/me"))["user"]["id"] == lina.id

    async def test_happens_once_where_it_is_allowed_and_lasts(self, opened):
        world = await opened(link_by_email=True)
        lina = await world.town.register(world.email)
        await world.town.change("UPDATE users SET email_verified_at = now() WHERE id = %(id)s", id=lina.id)

        first = await world.walk()
        await world.orders(claims={"email": f"new-{world.email}"})
        second = await world.walk()

        assert first.json()["user"]["id"] == second.json()["user"]["id"] == lina.id

    async def test_never_happens_to_an_account_whose_address_nobody_has_verified(self, opened):
        """Else somebody could prepare an account with the address of another, and wait."""
        world = await opened(link_by_email=True)
        await world.town.register(world.email)

        assert told(await world.walk()) == (409, "email-taken")

    async def test_two_who_come_at_once_are_one(self, world):
        async with world.town.elsewhere() as other:
            twin = type(world)(other, world.provider, other.http, world.slug, world.subject, world.email)
            backs = [await world.leave(), await twin.leave()]
            answers = await asyncio.gather(
                *(one.browser.get(CALLBACK, params=back) for one, back in zip((world, twin), backs, strict=True))
            )

        assert {answer.status_code for answer in answers} <= {200, 401}
        assert await world.town.value("SELECT count(*) FROM users WHERE email = %(e)s", e=world.email) == 1


class TestRoles:
    @pytest.fixture
    async def mapped(self, opened):
        return await opened(role_claim="groups", role_map={"staff": "member", "heads": "admin"}, default_role="viewer")

    @pytest.mark.parametrize(
        ("groups", "role"),
        [
            (["staff"], "member"),
            (["staff", "heads", "others"], "admin"),
            ("heads", "admin"),
            (["others"], "viewer"),
            ([], "viewer"),
            ([{"heads": 1}, 7, None], "viewer"),
            (None, "viewer"),
        ],
    )
    async def test_follow_from_the_claim(self, mapped, groups, role):
        await mapped.orders(claims={"groups": groups}, userinfo={"sub": mapped.subject})

        assert (await mapped.walk()).json()["organization"]["role"] == role

    async def test_are_set_anew_at_each_login(self, mapped):
        for groups, role in ((["heads"], "admin"), (["staff"], "member"), ([], "viewer")):
            await mapped.orders(claims={"groups": groups})
            await mapped.walk()
            assert await mapped.role() == role

    async def test_leave_the_last_owner(self, mapped):
        await mapped.orders(claims={"groups": []})
        await mapped.walk()
        owner = "UPDATE memberships SET role = 'owner' WHERE user_id = (SELECT id FROM users WHERE email = %(e)s)"
        await mapped.town.change(owner, e=mapped.email)

        assert (await mapped.walk()).json()["organization"]["role"] == "owner"

    async def test_stay_as_they_were_given_here_where_no_claim_gives_them(self, world):
        await world.walk()
        admin = "UPDATE memberships SET role = 'admin' WHERE user_id = (SELECT id FROM users WHERE email = %(e)s)"
        await world.town.change(admin, e=world.email)

        assert (await world.walk()).json()["organization"]["role"] == "admin"

    async def test_may_be_needed_to_come_in(self, opened):
        world = await opened(role_claim="groups", role_map={"staff": "member"}, default_role=None)
        await world.orders(claims={"groups": ["others"]})

        assert told(await world.walk()) == REFUSED
