import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from carrel.auth.keys import digest
from carrel.auth.opaque import successor
from carrel.infra.db import Role
from tests.auth.town import Citizen

pytestmark = pytest.mark.anyio
ME = "/api/auth/me"


async def refresh(town, token):
    return await town.post("/api/auth/refresh", {"refresh_token": token})


async def later(town, citizen, seconds):
    """Move the last rotation of a session into the past."""
    await town.change(
        "UPDATE sessions SET rotated_at = rotated_at - %(past)s WHERE user_id = %(user)s",
        past=timedelta(seconds=seconds),
        user=citizen.id,
    )


class TestRefresh:
    async def test_gives_a_new_pair_for_the_same_session(self, town):
        lina = await town.register()

        answer = await refresh(town, lina.tokens["refresh_token"])

        renewed = Citizen(town, lina.email, lina.password, answer.json())
        assert answer.status_code == 200
        assert renewed.tokens["refresh_token"] != lina.tokens["refresh_token"]
        assert set(renewed.tokens) == set(lina.tokens)
        assert len((await renewed.get("/api/auth/sessions"))["data"]) == 1

    async def test_goes_on_for_many_generations(self, town):
        lina = await town.register()
        token = lina.tokens["refresh_token"]

        for _ in range(5):
            token = (await refresh(town, token)).json()["refresh_token"]

        assert (await refresh(town, token)).status_code == 200

    async def test_answers_the_same_again_for_a_moment(self, town):
        lina = await town.register()

        first = await refresh(town, lina.tokens["refresh_token"])
        again = await refresh(town, lina.tokens["refresh_token"])

        assert first.status_code == again.status_code == 200
        assert first.content == again.content

    async def test_of_one_token_twenty_times_at_once_has_one_answer(self, town):
        lina = await town.register()
        token = lina.tokens["refresh_token"]

        answers = await asyncio.gather(*(refresh(town, token) for _ in range(20)))

        assert Counter(answer.status_code for answer in answers) == {200: 20}
        assert len({answer.content for answer in answers}) == 1
        rows = "SELECT count(*) FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE s.user_id = %(user)s"
        assert await town.value(rows, user=lina.id) == 2

    async def test_with_an_old_token_ends_the_session(self, town):
        lina = await town.register()
        old = lina.tokens["refresh_token"]
        new = (await refresh(town, old)).json()
        await later(town, lina, 11)

        reused = await refresh(town, old)

        assert (reused.status_code, reused.json()["code"]) == (401, "invalid-refresh-token")
        assert (await refresh(town, new["refresh_token"])).status_code == 401
        town.forget()
        assert (await Citizen(town, "", "", new).call("GET", ME)).status_code == 401

    async def test_with_the_one_before_the_last_ends_the_session_at_once(self, town):
        """Within the moment of grace too: its answer has been used."""
        lina = await town.register()
        first = lina.tokens["refresh_token"]
        second = (await refresh(town, first)).json()["refresh_token"]
        third = (await refresh(town, second)).json()["refresh_token"]

        assert (await refresh(town, first)).status_code == 401
        assert (await refresh(town, third)).status_code == 401

    async def test_ends_only_that_session(self, town):
        lina = await town.register()
        other = (await town.login(lina.email)).json()
        await refresh(town, lina.tokens["refresh_token"])
        await later(town, lina, 11)
        await refresh(town, lina.tokens["refresh_token"])

        assert (await refresh(town, other["refresh_token"])).status_code == 200

    async def test_ends_with_the_session_however_often_it_is_used(self, town):
        lina = await town.register()
        await town.change(
            "UPDATE sessions SET expires_at = now() - interval '1 s' WHERE user_id = %(user)s", user=lina.id
        )

        assert (await refresh(town, lina.tokens["refresh_token"])).status_code == 401

    async def test_does_not_make_the_session_longer(self, town):
        lina = await town.register()
        before = (await lina.get("/api/auth/sessions"))["data"][0]

        await refresh(town, lina.tokens["refresh_token"])

        after = (await lina.get("/api/auth/sessions"))["data"][0]
        assert after["expires_at"] == before["expires_at"]
        assert after["last_used_at"] > before["last_used_at"]

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"refresh_token": "cr_" + "x" * 43}, 401),
            ({"refresh_token": "\U0001f9c2"}, 401),
            ({"refresh_token": ""}, 422),
            ({"refresh_token": "x" * 201}, 422),
            ({"refresh_token": None}, 422),
            ({}, 422),
            ({"refresh_token": "cr_x", "organization": "other"}, 422),
        ],
    )
    async def test_refuses_what_is_no_token(self, town, body, status):
        assert (await town.post("/api/auth/refresh", body)).status_code == status

    async def test_does_not_take_an_access_token(self, town):
        lina = await town.register()

        answer = await town.post("/api/auth/refresh", {"refresh_token": lina.tokens["access_token"][:200]})

        assert answer.status_code == 401

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ("UPDATE users SET enabled = false WHERE id = %(user)s", 401),
            ("UPDATE organizations SET enabled = false WHERE id = %(tenant)s", 403),
        ],
    )
    async def test_is_refused_to_the_disabled_and_goes_on_afterwards(self, town, change, status):
        lina = await town.register()
        token, at = lina.tokens["refresh_token"], {"user": lina.id, "tenant": lina.organization}
        await town.change(change, Role.OPERATOR, **at)

        refused = await refresh(town, token)
        await town.change(change.replace("false", "true"), Role.OPERATOR, **at)

        assert refused.status_code == status
        assert (await refresh(town, token)).status_code == 200


class TestWhatIsStored:
    async def test_opens_no_session(self, town):
        """Neither the rows nor anything that can be computed from them is a token."""
        lina = await town.register()
        first = lina.tokens["refresh_token"]
        second = (await refresh(town, first)).json()["refresh_token"]

        dump = await town.value(
            "SELECT string_agg(s::text, ' ') || (SELECT string_agg(t::text, ' ') FROM refresh_tokens t) "
            "FROM sessions s WHERE user_id = %(user)s",
            user=lina.id,
        )
        nonce = await town.value("SELECT nonce FROM sessions WHERE user_id = %(user)s", user=lina.id)

        for token in (first, second):
            assert token not in dump
            assert token.encode().hex() not in dump
        assert successor(first, nonce) == second
        assert successor(digest(first.encode()).hex(), nonce) != second


class TestASession:
    async def test_is_listed_with_its_device(self, town):
        lina = await town.register()
        await town.login(lina.email)

        page = await lina.get("/api/auth/sessions")

        assert [one["current"] for one in page["data"]] == [False, True]
        assert {one["user_agent"] for one in page["data"]} == {"Test/1 (here)"}
        assert all(one["address"].startswith("10.") for one in page["data"])
        assert page["has_more"] is False

    async def test_list_walks_by_cursor_and_by_offset(self, town):
        lina = await town.register()
        for _ in range(2):
            await town.login(lina.email)
        whole = await lina.get("/api/auth/sessions", offset=0)

        first = await lina.get("/api/auth/sessions", limit=2)
        rest = await lina.get("/api/auth/sessions", limit=2, cursor=first["next_cursor"])

        assert whole["total"] == 3
        assert first["data"] + rest["data"] == whole["data"]

    async def test_that_is_revoked_is_over(self, town):
        lina = await town.register()
        other = Citizen(town, lina.email, lina.password, (await town.login(lina.email)).json())
        session = next(one for one in (await lina.get("/api/auth/sessions"))["data"] if not one["current"])

        gone = await lina.call("DELETE", f"/api/auth/sessions/{session['id']}")
        again = await lina.call("DELETE", f"/api/auth/sessions/{session['id']}")

        assert (gone.status_code, again.status_code) == (204, 404)
        assert again.json()["code"] == "session-not-found"
        assert (await other.call("GET", ME)).status_code == 401
        assert (await refresh(town, other.tokens["refresh_token"])).status_code == 401
        assert (await lina.call("GET", ME)).status_code == 200

    async def test_of_somebody_else_is_out_of_reach(self, town):
        lina, other = await town.register(), await town.register()
        theirs = (await other.get("/api/auth/sessions"))["data"][0]["id"]

        answer = await lina.call("DELETE", f"/api/auth/sessions/{theirs}")

        assert answer.status_code == 404
        assert (await other.call("GET", ME)).status_code == 200
        assert theirs not in (await lina.call("GET", "/api/auth/sessions")).text

    async def test_that_logs_out_is_over(self, town):
        lina = await town.register()

        out = await lina.call("POST", "/api/auth/logout")
        town.forget()

        assert (out.status_code, out.content) == (204, b"")
        assert (await lina.call("GET", ME)).json()["code"] == "invalid-credentials"

    async def test_that_is_over_is_known_everywhere_within_seconds(self, town, monkeypatch):
        """What a server has just seen it believes for 2 s by its own clock, and not longer."""
        lina = await town.register()
        assert (await lina.call("GET", ME)).status_code == 200
        await town.change("UPDATE sessions SET revoked_at = now() WHERE user_id = %(user)s", user=lina.id)
        time = town.authenticator._clock()
        for memory in (town.authenticator._good, town.authenticator):
            monkeypatch.setattr(memory, "_clock", lambda: time + 2.0)

        assert (await lina.call("GET", ME)).status_code == 401


async def test_sessions_that_are_long_over_are_swept(town):
    lina = await town.register()
    await town.change("UPDATE sessions SET expires_at = now() - interval '1 h' WHERE user_id = %(user)s", user=lina.id)
    count = "SELECT count(*) FROM sessions WHERE expires_at < now()"

    for _ in range(5):
        await town.login(lina.email)

    assert await town.value(count) == 0
