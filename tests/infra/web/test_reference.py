"""The pages for people: whole, escaped, and the same for everybody."""

import json
import shlex
from html.parser import HTMLParser

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.entry.web import ROUTERS
from carrel.infra.web import reference
from carrel.infra.web.app import build
from carrel.infra.web.catalogue import Kind, kinds
from carrel.infra.web.curl import commands
from carrel.infra.web.openapi import operations
from carrel.infra.web.shapes import limits_of, sample, type_of
from tests.infra.web.conftest import LIMITS, conversation

VOID = {"meta", "link", "wbr"}
HOSTILE = "<script>alert('x')</script>\"&"


class Reader(HTMLParser):
    """Reads a page as a browser would, and is strict where browsers forgive."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        assert tag not in {"script", "style", "iframe", "img", "object", "form"}
        assert not [name for name in told if name.startswith("on") or name == "style"]
        self.ids += [told["id"]] if "id" in told else []
        self.links += [told["href"]] if "href" in told else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def house():
    return build(ROUTERS, LIMITS)


@pytest.fixture(scope="module")
def drawn(house):
    return Reader(reference.page(house.openapi(), kinds().values()))


@pytest.fixture
async def browser(app, house):
    house.state.kit = app.state.kit
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house), base_url="http://carrel.test") as client:
        yield client


class TestPage:
    def test_shows_every_operation_with_all_there_is_to_know(self, house, drawn):
        for method, path, operation in operations(house.openapi()):
            assert operation["operationId"] in drawn.ids
            assert f"{method.upper()} {path}" in drawn.text
            for parameter in operation.get("parameters", []):
                assert parameter["name"] in drawn.text
            for command in commands(method, path, operation, house.openapi()["components"]["schemas"]):
                assert command in drawn.text

    def test_shows_every_schema_and_every_problem(self, house, drawn):
        assert {f"schema-{name}" for name in house.openapi()["components"]["schemas"]} <= set(drawn.ids)
        assert {f"/problems/{code}" for code in kinds()} <= set(drawn.links)

    def test_links_only_to_what_is_there(self, drawn):
        assert len(drawn.ids) == len(set(drawn.ids))
        assert {link[1:] for link in drawn.links if link.startswith("#")} <= set(drawn.ids)

    def test_needs_nothing_from_elsewhere(self, drawn):
        assert not [link for link in drawn.links if not link.startswith(("#", "/"))]

    def test_escapes_whatever_it_shows(self):
        openapi = {
            "info": {"title": HOSTILE, "version": HOSTILE, "description": f"{HOSTILE} `{HOSTILE}`"},
            "paths": {f"/{HOSTILE}": {"post": _hostile_operation()}},
            "components": {"schemas": {HOSTILE: _hostile_schema()}},
        }

        page = reference.page(openapi, [Kind(HOSTILE, HOSTILE, 400, HOSTILE)])

        assert Reader(page).text.count("alert") > 10
        assert "<script" not in page

    def test_escapes_the_explanation_of_a_problem(self):
        assert "<script" not in reference.explanation(Kind(HOSTILE, HOSTILE, 400, HOSTILE))


def _hostile_schema():
    return {
        "type": "object",
        "title": HOSTILE,
        "description": HOSTILE,
        "properties": {HOSTILE: {"type": HOSTILE, "format": HOSTILE, "default": HOSTILE, "description": HOSTILE}},
        "examples": [{HOSTILE: HOSTILE}],
    }


def _hostile_operation():
    return {
        "operationId": HOSTILE,
        "tags": [HOSTILE],
        "description": HOSTILE,
        "x-required-scope": HOSTILE,
        "security": [{"key": []}],
        "parameters": [{"name": HOSTILE, "in": "query", "required": True, "schema": {"enum": [HOSTILE]}}],
        "requestBody": {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{HOSTILE}"}}}},
        "responses": {"200": {"description": HOSTILE, "content": {HOSTILE: {"schema": {"const": HOSTILE}}}}},
    }


@pytest.mark.anyio
class TestServed:
    async def test_as_html_under_a_policy_without_scripts(self, browser, drawn):
        answer = await browser.get("/docs")

        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "style-src 'self'" in answer.headers["content-security-policy"]
        assert "script" not in answer.headers["content-security-policy"]
        assert Reader(answer.text).text == drawn.text

    async def test_with_its_style(self, browser):
        answer = await browser.get("/docs/style.css")

        assert answer.headers["content-type"].startswith("text/css")
        assert "prefers-color-scheme: dark" in answer.text
        assert "url(" not in answer.text
        assert "@import" not in answer.text

    async def test_without_what_the_asker_said_of_itself(self, house, app):
        house.state.kit = app.state.kit
        told = await conversation(house, "GET", "/docs", {"host": "evil.example"}, body=[b""])

        assert b"evil" not in told.body

    async def test_problems_as_json_for_programs(self, browser):
        answer = await browser.get("/problems/not-found")

        assert answer.json() == {
            "code": "not-found",
            "title": "Not found",
            "status": 404,
            "description": "There is no such path.",
        }
        assert answer.headers["vary"] == "Accept"

    async def test_problems_as_a_page_for_people(self, browser):
        answer = await browser.get("/problems/not-found", headers={"accept": "text/html,*/*;q=0.8"})

        assert "There is no such path." in Reader(answer.text).text
        assert "style-src 'self'" in answer.headers["content-security-policy"]

    async def test_every_problem_is_explained_where_its_type_points(self, browser):
        refused = (await browser.get("/nothing")).json()

        assert (await browser.get(refused["type"])).json()["code"] == refused["code"]

    @pytest.mark.parametrize("code", ["nothing", "problem", "..", "%00", "<script>", "x" * 100])
    async def test_problems_that_nobody_has_are_not_found(self, browser, code):
        answer = await browser.get(f"/problems/{code}", headers={"accept": "text/html"})

        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


class TestKinds:
    def test_explains_each_in_words_of_its_own(self):
        for code, kind in kinds().items():
            assert (code, bool(kind.title), 400 <= kind.status < 600) == (kind.code, True, True)
            assert "becomes a bare 500" not in kind.description
            assert kind.description

    def test_are_in_order(self):
        assert list(kinds()) == sorted(kinds())
        assert {"rate-limited", "document-not-found", "database-unavailable"} <= set(kinds())


schemas = st.recursive(
    st.sampled_from(
        [
            {},
            {"type": "string", "minLength": 2, "maxLength": 2000},
            {"type": "string", "format": "uuid"},
            {"type": "integer", "minimum": 3},
            {"type": "number", "exclusiveMaximum": 1.5},
            {"type": "boolean", "default": False},
            {"type": "null"},
            {"enum": ["a", "b"]},
            {"const": 1},
            {"$ref": "#/components/schemas/Self"},
            {"$ref": "#/components/schemas/Missing"},
        ]
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda choices: {"anyOf": choices}, st.lists(inner, max_size=3)),
        st.builds(lambda members: {"type": "object", "properties": members}, st.dictionaries(st.text(), inner)),
        st.builds(lambda values: {"type": "object", "additionalProperties": values}, inner),
    ),
    max_leaves=6,
)
SELF = {"type": "object", "properties": {"again": {"$ref": "#/components/schemas/Self"}}}


class TestShapes:
    @settings(deadline=None)
    @given(schemas)
    def test_any_schema_has_words_and_an_example(self, schema):
        assert "".join(words for words, _ in type_of(schema)) or schema == {"anyOf": []}
        assert isinstance(limits_of(schema), list)
        assert sample(schema, {"Self": SELF}) is not Ellipsis

    @pytest.mark.parametrize(
        ("schema", "words"),
        [
            ({"type": "string", "minLength": 1, "maxLength": 1000}, ["1 to 1,000 characters"]),
            ({"type": "integer", "maximum": 100.0, "default": 5}, ["at most 100", "else 5"]),
            ({"type": "boolean", "default": True}, ["else true"]),
            ({"anyOf": [{"type": "array", "minItems": 2}, {"type": "null"}]}, ["at least 2 items"]),
            ({"type": "array", "default": []}, []),
        ],
    )
    def test_limits_are_said_in_words(self, schema, words):
        assert limits_of(schema) == words

    def test_examples_are_in_the_order_of_the_fields(self):
        schema = {"type": "object", "properties": {"b": {}, "a": {}}, "examples": [{"a": 1, "b": 2}]}

        assert list(sample(schema, {})) == ["b", "a"]


class TestCommands:
    @settings(deadline=None)
    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r")))
    def test_a_body_reaches_the_program_as_it_is(self, text):
        operation = {"requestBody": {"content": {"application/json": {"example": text}}}, "security": [{}]}

        [command] = commands("post", "/a/{b}", operation, {})

        words = shlex.split(command)
        assert words[:4] == ["curl", "-X", "POST", "$CARREL_URL/a/B"]
        assert words[-2] == "-d"
        assert json.loads(words[-1]) == text

    def test_a_whole_number_is_shown_as_one(self):
        # FastAPI writes the limits of whole numbers as fractions, and strict members refuse those.
        schema = {"type": "object", "properties": {"rate_limit": {"type": "integer", "minimum": 1.0}}}

        assert json.dumps(sample(schema, {})) == '{"rate_limit": 1}'

    def test_the_header_takes_keys_and_the_tokens_of_people(self):
        [command] = commands("get", "/api/auth/me", {"security": [{}]}, {})

        assert shlex.split(command)[-2:] == ["-H", "Authorization: Bearer $CARREL_KEY"]

    def test_a_form_is_sent_field_by_field(self):
        example = {"file": "(bytes)", "tags": ["a", "it's"]}
        operation = {"requestBody": {"content": {"multipart/form-data": {"example": example}}}}

        [command] = commands("post", "/a", operation, {})

        assert shlex.split(command.replace("\\\n", ""))[4:] == [
            "-F",
            "file=@document.pdf",
            "-F",
            "tags=a",
            "-F",
            "tags=it's",
        ]
