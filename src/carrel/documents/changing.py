"""Changing what is said about a document. Its content stays, so nothing is read, cut or embedded again."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from carrel.auth.service import Action, Event, Target, record
from carrel.core.access import Labels
from carrel.core.ids import DocumentId
from carrel.documents.placing import Places, told
from carrel.documents.schemas import DocumentRow
from carrel.documents.schemas_access import DocumentChange
from carrel.documents.service import Documents, require_match


class Labelled(Protocol):
    """The index, changed in this transaction."""

    async def label(
        self,
        document: UUID,
        *,
        tags: Collection[str],
        collection: UUID | None,
        readers: Collection[str] | None,
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Changes:
    """Change a document, and the index with it: searches find the one or the other, never a mixture."""

    documents: Documents
    places: Places
    shelf: Labelled
    actor: str
    """Who asks, as the audit log names them."""

    async def change(self, document_id: DocumentId, wanted: DocumentChange, *, if_match: str | None) -> DocumentRow:
        """The document as it is now.

        Raises `DocumentNotFound`, `VersionConflict`, `Invalid` for a collection or a reader that is not there, and
        `OutOfReach` or `ReadersWithoutYou` when the caller would not see it any more.
        """
        given = wanted.model_fields_set
        await self.places.require_known(wanted.readers)
        # Before the document: whoever empties a collection holds that first, too.
        collection = await self.places.held(wanted.collection)
        row = await self.documents.held(document_id)
        require_match(row.etag, if_match)
        changed = replace(
            row,
            tags=wanted.tags if "tags" in given else row.tags,
            metadata=wanted.metadata if "metadata" in given else row.metadata,
            collection_id=collection if "collection" in given else row.collection_id,
            readers=wanted.readers if "readers" in given else row.readers,
        )
        if changed == row:
            return row
        self.places.require_seen(Labels(row.id, changed.tags, changed.collection_id, changed.readers))
        written = await self.documents.change(changed)
        await self.shelf.label(row.id, tags=changed.tags, collection=changed.collection_id, readers=changed.readers)
        if changed.readers != row.readers:
            await self._record(row, changed)
        return written

    async def _record(self, before: DocumentRow, after: DocumentRow) -> None:
        event = Event(
            self.documents.tenant,
            Action.DOCUMENT_READERS_CHANGED,
            self.actor,
            Target("document", after.id),
            {**told(after.readers), "before": before.readers},
        )
        await record(self.documents.db, event)
