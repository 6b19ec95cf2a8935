"""The embedder for an event loop: it waits in threads, and queries do not wait for passages."""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from carrel.infra.models.embedder import Embedder
from carrel.infra.models.errors import ModelBusy

if TYPE_CHECKING:
    import numpy as np

MOST_WAITING = 1000
"""Queries that may wait. Two cores take about half a second for them; who comes later is better told than kept."""

Line = deque[tuple[str, "Future[np.ndarray]"]]


class AsyncEmbedder:
    """Runs an `Embedder` in a few threads of its own, one per usable core unless told otherwise.

    A thread that becomes free takes a query, if one waits, before any passage: a query waits for the passages that are
    being encoded at that moment, never for a document. What a cancelled caller asked for is not computed.
    """

    def __init__(self, embedder: Embedder, *, workers: int | None = None) -> None:
        self.embedder = embedder
        self._workers = workers or _usable_cores()
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="embedder")
        self._queries: Line = deque()
        self._passages: Line = deque()

    def knows(self, text: str) -> bool:
        """Whether the script of a text is known to the model."""
        return self.embedder.knows(text)

    async def query(self, text: str) -> "np.ndarray":
        """The vector of a query. Raises `ModelBusy` when too many wait already."""
        if len(self._queries) >= MOST_WAITING:
            raise ModelBusy(
                f"{MOST_WAITING} queries are waiting for their vectors.",
                hint="Try again in a second, or add API processes or machines.",
            )
        return await asyncio.wrap_future(self._submit(self._queries, text))

    async def passages(
        self, texts: Sequence[str], *, on_progress: Callable[[int, int], None] | None = None
    ) -> "np.ndarray":
        """One row per text, in order. `on_progress` hears how many of how many are done, in the event loop's thread."""
        import numpy as np

        rows = np.empty((len(texts), self.embedder.dimension), np.float32)
        running: deque[asyncio.Future[np.ndarray]] = deque()
        # Two per thread keep all threads at work; a whole document in line would only hold memory.
        ahead = 2 * self._workers
        try:
            for done in range(len(texts)):
                for text in texts[done + len(running) : done + ahead]:
                    running.append(asyncio.wrap_future(self._submit(self._passages, text)))
                rows[done] = await running[0]
                running.popleft()
                if on_progress:
                    on_progress(done + 1, len(texts))
        finally:
            for left in running:
                left.cancel()
        return rows

    def close(self) -> None:
        """Finish what is being encoded and cancel what waits. Blocks for one text at most; later calls fail."""
        self._pool.shutdown(wait=False)
        for line in (self._queries, self._passages):
            for _, answer in list(line):
                answer.cancel()
        self._pool.shutdown(wait=True)

    def _submit(self, line: Line, text: str) -> "Future[np.ndarray]":
        answer: Future[np.ndarray] = Future()
        line.append((text, answer))
        # As many turns are handed to the pool as there are texts in line, so every turn finds one.
        self._pool.submit(self._turn)
        return answer

    def _turn(self) -> None:
        try:
            text, answer = self._queries.popleft()
        except IndexError:
            text, answer = self._passages.popleft()
        if not answer.set_running_or_notify_cancel():
            return
        try:
            answer.set_result(self.embedder.encode(text))
        except BaseException as error:  # noqa: BLE001 - whoever waits for the answer gets the error
            answer.set_exception(error)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
