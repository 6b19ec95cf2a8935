"""The description of the API, by its structure: of the small room, and of the whole house."""

import re

import pytest

from carrel.entry.web import ROUTERS
from carrel.infra.web.app import build
from carrel.infra.web.openapi import operations
from carrel.infra.web.shapes import REFERENCE
from tests.infra.web import notes
from tests.infra.web.conftest import LIMITS

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}


@pytest.fixture(scope="module", params=["room", "house"])
def document(request):
    return build([notes.router] if request.param == "room" else ROUTERS, LIMITS).openapi()


@pytest.fixture(scope="module")
def room():
    return build([notes.router], LIMITS).openapi()


def inner(value, place="#"):
    """Every object inside a document, with its place."""
    if isinstance(value, dict):
        yield place, value
        for name, one in value.items():
            yield from inner(one, f"{place}/{name}")
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from inner(one, f"{place}/{index}")


def schemas_of(document):
    """Every schema inside a document, with its place."""
    for place, found in inner(document):
        if (
            (
                place.endswith(("/schema", "/items"))
                or re.search(r"/(components/schemas|properties|anyOf|oneOf)/[^/]+$", place)
            )
            and "/examples/" not in place
            and "/example/" not in place
        ):
            yield place, found


class TestDocument:
    def test_has_the_parts_that_openapi_asks_for(self, document):
        assert document["openapi"] == "3.1.0"
        assert {"title", "version"} <= set(document["info"])
        assert set(document) <= {"openapi", "info", "paths", "components"}

    def test_has_operations_with_answers_and_ids_of_their_own(self, document):
        found = list(operations(document))

        ids = [operation["operationId"] for _, _, operation in found]
        assert len(ids) == len(set(ids))
        assert all(re.fullmatch(r"[a-z][a-z_]*", name) for name in ids)
        for method, path, operation in found:
            assert method in METHODS
            assert path.startswith("/")
            assert operation["description"]
            assert set(operation["responses"]) - {"default"}
            assert all(re.fullmatch(r"[1-5]\d\d|default", status) for status in operation["responses"])
            assert all(response["description"] for response in operation["responses"].values())

    def test_declares_each_parameter_once_and_all_of_the_path(self, document):
        for _, path, operation in operations(document):
            parameters = operation.get("parameters", [])
            places = [(one["name"], one["in"]) for one in parameters]
            assert len(places) == len(set(places))
            assert {name for name, where in places if where == "path"} == set(re.findall(r"\{(\w+)\}", path))
            assert all(one["required"] for one in parameters if one["in"] == "path")
            assert all("schema" in one for one in parameters)

    def test_refers_only_to_what_is_there(self, document):
        for place, found in inner(document):
            if isinstance(reference := found.get("$ref"), str):
                assert reference.removeprefix(REFERENCE) in document["components"]["schemas"], place

    def test_uses_types_that_there_are(self, document):
        for place, found in schemas_of(document):
            if isinstance(kind := found.get("type"), str):
                assert kind in TYPES, place
                assert kind != "array" or "items" in found or found.get("maxItems") == 0, place
            assert isinstance(found.get("examples", []), list), place
            assert set(found.get("required", [])) <= set(found.get("properties", found.get("required", []))), place

    def test_says_how_every_failure_looks(self, document):
        for _, _, operation in operations(document):
            content = operation["responses"]["default"]["content"]
            assert content == {"application/problem+json": {"schema": {"$ref": f"{REFERENCE}Problem"}}}
            assert "422" not in operation["responses"]
        assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])

    def test_says_what_each_operation_needs(self, document):
        for _, path, operation in operations(document):
            scope = operation.get("x-required-scope")
            assert operation["security"] == ([{"key": []}, {"bearer": []}, {"cookie": []}] if scope else []), path
            assert scope is None or re.fullmatch(r"[a-z]+", scope), path
        assert set(document["components"]["securitySchemes"]) == {"key", "bearer", "cookie"}


class TestRoom:
    def test_says_which_operations_can_be_repeated(self, room):
        repeatable = {
            operation["operationId"]
            for _, _, operation in operations(room)
            if "Idempotency-Key" in {one["name"] for one in operation.get("parameters", [])}
        }

        assert repeatable == {"add_note", "add_secret", "add_form", "add_slowly", "wait_for_note", "fail"}

    def test_says_what_is_in_a_page(self, room):
        page = room["components"]["schemas"]["Page_Row_"]

        assert page["properties"]["data"]["items"] == {"$ref": f"{REFERENCE}Row"}
        assert set(page["required"]) == {"data", "next_cursor", "has_more"}

    def test_shows_a_page_by_the_example_of_what_is_in_it(self):
        from fastapi import APIRouter
        from pydantic import BaseModel

        from carrel.infra.web import Page

        class Thing(BaseModel):
            model_config = {"json_schema_extra": {"examples": [{"name": "thing"}]}}
            name: str

        router = APIRouter()

        @router.get("/things", operation_id="things")
        async def things() -> Page[Thing]:
            """Things."""
            raise NotImplementedError

        shown = build([router], LIMITS).openapi()["components"]["schemas"]["Page_Thing_"]["examples"]

        assert shown == [{"data": [{"name": "thing"}], "next_cursor": None, "has_more": False}]

    def test_is_made_once(self):
        app = build([notes.router], LIMITS)

        assert app.openapi() is app.openapi()

    def test_gives_an_example_of_a_problem(self, room):
        problem = room["components"]["schemas"]["Problem"]

        assert set(problem["required"]) <= set(problem["examples"][0]) <= set(problem["properties"])
