"""Health for load balancers and people, metrics for Prometheus, numbers for everybody."""

from typing import Annotated

from fastapi import Path, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from carrel.infra.web import Router, provided, requires
from carrel.ops.reference import COUNTED, EXPLAINED, drawn, explained, style
from carrel.ops.schemas import Alive, HealthReport, Readiness, Statistics
from carrel.ops.service import Health, Overview

router = Router(tags=["operations"])


@router.get("/health", operation_id="health")
async def health(house: Annotated[Health, provided(Health)]) -> Alive:
    """The process answers. Says nothing about what it depends on."""
    return house.alive()


@router.get("/health/ready", operation_id="ready", responses={503: {"model": Readiness}})
async def ready(response: Response, house: Annotated[Health, provided(Health)]) -> Readiness:
    """200 when requests can be answered, else 503; `checks` says what is missing."""
    return _with_status(response, await house.readiness())


@router.get("/api/health", operation_id="health_report")
async def report(house: Annotated[Health, provided(Health)]) -> HealthReport:
    """Everything the server depends on, by name. Always 200: `status` tells `healthy` from `degraded`."""
    return await house.report()


@router.get("/metrics", operation_id="metrics", response_class=Response, responses=COUNTED)
async def metrics() -> Response:
    """Metrics of this process in the text format of Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/api/stats", operation_id="statistics", dependencies=[requires("read")])
async def statistics(overview: Annotated[Overview, provided(Overview)]) -> Statistics:
    """Your organisation in numbers: documents, index, jobs and cache. Only what you may see is counted."""
    return await overview.statistics()


@router.get("/docs", operation_id="reference", include_in_schema=False)
async def reference(request: Request) -> Response:
    """The API reference, for people."""
    return drawn(request.app)


@router.get("/docs/style.css", operation_id="reference_style", include_in_schema=False)
async def reference_style() -> Response:
    """What the pages for people look like."""
    return style()


@router.get("/problems/{code}", operation_id="explain_problem", response_class=Response, responses=EXPLAINED)
async def explain_problem(code: Annotated[str, Path(max_length=100)], request: Request) -> Response:
    """What the `code` of a problem means. Browsers get a page."""
    return explained(request, code)


def _with_status(response: Response, readiness: Readiness) -> Readiness:
    response.status_code = 200 if readiness.status == "ready" else 503
    return readiness
