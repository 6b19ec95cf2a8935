"""All SQL over documents, their versions and texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from carrel.core.clock import now
from carrel.core.ids import DocumentId, JobId, TenantId
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
        metadata, source_url, created_at, updated_at
    ) VALUES (
        %(tenant)s, %(id)s, %(external_id)s, %(title)s, %(title_given)s, %(filename)s, %(mime_type)s, %(size_bytes)s,
        %(sha256)s, 'queued', 1, %(tags)s, %(metadata)s, %(source_url)s, %(now)s, %(now)s
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
"""

PAGE = f"""
    SELECT {COLUMNS} FROM documents
    WHERE {FILTER} AND (%(at)s::timestamptz IS NULL OR (created_at, id) < (%(at)s, %(last)s::uuid))
    ORDER BY created_at DESC, id DESC
    LIMIT %(limit)s OFFSET %(offset)s
"""

COUNT = f"SELECT count(*) FROM documents WHERE {FILTER}"

COUNT_BY_STATUS = "SELECT status, count(*) AS documents FROM documents WHERE tenant_id = %(tenant)s GROUP BY status"

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
    """The documents of one tenant."""

    db: Executor
    tenant: TenantId

    async def hold(self, document_id: DocumentId) -> None:
        """Wait for every other transaction that holds this document, and hold it until this one ends."""
        await self.db.value(HOLD, tenant=self.tenant, id=document_id)

    async def add(self, document_id: DocumentId, draft: Draft, content: Content) -> DocumentRow | None:
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
            now=now(),
        )
        if row is not None:
            await self.db.execute(ADD_VERSION, **self._of(document_id), object_key=content.object_key)
        return row

    async def set_job(self, document_id: DocumentId, job: JobId) -> None:
        await self.db.execute(SET_JOB, **self._of(document_id), job=job)

    async def get(self, document_id: DocumentId) -> DocumentRow | None:
        return await self.db.one_or_none(DocumentRow, GET, **self._of(document_id))

    async def locked(self, document_id: DocumentId) -> DocumentRow | None:
        """The row, which nobody else changes until this transaction ends."""
        return await self.db.one_or_none(DocumentRow, f"{GET} FOR UPDATE", **self._of(document_id))

    async def by_external_id(self, external_id: str) -> DocumentId | None:
        found: DocumentId | None = await self.db.value(BY_EXTERNAL_ID, tenant=self.tenant, external_id=external_id)
        return found

    async def page(self, wanted: Wanted, *, after: Place | None, limit: int, offset: int) -> Sequence[DocumentRow]:
        """Newest first."""
        at, last = after or (None, None)
        return await self.db.all(DocumentRow, PAGE, **self._among(wanted), at=at, last=last, limit=limit, offset=offset)

    async def count(self, wanted: Wanted) -> int:
        return int(await self.db.value(COUNT, **self._among(wanted)))

    async def count_by_status(self) -> dict[str, int]:
        counts = await self.db.all(StatusCount, COUNT_BY_STATUS, tenant=self.tenant)
        return {count.status: count.documents for count in counts}

    async def text(self, document_id: DocumentId, version: int) -> str | None:
        found: str | None = await self.db.value(TEXT, **self._of(document_id), version=version)
        return found

    async def object_keys(self, document_id: DocumentId) -> list[str]:
        return await self.db.value(OBJECT_KEYS, **self._of(document_id)) or []

    async def delete(self, document_id: DocumentId) -> None:
        await self.db.execute(DELETE, **self._of(document_id))

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
        return {"tenant": self.tenant, "id": document_id}

    def _among(self, wanted: Wanted) -> dict[str, Any]:
        return {
            "tenant": self.tenant,
            "statuses": wanted.statuses,
            "tags": wanted.tags,
            "external_id": wanted.external_id,
            "doc_type": wanted.doc_type,
        }
