"""The edge of a request: who asks, may they, is it a repetition, do the work, commit, answer."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.params import Form
from fastapi.routing import APIRoute

from carrel.core.errors import Problem
from carrel.infra.web import limiting
from carrel.infra.web.caller import Caller
from carrel.infra.web.errors import UnsupportedMediaType
from carrel.infra.web.idempotency import Fingerprint, Ledger, replay
from carrel.infra.web.reading import StrictRequest
from carrel.infra.web.scope import CarriesSecret, Kit, Requirement, Scope, require, require_home

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
CHANGING = frozenset({"write", "admin", "account", "owner", "operator"})
log = structlog.get_logger("carrel.web")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a route declares about itself."""

    scope: str | None
    secret: bool
    reads_json: bool
    repeatable: bool

    @classmethod
    def of(cls, route: APIRoute) -> "Terms":
        marks = [dependency.dependency for dependency in route.dependencies]
        scope = next((mark.scope for mark in marks if isinstance(mark, Requirement)), None)
        return cls(
            scope=scope,
            secret=any(isinstance(mark, CarriesSecret) for mark in marks),
            reads_json=route.body_field is not None and not isinstance(route.body_field.field_info, Form),
            repeatable="POST" in (route.methods or ()) and scope in CHANGING,
        )


class UnitRoute(APIRoute):
    """A route whose work commits before its answer leaves, or leaves nothing behind."""

    def get_route_handler(self) -> Handler:
        work, terms = super().get_route_handler(), Terms.of(self)

        async def handle(request: Request) -> Response:
            kit: Kit = request.app.state.kit
            scope = await _enter(kit, terms, request)
            ledger = Ledger.of(request, kit.database, scope.caller) if terms.repeatable else None
            if ledger is None:
                return await _run(work, StrictRequest(request.scope, request.receive), scope)
            return await _run_once(work, request, scope, ledger, terms)

        return handle


def Router(**settings: Any) -> APIRouter:  # noqa: N802  (stands where a class would)
    """A router whose routes are units of work."""
    return APIRouter(route_class=UnitRoute, **settings)


def unit_routes(app: FastAPI) -> list[UnitRoute]:
    """Every route of the application that is a unit of work, wherever it was included from."""
    found: list[UnitRoute] = []
    waiting: list[Any] = list(app.routes)
    while waiting:
        route = waiting.pop(0)
        if isinstance(route, UnitRoute):
            found.append(route)
        elif (inner := getattr(route, "original_router", None)) is not None:
            waiting.extend(inner.routes)
    return found


async def _enter(kit: Kit, terms: Terms, request: Request) -> Scope:
    caller = None
    if terms.scope is None:
        await limiting.charge_stranger(kit.limiter, request)
    else:
        caller = await limiting.known(kit.limiter, kit.identify, request)
        request.state.caller, request.state.tenant = caller, caller.tenant
        await _admit(kit, caller, terms.scope, request)
    if terms.reads_json:
        _require_json(request)
    request.state.scope = scope = Scope(kit, caller)
    return scope


async def _admit(kit: Kit, caller: Caller, scope: str, request: Request) -> None:
    try:
        await limiting.charge(kit.limiter, caller, scope, request)
        require_home(request, caller)
        require(caller, scope)
    except Problem:
        kit.count(caller, scope, refused=True)
        raise
    kit.count(caller, scope, refused=False)


async def _run(work: Handler, request: Request, scope: Scope) -> Response:
    try:
        answer = await work(request)
        await scope.finish()
    except BaseException:
        await scope.abandon()
        raise
    return await _after(scope, answer)


async def _run_once(work: Handler, request: Request, scope: Scope, ledger: Ledger, terms: Terms) -> Response:
    fingerprint = Fingerprint(request, request.receive)
    if (stored := await ledger.claim()) is not None:
        return replay(stored, await fingerprint.read_to_the_end(), secret=terms.secret)
    try:
        async with ledger.kept():
            answer = await work(StrictRequest(request.scope, fingerprint.receive))
            await ledger.store(scope.db, answer, await fingerprint.read_to_the_end(), secret=terms.secret)
            await scope.finish()
    except BaseException:
        await scope.abandon()
        await _let_go(ledger)
        raise
    return await _after(scope, answer)


async def _let_go(ledger: Ledger) -> None:
    try:
        await ledger.release()
    except Problem as problem:
        # Why the request failed is what the caller must hear; the key is free again when its lease runs out.
        log.warning("an idempotency key was not released", code=problem.code, detail=problem.detail)


async def _after(scope: Scope, answer: Response) -> Response:
    if scope.after_commit is None:
        return answer
    try:
        status, later = await scope.after_commit()
    except Exception:
        # The work is done and committed: that must be heard, whatever became of what was to be added.
        log.exception("bug", step="after commit")
        return answer
    answer.status_code, answer.body = status, later.model_dump_json().encode()
    answer.headers["content-length"] = str(len(answer.body))
    return answer


def _require_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return
    raise UnsupportedMediaType(
        f"The body is {kind or 'of no stated type'}; this operation reads application/json.",
        hint="Send the header `Content-Type: application/json`.",
    )
