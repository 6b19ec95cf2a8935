"""The pages for people: what the API offers, and what each kind of problem means; answers without a model."""

from dataclasses import asdict
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from carrel.infra.web import reference
from carrel.infra.web.catalogue import kinds
from carrel.infra.web.errors import NotFound

COUNTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One line for each series.",
        "content": {
            "text/plain": {
                "schema": {"type": "string"},
                "example": 'http_requests_total{method="GET",route="/api/documents",status="200"} 12.0\n',
            }
        },
    }
}
EXPLAINED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What the code means; as HTML for browsers.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["code", "title", "status", "description"],
                    "properties": {
                        "code": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "description": {"type": "string"},
                    },
                },
                "example": {
                    "code": "not-found",
                    "title": "Not found",
                    "status": 404,
                    "description": "There is no such path.",
                },
            },
        },
    }
}


def drawn(app: FastAPI) -> Response:
    """The API reference of `app`, drawn at its first reading."""
    page: str | None = getattr(app.state, "reference", None)
    if page is None:
        page = app.state.reference = reference.page(app.openapi(), kinds().values())
    return HTMLResponse(page)


def style() -> Response:
    """The stylesheet of all pages for people."""
    sheet = files("carrel.infra.web").joinpath("reference.css").read_bytes()
    return Response(sheet, media_type="text/css", headers={"Cache-Control": "max-age=300"})


def explained(request: Request, code: str) -> Response:
    """What a code means: a page for browsers, JSON for everybody else. Raises `NotFound` for a code nobody uses."""
    kind = kinds().get(code)
    if kind is None:
        raise NotFound("No problem has this code.", hint="GET /docs lists all of them.")
    headers = {"Vary": "Accept"}
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(reference.explanation(kind), headers=headers)
    return JSONResponse(asdict(kind), headers=headers)
