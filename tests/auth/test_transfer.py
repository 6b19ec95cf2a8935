import json

import pytest
from argon2 import PasswordHasher

from carrel.auth.hashing import Passwords
from carrel.auth.repository_people import PeopleRows
from carrel.auth.transfer import Import
from carrel.auth.userfile import parsed, written
from carrel.infra.db import Role
from tests.auth.town import PASSWORD, QUICK, new_email

pytestmark = pytest.mark.anyio
STATE = "SELECT jsonb_agg(to_jsonb(u) ORDER BY u.id) FROM users u"


@pytest.fixture
async def bring(database):
    passwords = Passwords(QUICK)

    async def bring(*rows, partial=False, dry_run=False):
        entries = parsed(json.dumps(rows), "json")
        return await Import(database, passwords).run(entries, partial=partial, dry_run=dry_run)

    yield bring
    await passwords.close()


def outcomes(results):
    return [result.outcome for result in results]


class TestImport:
    async def test_makes_people_who_can_log_in_at_once(self, town, bring):
        boss, email = await town.register(organization="Herons"), new_email()
        slug = boss.tokens["organization"]["slug"]

        results = await bring(
            {"email": email, "name": "Lina", "tier": "pro", "organization": slug, "role": "admin", "password": PASSWORD}
        )

        body = (await town.login(email)).json()
        assert outcomes(results) == ["created"]
        assert (body["user"]["tier"], body["user"]["name"], body["user"]["email_verified"]) == ("pro", "Lina", True)
        assert (body["organization"]["slug"], body["organization"]["role"]) == (slug, "admin")

    async def test_takes_hashes_from_elsewhere(self, town, bring):
        boss, email = await town.register(), new_email()
        hashed = PasswordHasher(1, 16, 1).hash(PASSWORD)

        await bring({"email": email, "organization": boss.tokens["organization"]["slug"], "password_hash": hashed})

        assert (await town.login(email)).status_code == 200
        assert (await town.login(email, "something else")).status_code == 401

    async def test_of_an_export_changes_nothing(self, town, bring):
        boss = await town.operator()
        guest = await town.hired(boss, "viewer")
        before = await town.value(STATE)
        async with town.database.transaction(Role.GATE) as db:
            # Tests of other things leave people here who could not be imported.
            people = [one for one in await PeopleRows(db).carried() if one.email in {boss.email, guest.email}]

        for form in ("csv", "json"):
            for hashes in (False, True):
                entries = parsed(written(people, form, hashes=hashes), form)
                results = await Import(town.database, town.desk.passwords).run(entries, partial=False, dry_run=False)
                assert outcomes(results) == ["unchanged", "unchanged"]
        assert await town.value(STATE) == before

    async def test_twice_changes_nothing_the_second_time(self, town, bring):
        boss = await town.register()
        row = {"email": new_email(), "organization": boss.tokens["organization"]["slug"], "password": PASSWORD}

        first, second = await bring(row), await bring(row)

        assert (outcomes(first), outcomes(second)) == (["created"], ["unchanged"])

    async def test_is_all_or_nothing(self, town, bring):
        good, bad = new_email(), new_email()
        rows = [{"email": good, "password": PASSWORD}, {"email": bad, "organization": "nowhere"}]

        results = await bring(*rows)

        assert outcomes(results) == ["created", "failed"]
        assert "nowhere" in results[1].detail
        assert await self.there(town, good, bad) == 0

    async def test_takes_the_good_lines_when_told_to(self, town, bring):
        good, bad, weak = new_email(), new_email(), new_email()
        rows = [
            {"email": good, "password": PASSWORD},
            {"email": bad, "organization": "nowhere"},
            {"email": weak, "password": "password"},
            {"email": "nobody"},
        ]

        results = await bring(*rows, partial=True)

        assert outcomes(results) == ["created", "failed", "failed", "failed"]
        assert await self.there(town, good, bad, weak) == 1

    async def test_rehearses(self, town, bring):
        email = new_email()

        results = await bring({"email": email, "password": PASSWORD}, dry_run=True)

        assert outcomes(results) == ["created"]
        assert await self.there(town, email) == 0

    async def test_disables_and_ends_sessions(self, town, bring):
        lina = await town.register()

        results = await bring({"email": lina.email, "enabled": False, "tier": "enterprise"})

        town.forget()
        assert outcomes(results) == ["changed"]
        assert (await lina.call("GET", "/api/auth/me")).status_code == 401
        assert (await town.login(lina.email)).json()["code"] == "user-disabled"

    async def test_of_a_new_password_ends_sessions(self, town, bring):
        lina = await town.register()

        await bring({"email": lina.email, "password": "another seven herons"})

        town.forget()
        assert (await lina.call("GET", "/api/auth/me")).status_code == 401
        assert (await town.login(lina.email, "another seven herons")).status_code == 200

    async def test_keeps_the_last_owner(self, town, bring):
        lina = await town.register()
        slug = lina.tokens["organization"]["slug"]

        results = await bring({"email": lina.email, "organization": slug, "role": "viewer"})

        assert outcomes(results) == ["failed"]
        assert (await lina.get("/api/auth/me"))["organization"]["role"] == "owner"

    async def test_brings_somebody_into_several_organizations(self, town, bring):
        first, second, email = await town.register(), await town.register(), new_email()
        slugs = [boss.tokens["organization"]["slug"] for boss in (first, second)]

        results = await bring(
            {"email": email, "organization": slugs[0], "password": PASSWORD},
            {"email": email, "organization": slugs[1], "role": "owner", "password": PASSWORD},
        )

        login = (await town.login(email)).json()
        places = await town.http.get(
            "/api/auth/organizations", headers={"Authorization": f"Bearer {login['access_token']}"}
        )
        assert outcomes(results) == ["created", "changed"]
        assert {(place["slug"], place["role"]) for place in places.json()} == {
            (slugs[0], "member"),
            (slugs[1], "owner"),
        }

    async def there(self, town, *emails):
        return await town.value("SELECT count(*) FROM users WHERE email = ANY(%(emails)s)", emails=[*emails])
