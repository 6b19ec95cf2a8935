"""Documents of one tenant: read them, take them in, give them up, and lead them through their states."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Unpack
from uuid import UUID

from carrel.core.access import Access
from carrel.core.ids import DocumentId, JobId, TenantId, uuid7
from carrel.core.text import canonical
from carrel.documents.errors import (
    DocumentNotFound,
    DocumentNotIndexed,
    EmptyDocument,
    ExternalIdExists,
    VersionConflict,
)
from carrel.documents.events import DocumentAccepted, DocumentDeleted
from carrel.documents.naming import found_title
from carrel.documents.placing import Places
from carrel.documents.repository import Content, Place, Rows
from carrel.documents.repository_reach import Reach, sight_of_jobs
from carrel.documents.schemas import DocumentRow, DocumentText, Draft, Reading, Source, Wanted
from carrel.infra.db import Executor
from carrel.infra.web import Page, Paging
from carrel.jobs.errors import JobFinished, JobNotFound

__all__ = ["Delivery", "Documents", "Holdings", "Reach", "Stored", "known_form", "sight_of_jobs"]

FIRST_VERSION = 1
DETAIL_LENGTH = 2000


class Stored(Protocol):
    """What was received."""

    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> str: ...


class Store(Protocol):
    """Where bytes go. They are durable when `put` returns.

    Used as a context around the whole request: when that fails, what was put in is deleted again.
    """

    async def __aenter__(self) -> object: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    async def put(self, document_id: DocumentId, key: str, chunks: AsyncIterator[bytes]) -> Stored: ...
    def settle(self) -> None:
        """Everything is written that shall be committed: from now on only the database knows whether it was."""


class Queue(Protocol):
    """Jobs, written in this transaction."""

    async def publish(self, event: object) -> Sequence[JobId]: ...
    async def cancel(self, job_id: JobId) -> object: ...


class Usage(Protocol):
    """What the tenant uses, counted in this transaction."""

    async def take_document(self, size_bytes: int) -> None: ...
    async def release_document(self, size_bytes: int) -> None: ...


class Shelf(Protocol):
    """The index, changed in this transaction."""

    async def remove(self, document_id: DocumentId) -> None: ...


class Delivery(Protocol):
    """A content with what is said about it. The description may come after the content, so it is asked for last."""

    def content(self) -> AsyncIterator[bytes]: ...
    async def draft(self) -> Draft: ...


@dataclass(frozen=True, slots=True)
class Documents:
    """What is stored, and the states a document goes through. Bound to one tenant, one transaction, and one reach.

    A document out of reach is not there: it is in no list and no number, and answered for as one that never was.
    """

    db: Executor
    tenant: TenantId
    access: Access

    @property
    def _rows(self) -> Rows:
        return Rows(self.db, self.tenant, self.access)

    async def get(self, document_id: DocumentId) -> DocumentRow:
        """Raises `DocumentNotFound`, also for documents of others: nobody learns that they exist."""
        return _found(document_id, await self._rows.get(document_id))

    async def page(self, paging: Paging, wanted: Wanted) -> Page[DocumentRow]:
        """Newest first. Walking by cursor meets every document that stays exactly once."""
        rows = await self._rows.page(wanted, after=_place(paging), limit=paging.fetch, offset=paging.offset or 0)
        total = await self._rows.count(wanted) if paging.wants_total else None
        return paging.page(rows, lambda row: [row.created_at.isoformat(), str(row.id)], total=total)

    async def count_by_status(self) -> dict[str, int]:
        """How many documents there are in each state; states without any are left out."""
        return await self._rows.count_by_status()

    async def size(self) -> int:
        """The bytes of all documents together."""
        return await self._rows.size()

    async def text(self, document_id: DocumentId) -> DocumentText:
        """The text of the version that can be searched. Raises `DocumentNotFound` or `DocumentNotIndexed`."""
        row = await self.get(document_id)
        text = await self._rows.text(document_id, row.version)
        if text is None:
            raise _not_indexed(row)
        return DocumentText(document_id=document_id, version=row.version, text=text, length=len(text))

    async def held(self, document_id: DocumentId) -> DocumentRow:
        """The document, which nobody else changes before the transaction ends. Raises `DocumentNotFound`."""
        return _found(document_id, await self._rows.locked(document_id))

    async def change(self, row: DocumentRow) -> DocumentRow:
        """Write tags, metadata, collection and readers of a document that is held; the document as it is now."""
        return await self._rows.change(row)

    async def holds(self, document_id: DocumentId) -> bool:
        """Whether the document exists, after everybody who was just adding it has finished or failed."""
        await self._rows.hold(document_id)
        return await self._rows.get(document_id) is not None

    async def start(self, document_id: DocumentId, version: int) -> Source | None:
        """Mark a version as being read and return what it is read from; None when there is nothing left to read.

        That is so when the document is gone, or this version or a newer one is searchable already. Running it twice
        is the same as once.
        """
        return await self._rows.start(document_id, version)

    async def publish(self, document_id: DocumentId, version: int, **reading: Unpack[Reading]) -> DocumentRow:
        """Make a version the one that is shown, with its text, and return the document as it is now.

        A `title` found in the content is taken where the sender gave none. Locks the document first, so call it
        before the index is changed, in the same transaction; and publish `DocumentIndexed` after both. Raises
        `DocumentNotFound` when the document was deleted meanwhile; nothing is written then.
        """
        found = {**reading, "title": found_title(reading.get("title"))}
        return _found(document_id, await self._rows.publish(document_id, version, found))

    async def fail(self, document_id: DocumentId, version: int, code: str, detail: str) -> None:
        """Note why a version cannot be read. One that is gone, searchable or overtaken stays as it is."""
        await self._rows.fail(document_id, version, code, canonical(detail)[:DETAIL_LENGTH])


@dataclass(frozen=True, slots=True)
class Holdings:
    """Take documents in and give them up: row, bytes, job and quota together, or nothing of them.

    Somebody takes in only what they will see, and gives up only what they see.
    """

    db: Executor
    tenant: TenantId
    store: Store
    queue: Queue
    usage: Usage
    shelf: Shelf
    places: Places

    @property
    def _rows(self) -> Rows:
        return Rows(self.db, self.tenant, self.places.access)

    async def add(self, delivery: Delivery) -> DocumentRow:
        """Store a content and write its row and its job.

        The bytes are durable before the transaction opens. Raises `EmptyDocument`, `ExternalIdExists`, what the
        store, the quota and `Places` refuse with, and what the delivery raises. To be called within
        `async with store`, which the caller ends after the commit.
        """
        document_id = DocumentId(uuid7())
        key = f"{self.tenant}/{document_id}/{FIRST_VERSION}"
        stored = await self.store.put(document_id, key, delivery.content())
        if not stored.size:
            raise EmptyDocument("The file has no bytes.", hint="Check that the right file was sent.")
        draft = await delivery.draft()
        await self.places.require_known(draft.readers)
        row = await self._record(document_id, draft, Content(key, stored.size, stored.sha256))
        self.store.settle()
        return row

    async def remove(self, document_id: DocumentId, *, if_match: str | None) -> None:
        """Delete a document with its index rows and its job. Its bytes go after the commit, by a job of their own.

        Raises `DocumentNotFound`, and `VersionConflict` when `if_match` is given and names another state.
        """
        row = _found(document_id, await self._rows.locked(document_id))
        require_match(row.etag, if_match)
        object_keys = await self._rows.object_keys(document_id)
        await self.shelf.remove(document_id)
        await self._rows.delete(document_id)
        await self.usage.release_document(row.size_bytes)
        if row.job_id is not None:
            # A job that has ended, or that was forgotten since, has nothing left to cancel.
            with contextlib.suppress(JobFinished, JobNotFound):
                await self.queue.cancel(row.job_id)
        await self.queue.publish(DocumentDeleted(document_id, object_keys))

    async def _record(self, document_id: DocumentId, draft: Draft, content: Content) -> DocumentRow:
        collection = await self.places.settle(document_id, draft)
        await self._rows.hold(document_id)
        await self._insert(document_id, draft, content, collection)
        await self.usage.take_document(content.size_bytes)
        jobs = await self.queue.publish(DocumentAccepted(document_id, FIRST_VERSION))
        if jobs:
            await self._rows.set_job(document_id, jobs[0])
        return _found(document_id, await self._rows.get(document_id))

    async def _insert(self, document_id: DocumentId, draft: Draft, content: Content, collection: UUID | None) -> None:
        # Again when the document in the way was deleted before it could be named: then the name is free.
        while await self._rows.add(document_id, draft, content, collection=collection) is None:
            await self._refuse_if_taken(draft.external_id or "")

    async def _refuse_if_taken(self, external_id: str) -> None:
        existing = await self._rows.by_external_id(external_id)
        if existing is not None:
            raise ExternalIdExists(
                f"The document {existing} has this external id already.",
                hint="Delete that document first, or choose another external id.",
                document_id=str(existing),
            )
        # That one is out of reach cannot be hidden, because no two share an external id; nothing more is told.
        if await self._rows.has_external_id(external_id):
            raise ExternalIdExists("This external id is taken.", hint="Choose another external id.")


def known_form(document_id: str) -> DocumentId:
    """The id that a path names. Raises `DocumentNotFound` for what can be no id: there is no such document either."""
    try:
        return DocumentId(UUID(document_id))
    except ValueError as error:
        raise _not_found(document_id) from error


def _found(document_id: DocumentId, row: DocumentRow | None) -> DocumentRow:
    if row is None:
        raise _not_found(str(document_id))
    return row


def _not_found(document_id: str) -> DocumentNotFound:
    return DocumentNotFound(
        "No document has this id.", hint="GET /api/documents lists all of them.", document_id=document_id
    )


def _not_indexed(row: DocumentRow) -> DocumentNotIndexed:
    if row.status == "failed":
        return DocumentNotIndexed(
            f"The document could not be read: {row.error_detail}", hint="Send it again once this is put right."
        )
    return DocumentNotIndexed(
        "The document has not been read yet.", hint="Try again when its status is `indexed`.", retry_after=1
    )


def _place(paging: Paging) -> Place | None:
    if paging.after is None:
        return None
    created_at, document_id = paging.after
    return datetime.fromisoformat(created_at), DocumentId(UUID(document_id))


def require_match(etag: str, if_match: str | None) -> None:
    """Raises `VersionConflict` when `if_match` is given and names another state."""
    if if_match is not None and not _matches(etag, if_match):
        raise VersionConflict(
            "It has changed since this ETag was read.",
            hint="Read it again, look at what changed, and repeat the request with the new ETag.",
        )


def _matches(etag: str, if_match: str) -> bool:
    """Weak comparison: our ETags name states, and a state is what the caller means to have seen."""
    given = {one.strip().removeprefix("W/") for one in if_match.split(",")}
    return "*" in given or etag.removeprefix("W/") in given
