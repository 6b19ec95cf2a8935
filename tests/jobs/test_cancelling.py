import asyncio

import pytest

from carrel.jobs.cancelling import cancel

pytestmark = pytest.mark.anyio


async def test_a_task_that_lost_its_first_cancellation_ends_at_the_second():
    lost = []

    async def work():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost.append(True)
        await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)

    assert await cancel({task}, within=10) == set()
    assert (lost, task.cancelled()) == ([True], True)


async def test_a_task_that_never_ends_is_told_of():
    released = asyncio.Event()

    async def work():
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    task = asyncio.create_task(work())
    await asyncio.sleep(0)

    assert await cancel({task}, within=0.1) == {task}
    released.set()
    await task


async def test_nothing_is_asked_of_tasks_that_have_ended():
    async def work():
        return "done"

    task = asyncio.create_task(work())
    await task

    assert await cancel({task}, within=10) == set()
    assert task.result() == "done"
