"""Bytes that are stored before their row is committed, and deleted again when it never is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

import anyio
import structlog

from carrel.core.access import EVERYTHING
from carrel.core.errors import Problem
from carrel.core.ids import DocumentId, TenantId
from carrel.documents.service import Documents, Stored
from carrel.infra.db import Database, Role

log = structlog.get_logger("carrel.documents")


class Blobs(Protocol):
    """The object store."""

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, limit: int | None) -> Stored: ...
    async def delete(self, key: str) -> None: ...


@dataclass(slots=True)
class Deposits:
    """What one request stores. Use it around the whole request, its commit included.

    When the request fails, what it stored is deleted, unless its row is committed after all: a commit whose answer
    was lost may have happened, and then the bytes are a document. When the database cannot tell, they are kept.
    """

    blobs: Blobs
    database: Database
    tenant: TenantId
    limit: int
    _stored: dict[str, DocumentId] = field(default_factory=dict)
    _settled: bool = False

    async def put(self, document_id: DocumentId, key: str, chunks: AsyncIterator[bytes]) -> Stored:
        stored = await self.blobs.put(key, chunks, limit=self.limit)
        self._stored[key] = document_id
        return stored

    def settle(self) -> None:
        self._settled = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        # A cancelled request still cleans up behind itself.
        with anyio.CancelScope(shield=True):
            for key, document_id in self._stored.items():
                await _logged(self._take_back, key, document_id)

    async def _take_back(self, key: str, document_id: DocumentId) -> None:
        if self._settled and await self._is_committed(document_id):
            return
        await self.blobs.delete(key)

    async def _is_committed(self, document_id: DocumentId) -> bool:
        async with self.database.transaction(Role.APP, self.tenant) as db:
            return await Documents(db, self.tenant, EVERYTHING).holds(document_id)


async def _logged(work: Callable[[str, DocumentId], Awaitable[None]], key: str, document_id: DocumentId) -> None:
    """Run `work`; its failure must not hide the one that led here."""
    try:
        await work(key, document_id)
    except (Problem, OSError) as error:
        log.exception("bytes kept", object_key=key, reason=str(error))
