import asyncio
from collections import Counter
from typing import Any

import pytest
from argon2 import PasswordHasher

from carrel.auth.hashing import Passwords
from carrel.infra.db import Database, Role
from tests.auth.town import PASSWORD, new_email

pytestmark = pytest.mark.anyio


class TestLogin:
    async def test_begins_a_session_with_everything_a_program_needs(self, town):
        lina = await town.register(organization="Herons")

        answer = await town.login(lina.email)

        body = answer.json()
        assert answer.status_code == 200
        assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in", "user", "organization"}
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
        assert body["user"]["email"] == lina.email
        assert body["organization"]["name"] == "Herons"
        assert body["organization"]["role"] == "owner"
        assert "password" not in answer.text
        assert answer.headers["cache-control"] == "no-store"

    async def test_takes_the_address_in_any_case(self, town):
        lina = await town.register()

        assert (await town.login(lina.email.upper())).status_code == 200

    async def test_takes_a_password_in_any_spelling_of_its_letters(self, town):
        lina = await town.register(password="Zufällige Sätze")

        assert (await town.login(lina.email, "Zufa\u0308llige Sa\u0308tze")).status_code == 200

    async def test_answers_wrong_passwords_and_unknown_addresses_alike(self, town):
        lina = await town.register()

        wrong, unknown = await town.login(lina.email, "something else"), await town.login(new_email(), "something else")

        assert wrong.status_code == unknown.status_code == 401
        assert told(wrong) == told(unknown)
        assert told(wrong)["code"] == "invalid-login"

    async def test_refuses_a_disabled_user_only_to_who_knows_the_password(self, town):
        lina = await town.register()
        await town.change("UPDATE users SET enabled = false WHERE id = %(id)s", Role.OPERATOR, id=lina.id)

        right, wrong = await town.login(lina.email), await town.login(lina.email, "something else")

        assert (right.status_code, right.json()["code"]) == (403, "user-disabled")
        assert wrong.json()["code"] == "invalid-login"

    async def test_refuses_a_disabled_organization(self, town):
        lina = await town.register()
        await town.change(
            "UPDATE organizations SET enabled = false WHERE id = %(id)s", Role.OPERATOR, id=lina.organization
        )

        answer = await town.login(lina.email)

        assert (answer.status_code, answer.json()["code"]) == (403, "organization-disabled")

    async def test_refuses_an_organization_of_others(self, town):
        lina, other = await town.register(), await town.register()

        answer = await town.login(lina.email, organization=other.organization)

        assert (answer.status_code, answer.json()["code"]) == (403, "no-organization")

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"email": "x@example.org"},
            {"email": "no address", "password": PASSWORD},
            {"email": "x@example.org", "password": "x" * 1001},
            {"email": "x@example.org", "password": "a\u0000b"},
            {"email": "x@example.org", "password": ["x"]},
            {"email": "x@example.org", "password": PASSWORD, "role": "owner"},
            {"email": f"{'x' * 400}@example.org", "password": PASSWORD},
        ],
    )
    async def test_refuses_what_is_no_login(self, town, body):
        answer = await town.post("/api/auth/login", body)

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


class TestTheWorkOfALogin:
    async def test_is_the_same_whether_the_account_exists(self, town, monkeypatch):
        """The proof that no stopwatch replaces: the same statements in the same order, and one hash of one cost."""
        lina = await town.register()
        town.app.state.kit.observer = None  # what is written beside the answer is no part of it
        work = watch(monkeypatch, town)

        await town.login(lina.email, "something else")
        known = [*work]
        work.clear()
        await town.login(new_email(), "something else")

        assert known == work
        assert Counter(kind for kind, _ in work)["hash"] == 1

    async def test_does_not_hold_a_transaction_while_it_hashes(self, town, monkeypatch):
        lina = await town.register()
        work = watch(monkeypatch, town)

        await town.login(lina.email)

        at = next(place for place, (kind, _) in enumerate(work) if kind == "hash")
        assert work[at - 1][0] == "end"

    async def test_hashes_for_nobody_with_the_parameters_for_everybody(self):
        passwords = Passwords()
        parameters = passwords._nobody.split("$")[1:4]
        real = (await passwords.hash(PASSWORD)).split("$")[1:4]
        await passwords.close()

        assert parameters == real == ["argon2id", "v=19", "m=19456,t=2,p=1"]


class TestTheThrottle:
    async def test_stops_guesses_at_an_account(self, town):
        lina = await town.register()
        answers = [await town.login(lina.email, f"guess number {number}") for number in range(12)]

        assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
        assert answers[-1].json()["code"] == "too-many-attempts"
        assert 0 < int(answers[-1].headers["retry-after"]) <= 900

    async def test_refuses_the_right_password_then_as_well(self, town):
        lina = await town.register()
        for number in range(10):
            await town.login(lina.email, f"guess number {number}")

        assert (await town.login(lina.email)).status_code == 429

    async def test_does_not_lock_the_owner_out_elsewhere(self, town):
        lina = await town.register()
        for number in range(12):
            await town.login(lina.email, f"guess number {number}")

        async with town.elsewhere() as home:
            assert (await home.login(lina.email)).status_code == 200

    async def test_does_not_tell_whether_the_account_exists(self, town):
        lina, nobody = await town.register(), new_email()
        known = [await town.login(lina.email, f"guess number {number}") for number in range(11)]
        async with town.elsewhere() as other:
            unknown = [await other.login(nobody, f"guess number {number}") for number in range(11)]

        assert [answer.status_code for answer in known] == [answer.status_code for answer in unknown]

    async def test_checks_no_more_when_all_guesses_come_at_once(self, town):
        lina = await town.register()

        answers = await asyncio.gather(*(town.login(lina.email, f"guess number {number}") for number in range(30)))

        assert Counter(answer.status_code for answer in answers) == {401: 10, 429: 20}

    async def test_stops_one_address_that_tries_many_accounts(self, town):
        answers = [await town.login(new_email(), "something else") for _ in range(101)]

        assert [answer.status_code for answer in answers] == [401] * 100 + [429]

    async def test_forgets_what_was_right(self, town):
        lina = await town.register()

        answers = [await town.login(lina.email) for _ in range(15)]

        assert {answer.status_code for answer in answers} == {200}

    async def test_stores_neither_addresses_nor_accounts(self, town):
        lina = await town.register()
        await town.login(lina.email, "something else")

        stored = await town.value("SELECT string_agg(a::text, ' ') FROM login_attempts a")

        assert lina.email not in stored
        assert lina.email.encode().hex() not in stored


async def test_a_hash_of_older_parameters_is_renewed_in_passing(town):
    lina = await town.register()
    before = await stored_hash(town, lina)
    town.desk.passwords._hasher = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)

    first, again = await town.login(lina.email), await town.login(lina.email)

    assert first.status_code == again.status_code == 200
    assert "t=1" in before
    assert "t=2" in await stored_hash(town, lina)


async def test_a_password_that_changes_during_a_login_lets_nobody_in(town, monkeypatch):
    lina, check = await town.register(), town.desk.passwords.check

    async def changed_meanwhile(password, stored):
        checked = await check(password, stored)
        await town.change("UPDATE users SET password_hash = 'another' WHERE id = %(id)s", id=lina.id)
        return checked

    monkeypatch.setattr(town.desk.passwords, "check", changed_meanwhile)

    assert (await town.login(lina.email)).json()["code"] == "invalid-login"


async def stored_hash(town, citizen):
    return await town.value("SELECT password_hash FROM users WHERE id = %(id)s", id=citizen.id)


def told(answer):
    body = answer.json()
    return {name: value for name, value in body.items() if name != "request_id"}


def watch(monkeypatch, town):
    """What is noted from now on: every statement, every end of a transaction and every hash."""
    work: list[tuple[str, Any]] = []
    verify, execute = town.desk.passwords._check, Database.transaction

    def checked(password, stored):
        work.append(("hash", town.desk.passwords._hasher.memory_cost))
        return verify(password, stored)

    def transaction(self, role, tenant=None):
        return Noted(execute(self, role, tenant), work)

    monkeypatch.setattr(town.desk.passwords, "_check", checked)
    monkeypatch.setattr(Database, "transaction", transaction)
    return work


class Noted:
    def __init__(self, inner, work):
        self.inner, self.work = inner, work

    async def __aenter__(self):
        db = await self.inner.__aenter__()
        for name in ("one_or_none", "all"):
            setattr(db, name, self.noting(name, getattr(db, name), 1))
        for name in ("value", "execute"):
            setattr(db, name, self.noting(name, getattr(db, name), 0))
        return db

    async def __aexit__(self, *error):
        result = await self.inner.__aexit__(*error)
        self.work.append(("end", error[0]))
        return result

    def noting(self, name, call, place):
        async def noted(*arguments, **parameters):
            self.work.append((name, arguments[place]))
            return await call(*arguments, **parameters)

        return noted
