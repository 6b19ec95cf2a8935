"""Ending tasks for sure."""

import asyncio
import time
from collections.abc import Collection
from typing import Any

INTERVAL = 0.3


async def cancel(tasks: Collection["asyncio.Task[Any]"], *, within: float) -> "set[asyncio.Task[Any]]":
    """Cancel until all have ended, and return those that have not after `within` seconds.

    Once is not enough: before Python 3.12 a cancellation is lost when it meets the very moment in which a connection
    of the pool is handed over.
    """
    end = time.monotonic() + within
    pending = {task for task in tasks if not task.done()}
    while pending and time.monotonic() < end:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=INTERVAL)
    return pending
