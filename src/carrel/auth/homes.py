"""Whose a host is, as every request asks it: remembered for a moment, so that it costs nothing."""

import asyncio
import time
from collections.abc import Callable

from carrel.auth.hostnames import is_name
from carrel.auth.recent import Recent
from carrel.auth.repository_domains import HomeRows
from carrel.core.ids import TenantId
from carrel.infra.db import Database, Role
from carrel.infra.db.errors import DatabaseUnavailable, StatementTimeout


class Homes:
    """Knows the organisations behind verified hosts. One per process; close it before the database.

    An answer counts for 2 s, also that a host is nobody's. While the database is away, what was known a minute ago
    still counts, so that searches go on.
    """

    FRESH_FOR, KEPT_FOR = 2.0, 60.0

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._known: Recent[tuple[float, TenantId]] = Recent(10_000, clock)
        # Kept apart, so that a flood of forged names cannot push the good ones out.
        self._strange: Recent[bool] = Recent(10_000, clock)
        self._asking: dict[str, asyncio.Task[TenantId | None]] = {}

    async def home_of(self, host: str) -> TenantId | None:
        """The organisation that was verified for `host`, which is in lower case and without a port."""
        if not is_name(host) or self._strange.get(host.encode()):
            return None
        known = self._known.get(host.encode())
        if known is not None and self._clock() < known[0]:
            return known[1]
        try:
            return await self._ask(host)
        except (DatabaseUnavailable, StatementTimeout):
            if known is None:
                raise
            return known[1]

    async def close(self) -> None:
        """Wait for what is still being read."""
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def _ask(self, host: str) -> TenantId | None:
        task = self._asking.get(host)
        if task is None:
            task = self._asking[host] = asyncio.create_task(self._read(host))
            task.add_done_callback(lambda _: self._asking.pop(host))
        # Shielded: the others who wait for the same host must not fail because the first of them went away.
        return await asyncio.shield(task)

    async def _read(self, host: str) -> TenantId | None:
        asked = self._clock()
        async with self._database.transaction(Role.GATE) as db:
            home = await HomeRows(db).find(host)
        if home is None:
            self._known.forget(host.encode())
            self._strange.put(host.encode(), value=True, until=asked + self.FRESH_FOR)
        else:
            self._known.put(host.encode(), (asked + self.FRESH_FOR, home), until=asked + self.KEPT_FOR)
        return home
