import asyncio

import pytest
from structlog.testing import capture_logs

from carrel.infra.db.errors import DatabaseUnavailable
from carrel.jobs.outage import Outage

pytestmark = pytest.mark.anyio


async def fail():
    raise DatabaseUnavailable("The database does not answer.")


async def answer():
    return "answer"


async def test_an_absence_is_lived_through_and_told_once():
    outage = Outage(patience=1)
    with capture_logs() as told:
        got = [await outage.survive(fail, "otherwise") for _ in range(2)]

    assert got == ["otherwise", "otherwise"]
    assert [line["event"] for line in told] == ["jobs.database_away"]


async def test_a_bug_is_no_absence():
    async def break_down():
        raise KeyError("bug")

    with pytest.raises(KeyError):
        await Outage(patience=1).survive(break_down, None)


async def test_after_a_failure_it_is_not_calm():
    outage = Outage(patience=1)
    assert outage.calm_for(60)

    await outage.survive(fail, None)

    assert not outage.calm_for(60)
    assert outage.calm_for(0.1)


async def test_an_answer_that_took_too_long_is_not_calm():
    async def answer_late():
        await asyncio.sleep(0.05)
        return "late"

    outage = Outage(patience=0.01)
    assert await outage.survive(answer_late, None) == "late"

    assert not outage.calm_for(60)


async def test_an_answer_in_time_is_passed_on():
    outage = Outage(patience=10)

    assert await outage.survive(answer, "otherwise") == "answer"
    assert outage.calm_for(60)
