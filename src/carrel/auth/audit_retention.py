"""Forgetting old events: from the beginning of each chain, so that the rest can still be checked."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from carrel.auth.audit_chain import Walk
from carrel.auth.audit_reading import follow
from carrel.auth.repository_audit import Chain, ChainRows, Chains
from carrel.core.clock import now
from carrel.core.ids import TenantId
from carrel.infra.db import Database, Role

CHAINS_AT_ONCE = 100
MOST = 10_000
"""Events of one chain that are forgotten in one transaction."""
log = structlog.get_logger("carrel.auth")


@dataclass(frozen=True, slots=True)
class Retention:
    """Keeps events for so many days; 0: for ever. May be stopped anywhere and run by several processes at once."""

    database: Database
    days: int

    async def run(self) -> int:
        """Forget what is older, and return how many events that were.

        A chain that is not as it was written keeps everything: what is wrong with it must not be tidied away.
        """
        if self.days == 0:
            return 0
        before, forgotten = now() - timedelta(days=self.days), 0
        last: TenantId | None = None
        while chains := await self._chains(last):
            for chain in chains:
                forgotten += await self._forget(chain.tenant, before)
            last = chains[-1].tenant
        return forgotten

    async def _chains(self, last: TenantId | None) -> list[Chain]:
        async with self.database.transaction(Role.GATE) as db:
            return await Chains(db).after(last, CHAINS_AT_ONCE)

    async def _forget(self, chain: TenantId, before: datetime) -> int:
        forgotten = 0
        while done := await self._forget_some(chain, before):
            forgotten += done
        return forgotten

    async def _forget_some(self, chain: TenantId, before: datetime) -> int:
        async with self.database.transaction(Role.GATE) as db:
            rows = ChainRows(db, chain)
            head, kept = await rows.head(), await rows.first_since(before)
            upto = min(head.sequence if kept is None else kept - 1, head.anchor_sequence + MOST)
            if upto <= head.anchor_sequence:
                return 0
            walk = Walk.of(head)
            if (fault := await follow(rows, walk, upto=upto)) is not None or walk.sequence < upto:
                reason = "events are missing" if fault is None else fault.reason
                log.error("an audit log is broken, nothing of it is forgotten", tenant=str(chain), reason=reason)
                return 0
            return await rows.forget(upto)
