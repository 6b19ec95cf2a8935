"""Collections: places for documents that belong together, with readers of their own."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn, Protocol
from uuid import UUID

import psycopg

from carrel.auth.service import Action, Detail, Event, Target, record
from carrel.core.access import Access
from carrel.core.clock import now
from carrel.core.ids import TenantId, uuid7
from carrel.documents.errors import CollectionNotEmpty, CollectionNotFound, CollectionSlugTaken, OutOfReach
from carrel.documents.placing import Places, told
from carrel.documents.repository_collections import CollectionRows, PlaceRows
from carrel.documents.schemas_access import (
    SLUG_LENGTH,
    CollectionChange,
    CollectionId,
    CollectionRow,
    NewCollection,
    is_id,
)
from carrel.documents.service import require_match
from carrel.infra.db import Executor
from carrel.infra.web import Page, Paging


class Moved(Protocol):
    """The index, changed in this transaction."""

    async def collect(self, documents: Sequence[UUID], collection: UUID) -> None: ...
    async def touch(self) -> None:
        """What was found before may be different now."""


@dataclass(frozen=True, slots=True)
class Collections:
    """The collections of one tenant that a caller sees.

    Whom a collection names is written in its one row, so a change counts at its commit for all documents in it.
    """

    db: Executor
    tenant: TenantId
    places: Places
    shelf: Moved
    actor: str
    """Who asks, as the audit log names them."""

    @property
    def _access(self) -> Access:
        return self.places.access

    @property
    def _rows(self) -> CollectionRows:
        return CollectionRows(self.db, self.tenant, self._access)

    async def page(self, paging: Paging) -> Page[CollectionRow]:
        """Newest first."""
        after = CollectionId(UUID(paging.after[0])) if paging.after else None
        rows = await self._rows.page(after=after, offset=paging.offset or 0, limit=paging.fetch)
        total = await self._rows.count() if paging.wants_total else None
        return paging.page(rows, lambda row: [str(row.id)], total=total)

    async def get(self, reference: str) -> CollectionRow:
        """By id or slug. Raises `CollectionNotFound`, also for those that are closed to the caller."""
        found = await self._rows.get(reference)
        if found is None:
            raise _not_found(reference)
        return found

    async def create(self, wanted: NewCollection) -> CollectionRow:
        """Raises `OutOfReach`, `ReadersWithoutYou`, `CollectionSlugTaken`, and `Invalid` for unknown readers."""
        self._require_free()
        await self.places.require_known(wanted.readers)
        self.places.require_readable(wanted.readers)
        collection, moment = CollectionId(uuid7()), now()
        row = CollectionRow(
            id=collection,
            name=wanted.name,
            slug=wanted.slug or slug_of(wanted.name, collection),
            description=wanted.description,
            readers=wanted.readers,
            metadata=wanted.metadata,
            document_count=0,
            created_at=moment,
            updated_at=moment,
        )
        if not await self._rows.add(row):
            _refuse_slug(row.slug)
        await self._record(Action.COLLECTION_CREATED, row)
        return row

    async def change(self, reference: str, wanted: CollectionChange, *, if_match: str | None) -> CollectionRow:
        """As `create`; raises `CollectionNotFound` and `VersionConflict` too."""
        self._require_free()
        await self.places.require_known(wanted.readers)
        row = await self._held(reference)
        require_match(row.etag, if_match)
        changed = replace(row, **{name: getattr(wanted, name) for name in wanted.model_fields_set})
        if changed == row:
            return row
        self.places.require_readable(changed.readers)
        changed = replace(changed, updated_at=now())
        try:
            await self._rows.change(changed)
        except psycopg.errors.UniqueViolation:
            _refuse_slug(changed.slug)
        if changed.readers != row.readers:
            await self.shelf.touch()
            await self._record(Action.COLLECTION_READERS_CHANGED, changed, before=row.readers)
        return changed

    async def remove(self, reference: str, *, move_to: str | None, if_match: str | None) -> None:
        """Remove a collection; its documents go to `move_to`.

        Raises `CollectionNotEmpty` when they are not told where to go, or when the caller does not see all of them:
        nobody moves what is hidden from them.
        """
        self._require_free()
        target = await self.places.held(move_to)
        row = await self._held(reference)
        require_match(row.etag, if_match)
        moved = await self._empty(row.id, target)
        await self._rows.remove(row.id)
        await self._record(Action.COLLECTION_REMOVED, row, moved=moved)

    async def _empty(self, collection: CollectionId, target: UUID | None) -> int:
        """How many documents have gone elsewhere."""
        held, seen = await self._rows.holds(collection)
        if not held:
            return 0
        if target is None or target == collection:
            raise CollectionNotEmpty(
                "The collection holds documents.", hint="Say with `move_to` which other collection they go to."
            )
        if seen < held:
            raise CollectionNotEmpty(
                "The collection holds documents that you do not see, and so cannot move.",
                hint="Ask an administrator to remove it.",
            )
        moved = await self._rows.move(collection, CollectionId(target), moment=now())
        await self.shelf.collect(moved, target)
        return len(moved)

    async def _held(self, reference: str) -> CollectionRow:
        # Locked first and read then, so that what is read is what it is now.
        if await PlaceRows(self.db, self.tenant, self._access).lock(reference) is None:
            raise _not_found(reference)
        return await self.get(reference)

    async def _record(self, action: Action, row: CollectionRow, **more: Detail) -> None:
        details = {**told(row.readers), **more}
        await record(self.db, Event(self.tenant, action, self.actor, Target("collection", row.id), details))

    def _require_free(self) -> None:
        """Raises `OutOfReach` for credentials that reach some documents only: a collection is about others as well."""
        if self._access.is_narrowed:
            raise OutOfReach(
                "These credentials reach only some documents, and cannot change collections.",
                hint="Use credentials that are not narrowed to tags, collections or documents.",
            )


def slug_of(name: str, collection: UUID) -> str:
    """What a name comes to in lower-case letters, digits and hyphens; the id where that is nothing."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:SLUG_LENGTH].strip("-")
    return slug if slug and not is_id(slug) else f"collection-{collection.hex}"


def _not_found(reference: str) -> CollectionNotFound:
    return CollectionNotFound(
        "No collection has this id or slug.", hint="GET /api/collections lists all of them.", collection=reference
    )


def _refuse_slug(slug: str) -> NoReturn:
    raise CollectionSlugTaken(f"Another collection has the slug `{slug}`.", hint="Choose another `slug`.", slug=slug)
