"""Lists: walked by cursor or jumped in by offset."""

import base64
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Role
from carrel.infra.web import Cursors
from carrel.infra.web.errors import InvalidCursor
from tests.infra.web.notes import NewNote, Notes

PATH = "/api/notes"


@pytest.fixture
def write(database, tenant):
    """Add notes as an ingesting process would, beside the requests."""

    class Room(Notes):
        def __init__(self, db):
            self.db, self.tenant = db, tenant

    async def notes(*texts: str, tag: str = "") -> None:
        async with database.transaction(Role.APP, tenant) as db:
            for text in texts:
                await Room(db).add(NewNote(text=text, tag=tag))

    return notes


@pytest.mark.anyio
class TestCursor:
    async def test_walks_over_each_row_once_while_others_are_added(self, client, write):
        await write(*(f"old {number}" for number in range(10)))
        seen: list[str] = []
        cursor = None
        while cursor or not seen:
            page = (await client.get(PATH, params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
            seen += [note["text"] for note in page["data"]]
            cursor = page["next_cursor"]
            assert page["has_more"] == (cursor is not None)
            await write(f"new {len(seen)}")

        assert seen == [f"old {number}" for number in range(9, -1, -1)]

    async def test_pages_have_neither_total_nor_links(self, client, write):
        await write("a", "b")

        assert set((await client.get(PATH)).json()) == {"data", "next_cursor", "has_more"}

    async def test_of_an_empty_list(self, client):
        assert (await client.get(PATH)).json() == {"data": [], "next_cursor": None, "has_more": False}

    async def test_keeps_its_filter(self, client, write):
        await write("a", "b", "c", tag="x")
        await write("d", tag="y")
        first = (await client.get(PATH, params={"tag": "x", "limit": 2})).json()

        second = (await client.get(PATH, params={"limit": 2, "cursor": first["next_cursor"], "tag": "x"})).json()

        assert [note["text"] for note in second["data"]] == ["a"]

    async def test_opens_no_other_list(self, client, knock, tenant, stranger, write):
        await write("a", "b", "c", tag="x")
        cursor = (await client.get(PATH, params={"tag": "x", "limit": 1})).json()["next_cursor"]
        others = [
            await client.get(PATH, params={"cursor": cursor}),
            await client.get(PATH, params={"cursor": cursor, "tag": "y"}),
            await client.get(PATH, params={"cursor": cursor, "tag": "x", "more": "1"}),
            await knock(stranger).get(PATH, params={"cursor": cursor, "tag": "x"}),
        ]

        assert [(answer.status_code, answer.json()["code"]) for answer in others] == [(400, "invalid-cursor")] * 4
        other_size = await client.get(PATH, params={"cursor": cursor, "tag": "x", "limit": 2})
        other_key = await knock(tenant, subject="another").get(PATH, params={"cursor": cursor, "tag": "x"})
        assert [other_size.status_code, other_key.status_code] == [200, 200]

    @pytest.mark.parametrize("cursor", ["", "x", "AAAA", "é", "=" * 9, "A" * 10_000, "null", "..", "%00", "\U0001f600"])
    async def test_that_was_made_up_is_400(self, client, cursor):
        answer = await client.get(PATH, params={"cursor": cursor})

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")

    async def test_and_offset_contradict_each_other(self, client):
        answer = await client.get(PATH, params={"cursor": "x", "offset": 1})

        assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


@pytest.mark.anyio
class TestOffset:
    async def test_tells_the_total_and_its_neighbours(self, client, write):
        await write(*"abcdefg", tag="x y&z=é")
        here = f"{PATH}?tag=x+y%26z%3D%C3%A9&limit=2"

        page = (await client.get(f"{here}&offset=2")).json()

        assert ([note["text"] for note in page["data"]], page["total"]) == (["e", "d"], 7)
        assert page["links"] == {"next": f"{here}&offset=4", "prev": f"{here}&offset=0"}

    async def test_links_lead_over_each_row_once(self, client, write):
        await write(*"abcdefg", tag="x")
        seen: list[str] = []
        link = f"{PATH}?tag=x&limit=3&offset=0"
        while link:
            page = (await client.get(link)).json()
            seen += [note["text"] for note in page["data"]]
            link = page["links"]["next"]

        assert seen == list("gfedcba")

    async def test_links_keep_parameters_that_come_twice(self, client, write):
        await write("a", "b")

        link = (await client.get(f"{PATH}?x=1&x=2&offset=0&limit=1")).json()["links"]["next"]

        assert parse_qs(urlsplit(link).query) == {"x": ["1", "2"], "limit": ["1"], "offset": ["1"]}

    async def test_ends_without_links(self, client, write):
        await write("a")

        page = (await client.get(f"{PATH}?offset=0")).json()

        assert (page["total"], page["links"]) == (1, {"next": None, "prev": None})

    async def test_beyond_the_end_is_empty(self, client, write):
        await write("a")

        page = (await client.get(f"{PATH}?offset=100000&limit=5")).json()

        assert (page["data"], page["total"], page["links"]["next"]) == ([], 1, None)
        assert page["links"]["prev"].endswith("offset=99995")

    @pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "offset=-1", "offset=100001", "limit=1.5"])
    async def test_and_limit_have_bounds(self, client, query):
        answer = await client.get(f"{PATH}?{query}")

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


TENANT = TenantId(UUID(int=1))
CURSORS = Cursors(b"secret")
keys = st.lists(st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")), max_size=4)


class TestCursors:
    @settings(deadline=None)
    @given(keys, st.text())
    def test_are_read_as_they_were_written(self, key, question):
        question = question.encode("utf-8", "replace").decode()

        assert CURSORS.read(TENANT, question, CURSORS.write(TENANT, question, key)) == key

    @settings(deadline=None)
    @given(keys, st.integers(0), st.sampled_from("ABab01-_+/=. é"))
    def test_that_were_changed_are_refused(self, key, place, letter):
        cursor = CURSORS.write(TENANT, "q", key)
        place %= len(cursor) + 1
        changed = cursor[:place] + letter + cursor[place + 1 :]

        if changed != cursor:
            with pytest.raises(InvalidCursor):
                CURSORS.read(TENANT, "q", changed)

    @settings(deadline=None)
    @given(st.text(max_size=60))
    def test_that_were_made_up_are_refused(self, cursor):
        with pytest.raises(InvalidCursor):
            CURSORS.read(TENANT, "q", cursor)

    def test_belong_to_one_tenant_one_question_and_one_secret(self):
        cursor = CURSORS.write(TENANT, "q", [1])

        for cursors, tenant, question in (
            (CURSORS, TenantId(uuid7()), "q"),
            (CURSORS, TENANT, "other"),
            (Cursors(b"other"), TENANT, "q"),
        ):
            with pytest.raises(InvalidCursor):
                cursors.read(tenant, question, cursor)

    def test_of_others_tell_us_and_nobody_else_whose_they_are(self):
        other = TenantId(uuid7())
        cursor = CURSORS.write(other, "q", [1])

        with pytest.raises(InvalidCursor) as refused:
            CURSORS.read(TENANT, "q", cursor)
        with pytest.raises(InvalidCursor) as unknown:
            CURSORS.read(TENANT, "another question", cursor)

        assert refused.value.made_for == other
        assert unknown.value.made_for is None
        assert refused.value.facts == unknown.value.facts
        assert other.bytes not in base64.urlsafe_b64decode(cursor + "==")

    def test_of_the_same_place_cover_their_owner_differently(self):
        one, other = [CURSORS.write(TENANT, question, [1]) for question in ("a", "b")]

        assert base64.urlsafe_b64decode(one + "==")[16:32] != base64.urlsafe_b64decode(other + "==")[16:32]
