"""How large a body may be, announced or not, and what becomes of the rest of it."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.core.errors import Problem
from carrel.infra.web.bodies import OVERHEAD
from carrel.infra.web.errors import BadRequest, Invalid
from carrel.infra.web.reading import parse
from tests.infra.web.conftest import LIMITS, conversation, key

PATH = "/api/notes"
JSON = {"content-type": "application/json"}


@pytest.mark.anyio
class TestLimit:
    @pytest.mark.parametrize("announced", [True, False])
    async def test_of_json_is_kept(self, app, tenant, texts, announced):
        size = LIMITS.json_max_bytes + 1
        headers = {**JSON, **key(tenant, "write"), **_length(size, announced=announced)}

        answer = await conversation(app, "POST", PATH, headers, body=[b'{"text": "', b"x" * size, b'"}'])

        assert (answer.status, answer.problem["code"], answer.problem["limit_bytes"]) == (413, "too-large", 10_000)
        assert await texts() == []

    @pytest.mark.parametrize("announced", [True, False])
    async def test_of_uploads_is_another(self, app, tenant, announced):
        large = LIMITS.upload_max_bytes + OVERHEAD + 1
        for size, status in ((LIMITS.json_max_bytes + 1, 200), (large, 413)):
            kind = {"content-type": "Multipart/Form-Data; boundary=x"}
            headers = {**kind, **key(tenant, "write"), **_length(size, announced=announced)}

            answer = await conversation(app, "POST", f"{PATH}/forms", headers, body=[b"x" * size])

            assert answer.status == status

    async def test_of_a_body_with_an_idempotency_key_is_the_same(self, app, tenant, texts):
        headers = {**JSON, **key(tenant, "write"), "idempotency-key": "k", "transfer-encoding": "chunked"}
        for _ in range(2):
            answer = await conversation(app, "POST", PATH, headers, body=[b'{"text": "', b"x" * 10_000])

            assert answer.status == 413
        assert await texts() == []

    async def test_is_not_reached_by_a_body_that_just_fits(self, app, tenant):
        body = b'{"text": "x"}'.ljust(LIMITS.json_max_bytes)
        headers = {**JSON, **key(tenant, "write"), "content-length": str(len(body))}

        assert (await conversation(app, "POST", PATH, headers, body=[body])).status == 201

    async def test_refuses_before_reading_and_reads_on_after_answering(self, app):
        pieces = [b"x" * 1000] * 50

        answer = await conversation(app, "POST", PATH, {"content-length": "50000"}, body=pieces)

        assert answer.status == 413
        assert answer.order[0] == "answered"
        assert answer.order.count("read") == len(pieces)


def _length(size: int, *, announced: bool) -> dict[str, str]:
    return {"content-length": str(size + 12)} if announced else {"transfer-encoding": "chunked"}


class TestParse:
    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_raises_nothing_but_problems(self, body):
        with contextlib.suppress(BadRequest, Invalid):
            assert parse(body) == json.loads(body)

    @settings(deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc\\u0"), inner, max_size=3),
        ),
        st.booleans(),
    )
    def test_reads_whatever_can_be_stored(self, value, escaped):
        assert parse(json.dumps(value, ensure_ascii=escaped).encode()) == value

    @settings(deadline=None)
    @given(st.text(st.characters(), max_size=20))
    def test_what_it_lets_pass_can_be_stored(self, text):
        try:
            read = parse(json.dumps({"x": [text]}).encode())
        except Problem:
            assert "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)
        else:
            assert "\0" not in read["x"][0]
            assert read["x"][0].encode().decode() == text
