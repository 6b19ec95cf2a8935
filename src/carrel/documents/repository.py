"""All SQL over documents, their versions and texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from carrel.core.access import Access
from carrel.core.clock import now
from carrel.core.ids import DocumentId, JobId, TenantId
from carrel.documents.repository_reach import Reach
from carrel.documents.schemas import DocumentRow, Draft, Source, Wanted
from carrel.infra.db import Executor

Place = tuple[datetime, DocumentId]

COLUMNS = ", ".join(field.name for field in fields(DocumentRow))
DOCUMENT = ", ".join(f"d.{field.name}" for field in fields(DocumentRow))

HOLD = """
    SELECT pg_advisory_xact_lock(hashtextextended(tenant_id || '/' || document_id, 0))
    FROM (VALUES (%(tenant)s::text, %(id)s::text)) AS bytes (tenant_id, document_id)
"""

ADD = f"""
    INSERT INTO documents (
        tenant_id, id, external_id, title, title_given, filename, mime_type, size_bytes, sha256, status, version, tags,
        metadata, source_url, collection_id, readers, created_at, updated_at
    ) VALUES (
        %(tenant)s, %(id)s, %(external_id)s, %(title)s, %(title_given)s, %(filename)s, %(mime_type)s, %(size_bytes)s,
        %(sha256)s, 'queued', 1, %(tags)s, %(metadata)s, %(source_url)s, %(collection)s, %(readers)s,
        %(now)s, %(now)s
    )
    ON CONFLICT (tenant_id, external_id) DO NOTHING
    RETURNING {COLUMNS}
"""

ADD_VERSION = """
    INSERT INTO document_versions (
        tenant_id, document_id, version, object_key, title, filename, mime_type, size_bytes, sha256, created_at
    )
    SELECT tenant_id, id, version, %(object_key)s, title, filename, mime_type, size_bytes, sha256, created_at
    FROM documents WHERE tenant_id = %(tenant)s AND id = %(id)s
"""

SET_JOB = "UPDATE documents SET job_id = %(job)s WHERE tenant_id = %(tenant)s AND id = %(id)s"

GET = f"SELECT {COLUMNS} FROM documents WHERE tenant_id = %(tenant)s AND id = %(id)s"

BY_EXTERNAL_ID = "SELECT id FROM documents WHERE tenant_id = %(tenant)s AND external_id = %(external_id)s"

FILTER = """
    tenant_id = %(tenant)s
    AND (%(statuses)s::text[] IS NULL OR status = ANY (%(statuses)s))
    AND (%(tags)s::text[] IS NULL OR tags @> %(tags)s)
    AND (%(external_id)s::text IS NULL OR external_id = %(external_id)s)
    AND (%(doc_type)s::text IS NULL OR doc_type = %(doc_type)s)
    AND (%(collection)s::text IS NULL OR collection_id = (
        SELECT id FROM collections
        WHERE tenant_id = %(tenant)s AND (slug = %(collection)s OR id::text = lower(%(collection)s))
    ))
    {reached}
"""

PAGE = f"""
    SELECT {COLUMNS} FROM documents
    WHERE {FILTER}
        AND (%(at)s::timestamptz IS NULL OR (created_at, id) < (%(at)s, %(last)s::uuid))
    ORDER BY created_at DESC, id DESC
    LIMIT %(limit)s OFFSET %(offset)s
"""

COUNT = f"SELECT count(*) FROM documents WHERE {FILTER}"

COUNT_BY_STATUS = """
    SELECT status, count(*) AS documents FROM documents WHERE tenant_id = %(tenant)s {reached} GROUP BY status
"""

SIZE = "SELECT coalesce(sum(size_bytes), 0) FROM documents WHERE tenant_id = %(tenant)s"

CHANGE = f"""
    UPDATE documents
    SET tags = %(tags)s, metadata = %(metadata)s, collection_id = %(collection)s, readers = %(readers)s,
        updated_at = %(now)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s
    RETURNING {COLUMNS}
"""

TEXT = """
    SELECT text FROM document_texts
    WHERE tenant_id = %(tenant)s AND document_id = %(id)s AND version = %(version)s
"""

OBJECT_KEYS = """
    SELECT array_agg(object_key ORDER BY version) FROM document_versions
    WHERE tenant_id = %(tenant)s AND document_id = %(id)s
"""

DELETE = "DELETE FROM documents WHERE tenant_id = %(tenant)s AND id = %(id)s"

# A version that is searchable already, or that a newer one has overtaken, does not go back to an earlier state.
STILL_TO_READ = """
    d.tenant_id = %(tenant)s AND d.id = %(id)s
    AND (d.version < %(version)s OR (d.version = %(version)s AND d.status <> 'indexed'))
"""

START = f"""
    UPDATE documents d
    SET status = 'processing', error_code = NULL, error_detail = NULL, updated_at = %(now)s
    FROM document_versions v
    WHERE {STILL_TO_READ} AND v.tenant_id = d.tenant_id AND v.document_id = d.id AND v.version = %(version)s
    RETURNING v.document_id, v.version, v.object_key, d.title, d.title_given, d.external_id, v.filename, v.mime_type,
        v.size_bytes, v.sha256, d.tags, d.created_at
"""

PUBLISH = f"""
    UPDATE documents d
    SET status = 'indexed', error_code = NULL, error_detail = NULL, version = v.version, filename = v.filename,
        size_bytes = v.size_bytes, sha256 = v.sha256, doc_type = %(doc_type)s, mime_type = %(mime_type)s,
        language = %(language)s, chunk_count = %(chunk_count)s,
        title = CASE WHEN d.title_given THEN d.title ELSE coalesce(%(title)s, d.title) END,
        indexed_at = %(now)s, updated_at = %(now)s
    FROM document_versions v
    WHERE d.tenant_id = %(tenant)s AND d.id = %(id)s AND d.version <= %(version)s
        AND v.tenant_id = d.tenant_id AND v.document_id = d.id AND v.version = %(version)s
    RETURNING {DOCUMENT}
"""

PUT_TEXT = """
    INSERT INTO document_texts (tenant_id, document_id, version, text)
    VALUES (%(tenant)s, %(id)s, %(version)s, %(text)s)
    ON CONFLICT (tenant_id, document_id, version) DO UPDATE SET text = excluded.text
"""

FAIL = f"""
    UPDATE documents d
    SET status = 'failed', error_code = %(code)s, error_detail = %(detail)s, updated_at = %(now)s
    WHERE {STILL_TO_READ}
"""


@dataclass(frozen=True, slots=True)
class StatusCount:
    status: str
    documents: int


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes in the object store."""

    object_key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Rows:
    """The documents of one tenant that somebody reaches; the others are not there for whoever looks by this."""

    db: Executor
    tenant: TenantId
    access: Access

    @property
    def _reach(self) -> Reach:
        return Reach(self.access)

    async def hold(self, document_id: DocumentId) -> None:
        """Wait for every other transaction that holds this document, and hold it until this one ends."""
        await self.db.value(HOLD, tenant=self.tenant, id=document_id)

    async def add(
        self, document_id: DocumentId, draft: Draft, content: Content, *, collection: UUID | None = None
    ) -> DocumentRow | None:
        """The new row and its first version, or None when the external id is taken."""
        row = await self.db.one_or_none(
            DocumentRow,
            ADD,
            **self._of(document_id),
            external_id=draft.external_id,
            title=draft.title,
            title_given=draft.title_given,
            filename=draft.filename,
            mime_type=draft.mime_type,
            size_bytes=content.size_bytes,
            sha256=content.sha256,
            tags=list(draft.tags),
            metadata=Jsonb(draft.metadata),
            source_url=draft.source_url,
            collection=collection,
            readers=None if draft.readers is None else list(draft.readers),
            now=now(),
        )
        if row is not None:
            await self.db.execute(ADD_VERSION, **self._of(document_id), object_key=content.object_key)
        return row

    async def set_job(self, document_id: DocumentId, job: JobId) -> None:
        await self.db.execute(SET_JOB, **self._of(document_id), job=job)

    async def get(self, document_id: DocumentId) -> DocumentRow | None:
        return await self.db.one_or_none(DocumentRow, self._reached(GET), **self._of(document_id))

    async def locked(self, document_id: DocumentId) -> DocumentRow | None:
        """The row, which nobody else changes until this transaction ends."""
        return await self.db.one_or_none(DocumentRow, f"{self._reached(GET)} FOR UPDATE", **self._of(document_id))

    async def change(self, row: DocumentRow) -> DocumentRow:
        """Write down what a caller may change of a document that is held; the row as it is now."""
        return await self.db.one(
            DocumentRow,
            CHANGE,
            tenant=self.tenant,
            id=row.id,
            tags=row.tags,
            metadata=Jsonb(row.metadata),
            collection=row.collection_id,
            readers=row.readers,
            now=now(),
        )

    async def by_external_id(self, external_id: str) -> DocumentId | None:
        sql, place = self._reached(BY_EXTERNAL_ID), {"tenant": self.tenant, **self._reach.parameters}
        found: DocumentId | None = await self.db.value(sql, **place, external_id=external_id)
        return found

    async def has_external_id(self, external_id: str) -> bool:
        """Whether any document has it, out of reach or not: no two may."""
        return await self.db.value(BY_EXTERNAL_ID, tenant=self.tenant, external_id=external_id) is not None

    async def page(self, wanted: Wanted, *, after: Place | None, limit: int, offset: int) -> Sequence[DocumentRow]:
        """Newest first."""
        at, last = after or (None, None)
        sql = PAGE.format(reached=self._reach.of_documents())
        return await self.db.all(DocumentRow, sql, **self._among(wanted), at=at, last=last, limit=limit, offset=offset)

    async def count(self, wanted: Wanted) -> int:
        return int(await self.db.value(COUNT.format(reached=self._reach.of_documents()), **self._among(wanted)))

    async def count_by_status(self) -> dict[str, int]:
        sql = COUNT_BY_STATUS.format(reached=self._reach.of_documents())
        counts = await self.db.all(StatusCount, sql, tenant=self.tenant, **self._reach.parameters)
        return {count.status: count.documents for count in counts}

    async def size(self) -> int:
        """The bytes of all of them."""
        return int(await self.db.value(self._reached(SIZE), tenant=self.tenant, **self._reach.parameters))

    async def text(self, document_id: DocumentId, version: int) -> str | None:
        found: str | None = await self.db.value(TEXT, **self._of(document_id), version=version)
        return found

    async def object_keys(self, document_id: DocumentId) -> list[str]:
        return await self.db.value(OBJECT_KEYS, **self._of(document_id)) or []

    async def delete(self, document_id: DocumentId) -> None:
        await self.db.execute(self._reached(DELETE), **self._of(document_id))

    async def start(self, document_id: DocumentId, version: int) -> Source | None:
        return await self.db.one_or_none(Source, START, **self._of(document_id), version=version, now=now())

    async def publish(self, document_id: DocumentId, version: int, found: Mapping[str, Any]) -> DocumentRow | None:
        """The row with what was found, and its text beside it; None when the document or its version is gone."""
        place = {**self._of(document_id), "version": version}
        row = await self.db.one_or_none(DocumentRow, PUBLISH, **place, **found, now=now())
        if row is not None:
            await self.db.execute(PUT_TEXT, **place, text=found["text"])
        return row

    async def fail(self, document_id: DocumentId, version: int, code: str, detail: str) -> None:
        await self.db.execute(FAIL, **self._of(document_id), version=version, code=code, detail=detail, now=now())

    def _of(self, document_id: DocumentId) -> dict[str, Any]:
        return {"tenant": self.tenant, "id": document_id, **self._reach.parameters}

    def _reached(self, statement: str) -> str:
        return f"{statement} {self._reach.of_documents()}"

    def _among(self, wanted: Wanted) -> dict[str, Any]:
        return {
            "tenant": self.tenant,
            "statuses": wanted.statuses,
            "tags": wanted.tags,
            "external_id": wanted.external_id,
            "doc_type": wanted.doc_type,
            "collection": wanted.collection,
            **self._reach.parameters,
        }
