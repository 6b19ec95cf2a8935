"""SQL over what decides who finds a document: its tags, its collection and its readers, beside the index."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from carrel.core.ids import TenantId
from carrel.infra.db import Executor

# Also orders this change among the writers, who all hold this row.
TOUCH = "UPDATE index_statistics SET generation = generation + 1 WHERE tenant_id = %(tenant)s"

LABEL = """
    UPDATE index_documents SET tags = %(tags)s, collection_id = %(collection)s, readers = %(readers)s
    WHERE tenant_id = %(tenant)s AND document_id = %(document)s
"""
COLLECT = """
    UPDATE index_documents SET collection_id = %(collection)s
    WHERE tenant_id = %(tenant)s AND document_id = ANY(%(documents)s::uuid[])
"""
RESTRICTED = """
    SELECT EXISTS (SELECT FROM index_documents WHERE tenant_id = %(tenant)s AND readers IS NOT NULL)
        OR EXISTS (SELECT FROM collections WHERE tenant_id = %(tenant)s AND readers IS NOT NULL)
"""
NUMBERS = """
    SELECT count(*)::int AS documents, coalesce(sum(chunk_count), 0)::int AS chunks FROM index_documents
    WHERE tenant_id = %(tenant)s AND build = %(build)s
"""


@dataclass(frozen=True, slots=True)
class Counted:
    documents: int
    chunks: int


@dataclass(frozen=True, slots=True)
class LabelRows:
    """The labels of one tenant's documents in the index. A document that is not indexed yet is left out."""

    db: Executor
    tenant: TenantId

    async def label(
        self, document: UUID, *, tags: Collection[str], collection: UUID | None, readers: Collection[str] | None
    ) -> None:
        await self.touch()
        told = {"tags": list(tags), "collection": collection, "readers": None if readers is None else list(readers)}
        await self.db.execute(LABEL, tenant=self.tenant, document=document, **told)

    async def collect(self, documents: Collection[UUID], collection: UUID) -> None:
        await self.touch()
        await self.db.execute(COLLECT, tenant=self.tenant, documents=list(documents), collection=collection)

    async def touch(self) -> None:
        await self.db.execute(TOUCH, tenant=self.tenant)
