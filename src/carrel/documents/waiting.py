"""Wait for a document to be read."""

import asyncio
import time
from dataclasses import dataclass

import structlog

from carrel.core.access import Access
from carrel.core.ids import DocumentId, TenantId
from carrel.documents.errors import DocumentNotFound
from carrel.documents.schemas import ENDED, DocumentRow
from carrel.documents.service import Documents
from carrel.infra.db import Database, Role
from carrel.infra.db.errors import DatabaseUnavailable

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
GROWTH = 1.5

log = structlog.get_logger("carrel.documents")


@dataclass(frozen=True, slots=True)
class Endings:
    """Looks again and again, in short transactions; between two looks it holds no connection."""

    database: Database
    tenant: TenantId
    access: Access

    async def of(self, row: DocumentRow, seconds: float) -> DocumentRow:
        """The document once it is `indexed` or `failed`, or as it is after `seconds`.

        The document is accepted already, so one that was deleted or hidden meanwhile, or that the database cannot
        show now, is answered as it was seen last.
        """
        end, pause = time.monotonic() + seconds, FIRST_PAUSE
        try:
            while row.status not in ENDED and (left := end - time.monotonic()) > 0:
                await asyncio.sleep(min(pause, left))
                pause = min(pause * GROWTH, LONGEST_PAUSE)
                row = await self._look(row.id)
        except DocumentNotFound:
            return row
        except DatabaseUnavailable as error:
            log.warning("waiting ended early", document_id=str(row.id), reason=error.detail)
        return row

    async def _look(self, document_id: DocumentId) -> DocumentRow:
        async with self.database.transaction(Role.APP, self.tenant) as db:
            return await Documents(db, self.tenant, self.access).get(document_id)
