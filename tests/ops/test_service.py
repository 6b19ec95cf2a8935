"""How checks become an answer: one that fails, hangs or lies about it spoils nothing but its own line."""

import asyncio
import time

import pytest

from carrel.infra.db.errors import DatabaseUnavailable
from carrel.ops import service
from carrel.ops.service import Health

pytestmark = pytest.mark.anyio


def answering(answer: str) -> service.Check:
    async def check() -> str:
        return answer

    return check


async def failing() -> str:
    raise DatabaseUnavailable("host=10.0.0.7 password=secret does not answer.")


async def hanging() -> str:
    await asyncio.sleep(60)
    return "ok"


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr(service, "PATIENCE", 0.05)


async def test_all_is_well_when_every_check_says_so():
    health = Health({"database": answering("ok")}, {"cache": answering("off")})

    report, readiness = await health.report(), await health.readiness()

    assert (report.status, report.checks) == ("healthy", {"database": "ok", "cache": "off"})
    assert (readiness.status, readiness.checks) == ("ready", {"database": "ok"})
    assert report.timestamp.tzinfo is not None


async def test_what_may_be_away_degrades_the_house_and_keeps_it_ready():
    health = Health({"database": answering("ok")}, {"cache": answering("unreachable")})

    assert (await health.report()).status == "degraded"
    assert (await health.readiness()).status == "ready"


async def test_what_is_needed_may_not_even_be_off():
    health = Health({"database": answering("off")}, {})

    assert (await health.readiness()).status == "not ready"


async def test_a_check_that_fails_is_named_without_its_details():
    health = Health({"database": failing, "disk": answering("ok")}, {})

    readiness = await health.readiness()

    assert readiness.status == "not ready"
    assert readiness.checks == {"database": "The database does not answer", "disk": "ok"}


async def test_checks_that_hang_are_given_up_together(patience):
    health = Health(dict.fromkeys("abcdef", hanging), {"disk": answering("ok")})

    began = time.monotonic()
    report = await health.report()

    assert time.monotonic() - began < 2
    assert report.status == "degraded"
    assert all(report.checks[name].startswith("no answer within") for name in "abcdef")
    assert report.checks["disk"] == "ok"
