import pytest

from tests.auth.town import PASSWORD

pytestmark = pytest.mark.anyio
USERS = "/api/admin/users"
NOBODY = "0198c5a0-0000-7000-8000-000000000000"


class TestListing:
    async def test_shows_everybody_with_their_organizations_and_no_secret(self, town):
        boss, lina = await town.operator(), await town.register(organization="Herons")

        page = await boss.get(USERS, q=lina.email)

        [found] = page["data"]
        assert found == {
            **{name: lina.tokens["user"][name] for name in ("id", "email", "name", "created_at")},
            "tier": "free",
            "operator": False,
            "enabled": True,
            "email_verified": False,
            "has_password": True,
            "second_factor": False,
            "organizations": [{"slug": lina.tokens["organization"]["slug"], "role": "owner"}],
        }

    async def test_walks_through_all_pages_without_a_gap(self, town):
        boss = await town.operator()
        guests = [await town.hired(boss, "viewer") for _ in range(4)]
        slug = boss.tokens["organization"]["slug"]

        first = await boss.get(USERS, organization=slug, limit=3)
        rest = await boss.get(USERS, organization=slug, limit=3, cursor=first["next_cursor"])
        counted = await boss.get(USERS, organization=slug, limit=1, offset=1)

        seen = [user["id"] for page in (first, rest) for user in page["data"]]
        assert seen == [guest.id for guest in reversed(guests)] + [boss.id]
        assert (rest["has_more"], counted["total"]) == (False, 5)

    async def test_finds_by_tier_state_and_right(self, town):
        boss, lina = await town.operator(), await town.register()
        await boss.call("PATCH", f"{USERS}/{lina.id}", json={"tier": "pro", "enabled": False})

        for fits in ({"tier": "pro"}, {"enabled": False}, {"operator": False}, {"q": lina.email[8:20].upper()}):
            assert [user["id"] for user in (await boss.get(USERS, **{"q": lina.email, **fits}))["data"]] == [lina.id]
        for fails in ({"tier": "free"}, {"enabled": True}, {"operator": True}, {"organization": "nowhere"}):
            assert (await boss.get(USERS, q=lina.email, **fails))["data"] == []

    @pytest.mark.parametrize("wrong", [{"tier": "gold"}, {"q": "a\u0000b"}, {"q": "x" * 201}, {"enabled": "perhaps"}])
    async def test_refuses_filters_that_mean_nothing(self, town, wrong):
        boss = await town.operator()

        answer = await boss.call("GET", USERS, params=wrong)

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")

    async def test_is_for_operators_only(self, town):
        owner = await town.register()
        key = await town.key(owner.organization, "admin")

        for answer in (
            await owner.call("GET", USERS),
            await owner.call("PATCH", f"{USERS}/{owner.id}", json={"operator": True}),
            await town.http.patch(f"{USERS}/{owner.id}", headers=key, json={"tier": "admin"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


class TestChanging:
    async def test_gives_a_tier_that_counts_at_once(self, town):
        boss, lina = await town.operator(), await town.register()

        changed = await boss.call("PATCH", f"{USERS}/{lina.id}", json={"tier": "enterprise"})

        assert (changed.status_code, changed.json()["tier"]) == (200, "enterprise")
        town.forget()
        assert (await lina.get("/api/auth/me"))["user"]["tier"] == "enterprise"

    async def test_makes_operators_and_unmakes_them(self, town):
        boss, lina = await town.operator(), await town.register()

        await boss.call("PATCH", f"{USERS}/{lina.id}", json={"operator": True})
        town.forget()
        allowed = await lina.call("GET", USERS)
        await boss.call("PATCH", f"{USERS}/{lina.id}", json={"operator": False})
        town.forget()
        refused = await lina.call("GET", USERS)

        assert (allowed.status_code, refused.status_code) == (200, 403)

    async def test_disabling_ends_every_session_for_good(self, town):
        boss, lina = await town.operator(), await town.register()
        again = (await town.login(lina.email)).json()

        await boss.call("PATCH", f"{USERS}/{lina.id}", json={"enabled": False})
        town.forget()
        at_once = await lina.call("GET", "/api/auth/me")
        login = await town.login(lina.email)
        await boss.call("PATCH", f"{USERS}/{lina.id}", json={"enabled": True})
        town.forget()
        later = await lina.call("GET", "/api/auth/me")
        refreshed = await town.post("/api/auth/refresh", {"refresh_token": again["refresh_token"]})

        assert [answer.status_code for answer in (at_once, login, later, refreshed)] == [401, 403, 401, 401]
        assert (await town.login(lina.email)).status_code == 200

    async def test_changes_nothing_that_was_not_said(self, town):
        boss, lina = await town.operator(), await town.register()

        untouched = await boss.call("PATCH", f"{USERS}/{lina.id}", json={})

        assert (untouched.json()["tier"], untouched.json()["enabled"], untouched.json()["operator"]) == (
            "free",
            True,
            False,
        )

    @pytest.mark.parametrize(
        "wrong",
        [
            {"tier": "gold"},
            {"enabled": "perhaps"},
            {"email": "x@example.org"},
            {"password_hash": "x"},
            {"id": NOBODY},
            {"role": "owner"},
        ],
    )
    async def test_takes_nothing_else(self, town, wrong):
        boss, lina = await town.operator(), await town.register()

        answer = await boss.call("PATCH", f"{USERS}/{lina.id}", json=wrong)

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")

    async def test_says_when_there_is_nobody(self, town):
        boss = await town.operator()

        answer = await boss.call("PATCH", f"{USERS}/{NOBODY}", json={"tier": "pro"})

        assert (answer.status_code, answer.json()["code"]) == (404, "user-not-found")


class TestPeopleWithoutAPassword:
    async def test_get_in_by_no_password(self, town):
        lina = await town.register()
        await town.change("UPDATE users SET password_hash = NULL WHERE id = %(id)s", id=lina.id)

        answers = [await town.login(lina.email, password) for password in (PASSWORD, "None", "x")]

        assert [answer.json()["code"] for answer in answers] == ["invalid-login"] * 3
