"""Going on where a connection is lost or a server is busy, and doing several things at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import httpx

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds without a usable answer after which a server counts as gone."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
LOST = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)
BUSY = {429, 502, 503, 504}


async def patiently(send: Callable[[], Awaitable[httpx.Response]], *, patience: float = PATIENCE) -> httpx.Response:
    """The answer to a request that may be sent again. A lost connection or a busy server is tried again.

    Waits as long as the server asks for. When the time is over, what came last is returned or raised.
    """
    end, pause = time.monotonic() + patience, FIRST_PAUSE
    while True:
        try:
            answer = await send()
        except LOST:
            wait = pause
            if time.monotonic() + wait > end:
                raise
        else:
            if not _is_passing(answer):
                return answer
            wait = _asked_for(answer) or pause
            if time.monotonic() + wait > end:
                return answer
        await asyncio.sleep(wait)
        pause = min(pause * 2, LONGEST_PAUSE)


async def each(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, at_a_time: int) -> None:
    """Do `work` for every item, a few at a time. The first failure is raised, and nothing goes on after it."""
    waiting = iter(items)

    async def line() -> None:
        for item in waiting:
            await work(item)

    lines = [asyncio.create_task(line()) for _ in range(at_a_time)]
    try:
        await asyncio.gather(*lines)
    finally:
        for one in lines:
            one.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


def _is_passing(answer: httpx.Response) -> bool:
    # The same request still runs when its answer was lost on the way: its result can be read in a moment.
    return answer.status_code in BUSY or (answer.status_code == 409 and "idempotency-conflict" in answer.text)


def _asked_for(answer: httpx.Response) -> float | None:
    asked = answer.headers.get("retry-after", "")
    return float(asked) if asked.isascii() and asked.isdigit() else None
