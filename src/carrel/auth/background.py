"""Work that nobody waits for, so that the time of an answer tells nothing of what is done after it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

MOST = 200
log = structlog.get_logger("carrel.auth")


class Background:
    """Runs what it is given beside everything else. One per process; close it at the end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None], purpose: str) -> None:
        """Begin the work, or drop it where too much is waiting. A failure is logged under the purpose."""
        if len(self._tasks) >= MOST:
            work.close()
            log.error("not begun", purpose=purpose, reason="too much is waiting")
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, purpose))

    async def close(self) -> None:
        """Wait for what was begun."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None], purpose: str) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("failed", purpose=purpose, error=repr(error))
