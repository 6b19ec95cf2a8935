"""Every failure leaves as application/problem+json (RFC 9457)."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from carrel.core.errors import Problem
from carrel.infra.web import errors
from carrel.infra.web.routing import unit_routes
from carrel.infra.web.scope import Kit

MEDIA_TYPE = "application/problem+json"
GONE = 499
"""Nobody hears this status; it keeps clients that hung up apart from refusals in log and metrics."""
MOST_ERRORS = 100
LONGEST_NAME = 200
"""What is echoed is cut here: an answer must not grow with what was sent."""
log = structlog.get_logger("carrel.web")


def body_of(problem: Problem, *, path: str, request_id: str) -> dict[str, Any]:
    """The members of a problem as the caller sees them."""
    body = {
        **problem.facts,  # extensions first, so they can never shadow the standard members
        "type": f"/problems/{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": path,
        "code": problem.code,
        "request_id": request_id,
    }
    if problem.hint:
        body["hint"] = problem.hint
    return body


def render(request: Request, problem: Problem) -> Response:
    headers: dict[str, str] = dict(getattr(problem, "headers", {}))
    retry_after = problem.facts.get("retry_after")
    if isinstance(retry_after, (int, float)):
        headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    request_id = getattr(request.state, "request_id", "")
    body = body_of(problem, path=quote(request.scope["path"]), request_id=request_id)
    # An echo of what was sent may hold what has no UTF-8 form: it must not turn a refusal into a fault.
    written = json.dumps(body, ensure_ascii=False, default=str).encode("utf-8", "replace")
    return Response(written, problem.status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Render Problems and the framework's own refusals in one shape. Bugs are left to the layer that logs them."""

    @app.exception_handler(Problem)
    async def known(request: Request, problem: Problem) -> Response:
        if problem.status >= 500:
            log.warning("problem", code=problem.code, detail=problem.detail, cause=repr(problem.__cause__))
        else:
            _tell_observer(request, problem)
        return render(request, problem)

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=GONE)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return render(request, _of_validation(error.errors()))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        # Whatever goes wrong while a body is read, the framework wraps up as its own.
        if isinstance(error.__cause__, Problem):
            return await known(request, error.__cause__)
        if isinstance(error.__cause__, ClientDisconnect):
            return await gone(request, error.__cause__)
        if error.status_code >= 500:
            raise error
        if error.status_code == 405:
            return _other_methods(app, request, error)
        return render(request, _of_status(request, error))


def _tell_observer(request: Request, problem: Problem) -> None:
    kit: Kit | None = getattr(request.app.state, "kit", None)
    if kit is None or kit.observer is None:
        return
    try:
        kit.observer.refused(request, problem)
    except Exception:
        # Whoever asked must hear why they were refused, whatever became of those who watch.
        log.exception("bug", step="observer")


def _other_methods(app: FastAPI, request: Request, error: HTTPException) -> Response:
    """What the path answers to instead; for OPTIONS that is the answer."""
    allow = ", ".join(sorted(_methods_at(app, request) | _named(error) | {"OPTIONS"}))
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": allow})
    answer = render(request, _of_status(request, error))
    answer.headers["Allow"] = allow
    return answer


def _methods_at(app: FastAPI, request: Request) -> set[str]:
    # The framework names the methods of the first route that fits the path; the others answer there as well.
    found: set[str] = set()
    for route in unit_routes(app):
        if route.path_regex.match(request.scope["path"]):
            found |= set(route.methods or ())
    return found | {"HEAD"} if "GET" in found else found


def _named(error: HTTPException) -> set[str]:
    allowed = (error.headers or {}).get("Allow", "")
    return {method.strip() for method in allowed.split(",") if method.strip()}


def _of_validation(found: Sequence[Mapping[str, Any]]) -> Problem:
    fields = [
        {"field": _field(error["loc"]), "code": error["type"], "message": error["msg"]} for error in found[:MOST_ERRORS]
    ]
    first = fields[0]
    detail = f"{first['field']}: {first['message']}." if len(found) == 1 else f"{len(found)} fields are wrong."
    return errors.Invalid(detail, hint="See `errors` for each field.", errors=fields)


def _field(place: Sequence[object]) -> str:
    return ".".join(str(part)[:LONGEST_NAME] for part in place)


def _of_status(request: Request, error: HTTPException) -> Problem:
    path, method = request.scope["path"][:LONGEST_NAME], request.method
    if error.status_code == 404:
        hint = "People find every path at /docs, programs at /openapi.json."
        return errors.NotFound(f"There is nothing at {path}.", hint=hint)
    if error.status_code == 405:
        return errors.MethodNotAllowed(f"{path} does not answer to {method}.", hint="See the Allow header.")
    return errors.BadRequest(str(error.detail), hint="Check the body and its Content-Type.")
