"""The description of the API: what the framework cannot know is added to what it finds."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from carrel.infra.web import problems
from carrel.infra.web.cookies import SESSION
from carrel.infra.web.routing import Terms, unit_routes

Schema = dict[str, Any]

PROBLEM: Schema = {
    "type": "object",
    "title": "Problem",
    "description": "Why a request failed (RFC 9457). Branch on `code`; `type` leads to its explanation.",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, in a sentence."},
        "instance": {"type": "string", "format": "uri-reference", "description": "The path that was asked."},
        "code": {"type": "string", "description": "The stable name of this kind of failure."},
        "request_id": {"type": "string", "description": "Also in the header `X-Request-ID` and in the log."},
        "hint": {"type": "string", "description": "What to do."},
        "retry_after": {"type": "number", "description": "Seconds; also in the header `Retry-After`."},
        "errors": {
            "type": "array",
            "description": "The fields that are wrong, of a request that is not valid.",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
    "examples": [
        {
            "type": "/problems/document-not-found",
            "title": "Document not found",
            "status": 404,
            "detail": "No document has this id.",
            "instance": "/api/documents/0198c5a0-0000-7000-8000-000000000000",
            "code": "document-not-found",
            "request_id": "req_0198c5a000007000800000000000abcd",
        }
    ],
}
IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Repeating the request with the same key gives the stored answer instead of a second effect.",
}
CREDENTIALS: Schema = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": SESSION},
}


def described(app: FastAPI) -> Schema:
    """The OpenAPI document of `app`, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            openapi_version="3.1.0",
        )
        _describe_failures(schema)
        _describe_terms(app, schema)
        _describe_pages(schema)
        app.openapi_schema = schema
    return app.openapi_schema


def operations(schema: Schema) -> Iterator[tuple[str, str, Schema]]:
    """Every operation of an OpenAPI document, with its method and path."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def _describe_failures(schema: Schema) -> None:
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = PROBLEM
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for _, _, operation in operations(schema):
        operation["responses"].pop("422", None)
        operation["responses"]["default"] = {"description": "A problem", "content": content}


def _describe_terms(app: FastAPI, schema: Schema) -> None:
    schema["components"]["securitySchemes"] = CREDENTIALS
    terms = {
        (method.lower(), route.path_format): Terms.of(route)
        for route in unit_routes(app)
        for method in route.methods or ()
    }
    for method, path, operation in operations(schema):
        if (known := terms.get((method, path))) is None:
            continue
        operation["security"] = [{name: []} for name in CREDENTIALS] if known.scope else []
        if known.scope:
            operation["x-required-scope"] = known.scope
        if known.repeatable:
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)


def _describe_pages(schema: Schema) -> None:
    """A page of things is shown by the example of a thing."""
    schemas = schema["components"]["schemas"]
    for name, page in schemas.items():
        reference = page.get("properties", {}).get("data", {}).get("items", {}).get("$ref", "")
        item = schemas.get(reference.rpartition("/")[2], {})
        if name.startswith("Page_") and "examples" in item:
            page["examples"] = [{"data": item["examples"][:1], "next_cursor": None, "has_more": False}]
