"""How often keys are used: counted in memory, written down a little later."""

import asyncio
from datetime import date

from carrel.auth.background import Background
from carrel.auth.holders import KeyHolder
from carrel.auth.repository_usage import Ledger
from carrel.auth.schemas_usage import Counted
from carrel.core.clock import now
from carrel.core.ids import KeyId, TenantId
from carrel.infra.db import Database, Role
from carrel.infra.web import Caller

Counts = dict[tuple[TenantId, KeyId, date], list[int]]


class KeyUsage:
    """Counts the calls of keys, and of the tokens that were made from them. One per process; close it at the end.

    Nobody waits for it: counts are written down at most every 10 s, in one statement, and when the process closes.
    What was counted since is lost with a process that is killed. Counts that could not be written join the next ones.
    """

    EVERY = 10.0

    def __init__(self, database: Database, *, every: float = EVERY) -> None:
        self._database, self._every = database, every
        self._counts: Counts = {}
        self._timer: asyncio.TimerHandle | None = None
        self._background = Background()

    def note(self, caller: Caller, scope: str, *, refused: bool) -> None:
        """Count a call to something that needs `scope`; those of people are not counted here."""
        if not isinstance(caller, KeyHolder):
            return
        count = self._counts.setdefault((caller.tenant, caller.key, now().date()), [0, 0, 0])
        count[0] += 1
        count[1] += scope == "search" and not refused
        count[2] += refused
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._every, self._begin)

    async def close(self) -> None:
        """Write down what is left."""
        if self._timer is not None:
            self._timer.cancel()
        await self._background.close()
        if self._counts:
            self._begin()
            await self._background.close()

    def _begin(self) -> None:
        self._timer = None
        self._background.begin(self._write(), "writing down the use of keys")

    async def _write(self) -> None:
        counts, self._counts = self._counts, {}
        try:
            async with self._database.transaction(Role.GATE) as db:
                await Ledger(db).add([Counted(*place, *count) for place, count in counts.items()])
        except BaseException:
            self._take_back(counts)
            raise

    def _take_back(self, counts: Counts) -> None:
        for place, count in counts.items():
            newer = self._counts.get(place, [0, 0, 0])
            self._counts[place] = [one + other for one, other in zip(count, newer, strict=True)]
