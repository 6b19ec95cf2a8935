"""Making an organisation disappear, and counting what is left of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from redis.asyncio import Redis

from carrel.admin.errors import ErasureIncomplete
from carrel.admin.repository_erasures import ErasureRows
from carrel.admin.repository_remains import RemainsRows
from carrel.admin.schemas import Remains
from carrel.core.clock import now
from carrel.core.ids import TenantId
from carrel.infra.blobs import Blobs
from carrel.infra.db import Database, Role, Transaction
from carrel.infra.shared_cache import Away, SharedCache
from carrel.jobs.service import Queue

T = TypeVar("T")
SCAN = 1_000
Progress = Callable[[int, int | None], Awaitable[None]]


class Queues(Protocol):
    """The jobs of an organisation, written in a transaction."""

    def __call__(self, db: Transaction, tenant: TenantId) -> Queue: ...


@dataclass(frozen=True, slots=True)
class Erasing:
    """Erases organisations. Repeating it does no harm and ends what was cut off; only the counts are remembered."""

    database: Database
    blobs: Blobs
    cache: SharedCache
    queue: Queues

    async def run(self, organization: TenantId, progress: Progress) -> None:
        """Delete everything of an organisation whose erasure was asked for; of another, nothing.

        Raises `ErasureIncomplete` when the count after it is not zero or cannot be made.
        """
        if not await self._is_asked_for(organization):
            return
        await self._note_before(organization, await self.count(organization))
        rows = RemainsRows(self.database, organization)
        tables = await rows.tables()
        for done, table in enumerate(tables):
            await progress(done, len(tables) + 1)
            await rows.empty(table)
        # From here on nothing can be added that refers to it: who is in the middle of that fails and cleans up.
        async with self.database.transaction(Role.OPERATOR) as db:
            await ErasureRows(db, organization).remove_organization()
        for table in tables:
            await rows.empty(table)
        async for entry in self.blobs.list(str(organization)):
            await self.blobs.delete(entry.key)
        await self._forget(organization)
        await self._note_after(organization, await self.count(organization))

    async def count(self, organization: TenantId) -> Remains:
        """What there is of an organisation, in every table that the database has."""
        rows = RemainsRows(self.database, organization)
        counted = {table.name: await rows.count(table) for table in await rows.tables()}
        objects = [entry.key async for entry in self.blobs.list(str(organization))]
        return Remains(dict(sorted(counted.items())), len(objects), len(await self._cached(organization)))

    async def _is_asked_for(self, organization: TenantId) -> bool:
        async with self.database.transaction(Role.OPERATOR) as db:
            return await ErasureRows(db, organization).find() is not None

    async def _note_before(self, organization: TenantId, found: Remains) -> None:
        async with self.database.transaction(Role.OPERATOR) as db:
            await ErasureRows(db, organization).note_before(found)

    async def _note_after(self, organization: TenantId, found: Remains) -> None:
        async with self.database.transaction(Role.OPERATOR) as db:
            await ErasureRows(db, organization).note_after(found, now())
        if not found.is_nothing:
            raise ErasureIncomplete("Something of the organization is left.", hint="The job tries again by itself.")

    async def _forget(self, organization: TenantId) -> None:
        if keys := await self._cached(organization):
            await self._ask(lambda redis: redis.delete(*keys))

    async def _cached(self, organization: TenantId) -> list[bytes | str]:
        """The keys of the shared cache that bear the organisation's hash tag."""
        found: list[bytes | str] = []
        if self.cache.client is None:
            return found
        pattern, cursor = f"*{{{organization.hex}}}*", -1
        while cursor:
            cursor, keys = await self._ask(partial(_scan, max(0, cursor), pattern))
            found += keys
        return found

    async def _ask(self, question: Callable[[Redis], Awaitable[T]]) -> T:
        try:
            return await self.cache.ask(question)
        except Away as away:
            raise ErasureIncomplete(
                "Redis does not answer, so nobody can tell what is left there.", hint="The job tries again by itself."
            ) from away


async def _scan(cursor: int, pattern: str, client: Redis) -> tuple[int, list[bytes | str]]:
    following, keys = await client.scan(cursor, match=pattern, count=SCAN)
    return following, list(keys)
