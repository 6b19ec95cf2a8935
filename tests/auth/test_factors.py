import asyncio
import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from carrel.auth import factors, second_step
from carrel.auth.totp import code_at, step_of
from carrel.auth.vault import Vault
from carrel.core import clock
from carrel.infra.db import Role
from carrel.infra.settings import Encryption
from tests.auth.town import PASSWORD, Citizen, opened_town, settings_of

pytestmark = pytest.mark.anyio
TOTP, SECOND = "/api/auth/totp", "/api/auth/login/totp"


class Time:
    """Stands still unless it is moved."""

    def __init__(self):
        self.now = clock.now()

    def __call__(self):
        return self.now

    def pass_(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time(monkeypatch):
    time = Time()
    for module in (factors, second_step):
        monkeypatch.setattr(module, "now", time)
    return time


class Authenticator:
    """The program on somebody's telephone."""

    def __init__(self, time, secret):
        self.time, self.secret = time, base64.b32decode(secret)

    def code(self, later=0):
        return code_at(self.secret, step_of(self.time()) + later)


@pytest.fixture
async def lina(town, time):
    """Somebody with a second factor and ten recovery codes."""
    lina = await town.register()
    return await with_factor(lina, time)


async def with_factor(person, time):
    enrolled = await person.call("POST", TOTP, json={"current_password": PASSWORD})
    assert enrolled.status_code == 201, enrolled.text
    person.phone = Authenticator(time, enrolled.json()["secret"])
    confirmed = await person.call("POST", f"{TOTP}/confirm", json={"code": person.phone.code()})
    assert confirmed.status_code == 200, confirmed.text
    person.codes = confirmed.json()["recovery_codes"]
    time.pass_(30)
    return person


async def ticket(town, person):
    answer = await town.login(person.email)
    assert (answer.status_code, answer.json()["code"]) == (401, "second-factor-required")
    return answer.json()["ticket"]


def told(answer):
    return answer.status_code, answer.json().get("code")


class TestEnrolment:
    async def test_counts_only_once_it_is_confirmed(self, town, time):
        lina = await town.register()

        enrolled = await lina.call("POST", TOTP, json={"current_password": PASSWORD})

        assert set(enrolled.json()) == {"secret", "uri"}
        assert await lina.get(TOTP) == {"enabled": False, "pending": True, "recovery_codes_left": 0}
        assert (await town.login(lina.email)).status_code == 200

    async def test_ends_with_ten_recovery_codes(self, lina):
        assert len(lina.codes) == 10
        assert await lina.get(TOTP) == {"enabled": True, "pending": False, "recovery_codes_left": 10}

    async def test_needs_the_password(self, town):
        lina = await town.register()

        answer = await lina.call("POST", TOTP, json={"current_password": "something else"})

        assert told(answer) == (403, "wrong-password")
        assert not (await lina.get(TOTP))["pending"]

    async def test_begins_anew_as_long_as_it_is_not_confirmed(self, town, time):
        lina = await town.register()
        first, second = [
            Authenticator(time, (await lina.call("POST", TOTP, json={"current_password": PASSWORD})).json()["secret"])
            for _ in range(2)
        ]

        wrong = await lina.call("POST", f"{TOTP}/confirm", json={"code": first.code()})
        right = await lina.call("POST", f"{TOTP}/confirm", json={"code": second.code()})

        assert (told(wrong), right.status_code) == ((403, "wrong-code"), 200)

    async def test_does_not_replace_a_factor_that_is_in_force(self, lina):
        again = await lina.call("POST", TOTP, json={"current_password": PASSWORD})
        confirmed = await lina.call("POST", f"{TOTP}/confirm", json={"code": lina.phone.code()})

        assert told(again) == (409, "second-factor-exists")
        assert told(confirmed) == (409, "second-factor-missing")

    async def test_is_not_answered_twice(self, town):
        lina = await town.register()
        call = {"json": {"current_password": PASSWORD}, "headers": {"Idempotency-Key": "once"}}

        await lina.call("POST", TOTP, **call)
        again = await lina.call("POST", TOTP, **call)

        assert told(again) == (409, "secret-not-repeatable")

    async def test_needs_a_key_in_production(self, database, links, time):
        async with opened_town(database, settings_of()) as town:
            lina = await town.register()
        vault = Vault.of(Encryption(key=None), database, production=True)
        async with opened_town(database, settings_of(), vault=vault) as town:
            lina = replace(lina, town=town)
            answer = await lina.call("POST", TOTP, json={"current_password": PASSWORD})

        assert told(answer) == (503, "encryption-key-missing")


class TestLogin:
    async def test_has_a_second_step(self, town, lina):
        given = await ticket(town, lina)

        answer = await town.post(SECOND, {"ticket": given, "code": lina.phone.code()})

        again = Citizen(town, lina.email, PASSWORD, answer.json())
        assert answer.status_code == 200
        assert (await again.get("/api/auth/me"))["user"]["email"] == lina.email

    async def test_leaves_the_session_with_the_browser_that_wants_it(self, town, lina):
        step = {"ticket": await ticket(town, lina), "code": lina.phone.code(), "cookie": True}

        answer = await town.post(SECOND, step)

        assert set(answer.json()) == {"csrf_token", "expires_in", "user", "organization"}
        assert (await town.http.get("/api/auth/me")).json()["user"]["id"] == lina.id

    async def test_shows_no_token_after_the_first_step(self, town, lina):
        answer = await town.login(lina.email)

        assert "access_token" not in answer.text
        assert answer.json()["expires_in"] == 300
        assert answer.headers["cache-control"] == "no-store"

    async def test_tells_nothing_of_the_factor_to_who_has_no_password(self, town, lina):
        answer = await town.login(lina.email, "something else")

        assert told(answer) == (401, "invalid-login")

    @pytest.mark.parametrize("later", [-1, 1])
    async def test_takes_codes_of_clocks_that_differ_a_little(self, town, lina, time, later):
        time.pass_(60)
        answer = await town.post(SECOND, {"ticket": await ticket(town, lina), "code": lina.phone.code(later)})

        assert answer.status_code == 200

    @pytest.mark.parametrize("later", [-2, 2, 1000])
    async def test_takes_no_others(self, town, lina, time, later):
        time.pass_(90)
        answer = await town.post(SECOND, {"ticket": await ticket(town, lina), "code": lina.phone.code(later)})

        assert told(answer) == (403, "wrong-code")

    async def test_takes_no_code_twice(self, town, lina):
        code = lina.phone.code()
        first = await town.post(SECOND, {"ticket": await ticket(town, lina), "code": code})

        second = await town.post(SECOND, {"ticket": await ticket(town, lina), "code": code})

        assert (first.status_code, told(second)) == (200, (403, "wrong-code"))

    async def test_takes_no_code_that_is_older_than_one_that_was_used(self, town, lina, time):
        time.pass_(60)
        older = lina.phone.code(-1)
        await town.post(SECOND, {"ticket": await ticket(town, lina), "code": lina.phone.code()})

        answer = await town.post(SECOND, {"ticket": await ticket(town, lina), "code": older})

        assert told(answer) == (403, "wrong-code")

    async def test_does_not_take_the_code_that_confirmed_the_factor(self, town, time):
        lina = await with_factor(await town.register(), time)

        answer = await town.post(SECOND, {"ticket": await ticket(town, lina), "code": lina.phone.code(-1)})

        assert told(answer) == (403, "wrong-code")

    async def test_lets_one_of_many_in_who_bring_the_same_code(self, town, lina):
        tickets = [await ticket(town, lina) for _ in range(4)]
        code = lina.phone.code()

        answers = await asyncio.gather(*(town.post(SECOND, {"ticket": one, "code": code}) for one in tickets))

        assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403]

    async def test_takes_a_ticket_once(self, town, lina):
        given = await ticket(town, lina)
        await town.post(SECOND, {"ticket": given, "code": lina.phone.code()})

        answer = await town.post(SECOND, {"ticket": given, "recovery_code": lina.codes[0]})

        assert told(answer) == (401, "invalid-ticket")

    async def test_lets_one_in_of_many_with_one_ticket(self, town, lina):
        given = await ticket(town, lina)

        answers = await asyncio.gather(
            *(town.post(SECOND, {"ticket": given, "recovery_code": code}) for code in lina.codes[:4])
        )

        assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
        assert (await lina.get(TOTP))["recovery_codes_left"] == 9

    async def test_forgets_a_ticket_after_five_minutes(self, town, lina, time):
        given = await ticket(town, lina)
        time.pass_(301)

        answer = await town.post(SECOND, {"ticket": given, "code": lina.phone.code()})

        assert told(answer) == (401, "invalid-ticket")

    async def test_forgets_a_ticket_when_the_password_changes(self, town, lina):
        given = await ticket(town, lina)
        new = {"current_password": PASSWORD, "new_password": "another seven herons"}
        assert (await lina.call("POST", "/api/auth/password", json=new)).status_code == 204

        answer = await town.post(SECOND, {"ticket": given, "code": lina.phone.code()})

        assert told(answer) == (401, "invalid-ticket")

    async def test_keeps_a_disabled_user_out(self, town, lina):
        given = await ticket(town, lina)
        await town.change("UPDATE users SET enabled = false WHERE id = %(id)s", Role.OPERATOR, id=lina.id)

        answer = await town.post(SECOND, {"ticket": given, "code": lina.phone.code()})

        assert told(answer) == (403, "user-disabled")

    async def test_leads_to_the_organization_that_was_asked_for(self, town, lina):
        boss = await town.register(organization="Herons")
        invitation = {"email": lina.email, "role": "viewer"}
        await boss.call("POST", "/api/organization/invitations", json=invitation)
        joined = await town.post("/api/auth/invitations/accept", {"token": town.token(), "password": PASSWORD})
        assert told(joined) == (401, "second-factor-required")

        asked = await town.login(lina.email, organization=boss.organization)
        answer = await town.post(SECOND, {"ticket": asked.json()["ticket"], "code": lina.phone.code()})

        assert answer.json()["organization"]["id"] == boss.organization

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"ticket": "x"},
            {"ticket": "x", "code": "12345"},
            {"ticket": "x", "code": "1234567"},
            {"ticket": "x", "code": "١٢٣٤٥٦"},
            {"ticket": "x", "code": "123456\n"},
            {"ticket": "x", "code": 123456},
            {"ticket": "x", "code": "123456", "recovery_code": "x"},
            {"ticket": "x", "recovery_code": ""},
            {"ticket": "x", "recovery_code": "x" * 41},
            {"ticket": "x" * 201, "code": "123456"},
            {"ticket": "x", "code": "123456", "user_id": "x"},
        ],
    )
    async def test_refuses_what_is_no_second_step(self, town, body):
        answer = await town.post(SECOND, body)

        assert told(answer) == (422, "invalid-request")

    async def test_refuses_a_ticket_that_is_none(self, town):
        answer = await town.post(SECOND, {"ticket": "a" * 43, "code": "123456"})

        assert told(answer) == (401, "invalid-ticket")


class TestTheThrottle:
    async def test_stops_guesses_at_codes_from_everywhere(self, town, lina):
        given = await ticket(town, lina)
        wrong = {"ticket": given, "code": f"{(int(lina.phone.code()) + 500_000) % 1_000_000:06}"}

        answers = [await town.post(SECOND, wrong) for _ in range(6)]
        async with town.elsewhere() as other:
            answers.append(await other.post(SECOND, {"ticket": given, "code": lina.phone.code()}))

        assert [answer.status_code for answer in answers] == [403] * 5 + [429] * 2
        assert answers[-1].json()["code"] == "too-many-attempts"

    async def test_does_not_count_what_is_right(self, town, lina, time):
        for _ in range(8):
            time.pass_(30)
            answer = await town.post(SECOND, {"ticket": await ticket(town, lina), "code": lina.phone.code()})
            assert answer.status_code == 200, answer.text


class TestRecoveryCodes:
    async def test_let_in_once_each(self, town, lina):
        first = await town.post(SECOND, {"ticket": await ticket(town, lina), "recovery_code": lina.codes[3].lower()})
        again = await town.post(SECOND, {"ticket": await ticket(town, lina), "recovery_code": lina.codes[3]})

        assert (first.status_code, told(again)) == (200, (403, "wrong-code"))
        assert (await lina.get(TOTP))["recovery_codes_left"] == 9

    async def test_of_others_let_nobody_in(self, town, lina, time):
        other = await with_factor(await town.register(), time)

        answer = await town.post(SECOND, {"ticket": await ticket(town, lina), "recovery_code": other.codes[0]})

        assert told(answer) == (403, "wrong-code")

    async def test_are_renewed_as_a_whole(self, town, lina):
        proof = {"current_password": PASSWORD, "recovery_code": lina.codes[0]}

        renewed = await lina.call("POST", f"{TOTP}/recovery-codes", json=proof)

        fresh = renewed.json()["recovery_codes"]
        old = await town.post(SECOND, {"ticket": await ticket(town, lina), "recovery_code": lina.codes[1]})
        new = await town.post(SECOND, {"ticket": await ticket(town, lina), "recovery_code": fresh[0]})
        assert len({*fresh, *lina.codes}) == 20
        assert (told(old), new.status_code) == ((403, "wrong-code"), 200)

    async def test_work_when_the_encryption_key_is_lost(self, database, links, time):
        lost, found = (Encryption(key=SecretStr(letter * 32)) for letter in "ab")
        async with opened_town(database, settings_of(), vault=Vault.of(lost, database, production=False)) as town:
            lina = await with_factor(await town.register(), time)
        async with opened_town(database, settings_of(), vault=Vault.of(found, database, production=False)) as town:
            given = await ticket(town, lina)
            by_code = await town.post(SECOND, {"ticket": given, "code": lina.phone.code()})
            by_recovery = await town.post(SECOND, {"ticket": given, "recovery_code": lina.codes[0]})

        assert told(by_code) == (503, "encryption-key-unusable")
        assert by_recovery.status_code == 200


class TestDisabling:
    async def test_takes_password_and_code(self, town, lina):
        proof = {"current_password": PASSWORD, "code": lina.phone.code()}

        answer = await lina.call("POST", f"{TOTP}/disable", json=proof)

        assert answer.status_code == 204
        assert await lina.get(TOTP) == {"enabled": False, "pending": False, "recovery_codes_left": 0}
        assert (await town.login(lina.email)).status_code == 200

    async def test_takes_nothing_less(self, lina):
        code, other = lina.phone.code(), lina.phone.code(1)
        answers = [
            await lina.call("POST", f"{TOTP}/disable", json=body)
            for body in (
                {"current_password": "something else", "code": code},
                {"current_password": PASSWORD, "recovery_code": "AAAA-BBBB-CCCC-DDDD"},
                {"current_password": PASSWORD},
                {"code": other},
            )
        ]

        assert [told(answer) for answer in answers] == [
            (403, "wrong-password"),
            (403, "wrong-code"),
            (422, "invalid-request"),
            (422, "invalid-request"),
        ]
        assert (await lina.get(TOTP))["enabled"]

    async def test_needs_a_factor(self, town):
        lina = await town.register()

        answer = await lina.call("POST", f"{TOTP}/disable", json={"current_password": PASSWORD, "code": "123456"})

        assert told(answer) == (409, "second-factor-missing")

    async def test_a_new_password_by_mail_leaves_the_factor(self, town, lina):
        await town.post("/api/auth/password/forgot", {"email": lina.email})
        await town.desk.background.close()

        reset = await town.post("/api/auth/password/reset", {"token": town.token(), "password": "another seven herons"})

        answer = await town.login(lina.email, "another seven herons")
        assert (reset.status_code, told(answer)) == (204, (401, "second-factor-required"))


class TestWhatIsStored:
    async def test_holds_no_secret_and_no_code(self, town, lina):
        given = await ticket(town, lina)

        dump = await town.value(
            "SELECT string_agg(row, '') FROM (SELECT f::text AS row FROM second_factors f UNION ALL "
            "SELECT r::text FROM recovery_codes r UNION ALL SELECT t::text FROM login_tickets t) rows"
        )

        for secret in (given, lina.phone.secret.hex(), *lina.codes):
            assert secret not in dump
            assert secret.encode().hex() not in dump

    async def test_is_encrypted_anew_after_a_change_of_the_key(self, database, links, time):
        old, new = SecretStr("a" * 32), SecretStr("b" * 32)
        vaults = [
            Vault.of(Encryption(key=key, previous_key=previous), database, production=False)
            for key, previous in ((old, None), (new, old), (new, None))
        ]
        async with opened_town(database, settings_of(), vault=vaults[0]) as town:
            lina = await with_factor(await town.register(), time)

        answers = []
        for vault in vaults[1:]:
            async with opened_town(database, settings_of(), vault=vault) as town:
                answers.append(await town.post(SECOND, {"ticket": await ticket(town, lina), "code": lina.phone.code()}))
                time.pass_(30)

        assert [answer.status_code for answer in answers] == [200, 200]
