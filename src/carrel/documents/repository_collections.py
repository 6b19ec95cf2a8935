"""All SQL over collections."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from carrel.core.access import Access
from carrel.core.ids import TenantId
from carrel.documents.repository_reach import Reach
from carrel.documents.schemas_access import CollectionId, CollectionRow
from carrel.infra.db import Executor

OWN = ", ".join(f"c.{field.name}" for field in fields(CollectionRow) if field.name != "document_count")

# As many as the caller sees.
SELECT = f"""
    SELECT {OWN}, (
        SELECT count(*) FROM documents d
        WHERE d.tenant_id = c.tenant_id AND d.collection_id = c.id {{documents}}
    ) AS document_count
    FROM collections c
    WHERE c.tenant_id = %(tenant)s {{reached}}
"""
REFERRED = "AND (c.slug = %(reference)s OR c.id::text = lower(%(reference)s))"

GET = f"{SELECT} {REFERRED}"
PAGE = f"""
    {SELECT} AND (%(after)s::uuid IS NULL OR c.id < %(after)s)
    ORDER BY c.id DESC
    LIMIT %(limit)s OFFSET %(offset)s
"""
COUNT = "SELECT count(*) FROM collections c WHERE c.tenant_id = %(tenant)s {reached}"

ADD = """
    INSERT INTO collections (tenant_id, id, name, slug, description, readers, metadata, created_at, updated_at)
    VALUES (%(tenant)s, %(id)s, %(name)s, %(slug)s, %(description)s, %(readers)s, %(metadata)s, %(created_at)s,
        %(updated_at)s)
    ON CONFLICT (tenant_id, slug) DO NOTHING
"""
CHANGE = """
    UPDATE collections
    SET name = %(name)s, slug = %(slug)s, description = %(description)s, readers = %(readers)s,
        metadata = %(metadata)s, updated_at = %(updated_at)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s
"""
REMOVE = "DELETE FROM collections WHERE tenant_id = %(tenant)s AND id = %(id)s"

# Whoever puts a document into a collection holds it so, and whoever removes one waits for them.
HOLD = f"SELECT c.id FROM collections c WHERE c.tenant_id = %(tenant)s {{reached}} {REFERRED} FOR KEY SHARE"
LOCK = f"SELECT c.id FROM collections c WHERE c.tenant_id = %(tenant)s {{reached}} {REFERRED} FOR UPDATE"

HOLDS = "SELECT count(*) FROM documents d WHERE d.tenant_id = %(tenant)s AND d.collection_id = %(id)s"
MOVE = """
    UPDATE documents SET collection_id = %(to)s, updated_at = %(now)s
    WHERE tenant_id = %(tenant)s AND collection_id = %(id)s
    RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A collection, as a document lies in it."""

    id: CollectionId


@dataclass(frozen=True, slots=True)
class Moved:
    id: UUID


@dataclass(frozen=True, slots=True)
class PlaceRows:
    """The collections of one tenant that somebody sees, as places for documents."""

    db: Executor
    tenant: TenantId
    access: Access

    async def hold(self, reference: str) -> Place | None:
        """A collection by id or slug, which nobody removes before this transaction ends."""
        return await self._one(HOLD, reference=reference)

    async def lock(self, reference: str) -> Place | None:
        """A collection that nobody else changes, and nobody puts a document into, before this transaction ends."""
        return await self._one(LOCK, reference=reference)

    async def _one(self, statement: str, **named: Any) -> Place | None:
        reach = Reach(self.access)
        sql = statement.format(reached=reach.of_collections())
        return await self.db.one_or_none(Place, sql, tenant=self.tenant, **reach.parameters, **named)


@dataclass(frozen=True, slots=True)
class CollectionRows:
    """The collections of one tenant that somebody sees."""

    db: Executor
    tenant: TenantId
    access: Access

    async def get(self, reference: str) -> CollectionRow | None:
        """By id or slug."""
        return await self.db.one_or_none(CollectionRow, self._seen(GET), **self._whose(), reference=reference)

    async def page(self, *, after: CollectionId | None, offset: int, limit: int) -> Sequence[CollectionRow]:
        """Newest first."""
        place = {"after": after, "offset": offset, "limit": limit}
        return await self.db.all(CollectionRow, self._seen(PAGE), **self._whose(), **place)

    async def count(self) -> int:
        return int(await self.db.value(self._seen(COUNT), **self._whose()))

    async def add(self, row: CollectionRow) -> bool:
        """Whether it was added; False when its slug is taken."""
        return await self.db.execute(ADD, **self._values(row)) == 1

    async def change(self, row: CollectionRow) -> None:
        await self.db.execute(CHANGE, **self._values(row))

    async def remove(self, collection: CollectionId) -> None:
        await self.db.execute(REMOVE, tenant=self.tenant, id=collection)

    async def holds(self, collection: CollectionId) -> tuple[int, int]:
        """How many documents lie in it, and how many of those are seen."""
        place, reach = {"tenant": self.tenant, "id": collection}, Reach(self.access)
        seen = await self.db.value(f"{HOLDS} {reach.of_documents('d.')}", **place, **reach.parameters)
        return int(await self.db.value(HOLDS, **place)), int(seen)

    async def move(self, collection: CollectionId, to: CollectionId, *, moment: Any) -> list[UUID]:
        """Put all documents of one into another; the ids of those."""
        moved = await self.db.all(Moved, MOVE, tenant=self.tenant, id=collection, to=to, now=moment)
        return [one.id for one in moved]

    def _seen(self, statement: str) -> str:
        reach = Reach(self.access)
        return statement.format(reached=reach.of_collections(), documents=reach.of_documents("d."))

    def _whose(self) -> dict[str, Any]:
        return {"tenant": self.tenant, **Reach(self.access).parameters}

    def _values(self, row: CollectionRow) -> dict[str, Any]:
        named = {field.name: getattr(row, field.name) for field in fields(row) if field.name != "document_count"}
        return {**named, "tenant": self.tenant, "metadata": Jsonb(row.metadata)}
