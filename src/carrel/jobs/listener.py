"""Hearing of new jobs at once. Only a hint: whoever misses one finds the job when it looks the next time."""

import asyncio
from collections.abc import Collection

import psycopg
import structlog

from carrel.infra.db import Database

CHANNEL = "carrel_jobs"
PAUSE = 1.0

log = structlog.get_logger(__name__)


async def listen(database: Database, queues: Collection[str], wake: asyncio.Event) -> None:
    """Set `wake` whenever a job of one of `queues` is written, on a connection of its own, made anew when it is lost.

    Never ends by itself: cancel it.
    """
    while True:
        try:
            await _listen(database, queues, wake)
        except psycopg.OperationalError as error:
            log.debug("jobs.listener_lost", error=str(error))
        await asyncio.sleep(PAUSE)


async def _listen(database: Database, queues: Collection[str], wake: asyncio.Event) -> None:
    conninfo = database.primary.conninfo
    if not isinstance(conninfo, str):
        raise TypeError("The pool was not made from a connection string.")
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        await connection.execute(f"LISTEN {CHANNEL}")
        wake.set()  # for what was announced while nobody listened
        async for notice in connection.notifies():
            if notice.payload in queues:
                wake.set()
