"""All SQL over the index. Writers hold the row lock of `index_statistics`; readers need one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from carrel.core.access import Access
from carrel.core.clock import now
from carrel.core.ids import DocumentId, TenantId, uuid7
from carrel.documents.service import Reach
from carrel.index.repository_labels import NUMBERS, RESTRICTED, Counted
from carrel.index.schemas import Entry, Filters, NewChunk, Passage, Recipe
from carrel.index.terms import Rows, unpack
from carrel.infra.db import Statement, Transaction
from carrel.infra.db.vectors import HalfVector

LIVE = """
    SELECT b.build, b.analyser, b.model, b.dimension, s.next_ordinal, s.documents, s.chunks, s.total_length, s.languages
    FROM index_builds b JOIN index_statistics s ON s.tenant_id = b.tenant_id AND s.build = b.build
    WHERE b.tenant_id = %(tenant)s AND b.state = 'live'
"""

NEW_BUILD = """
    WITH made AS (
        INSERT INTO index_builds (tenant_id, build, splitter, analyser, model, dimension, state, created_at)
        VALUES (%(tenant)s, 1, %(splitter)s, %(analyser)s, %(model)s, %(dimension)s, 'live', %(now)s)
        ON CONFLICT DO NOTHING
        RETURNING tenant_id, build
    )
    INSERT INTO index_statistics (tenant_id, build) SELECT tenant_id, build FROM made
"""

CHANGE_STATISTICS = """
    UPDATE index_statistics
    SET next_ordinal = next_ordinal + %(ordinals)s, documents = documents + %(documents)s, chunks = chunks + %(chunks)s,
        total_length = total_length + %(length)s, languages = %(languages)s, generation = generation + 1
    WHERE tenant_id = %(tenant)s AND build = %(build)s
"""

FIND_ENTRY = """
    SELECT first_ordinal, chunk_count, total_length FROM index_documents
    WHERE tenant_id = %(tenant)s AND build = %(build)s AND document_id = %(document)s
"""

COUNT_LANGUAGES = """
    SELECT coalesce(language, 'und') AS language, count(*) AS chunks FROM chunks
    WHERE tenant_id = %(tenant)s AND build = %(build)s AND ordinal >= %(first)s AND ordinal < %(end)s
    GROUP BY 1
"""

DROP_ENTRY = """
    DELETE FROM index_documents WHERE tenant_id = %(tenant)s AND build = %(build)s AND document_id = %(document)s
"""
DROP_WORDS = """
    DELETE FROM forward_rows
    WHERE tenant_id = %(tenant)s AND build = %(build)s AND ordinal >= %(first)s AND ordinal < %(end)s
"""
DROP_VECTORS = """
    DELETE FROM embeddings
    WHERE tenant_id = %(tenant)s AND build = %(build)s AND ordinal >= %(first)s AND ordinal < %(end)s
"""

ADD_ENTRY = """
    INSERT INTO index_documents (tenant_id, build, document_id, version, first_ordinal, chunk_count, total_length,
        external_id, title, filename, doc_type, language, status, tags, size_bytes, created_at, collection_id, readers)
    VALUES (%(tenant)s, %(build)s, %(document)s, %(version)s, %(first)s, %(chunks)s, %(length)s, %(external_id)s,
        %(title)s, %(filename)s, %(doc_type)s, %(language)s, 'indexed', %(tags)s, %(size_bytes)s, %(created_at)s,
        %(collection)s, %(readers)s)
"""
# Row-level security forbids COPY into a table, so columns travel as arrays: one statement for all rows of a document.
ADD_CHUNKS = """
    INSERT INTO chunks (tenant_id, build, ordinal, id, document_id, version, position, text, page, char_start, char_end,
        heading_path, language)
    SELECT %(tenant)s, %(build)s, %(first)s + n - 1, u.id, %(document)s, %(version)s, n - 1, u.text, u.page, u.start_at,
        u.end_at, string_to_array(u.headings, E'\\x1f'), u.language
    FROM unnest(%(ids)s::uuid[], %(texts)s::text[], %(pages)s::int[], %(starts)s::int[], %(ends)s::int[],
        %(headings)s::text[], %(languages)s::text[])
        WITH ORDINALITY AS u (id, text, page, start_at, end_at, headings, language, n)
"""
ADD_WORDS = """
    INSERT INTO forward_rows (tenant_id, build, ordinal, length, terms)
    SELECT %(tenant)s, %(build)s, %(first)s + n - 1, u.length, u.terms
    FROM unnest(%(lengths)s::int[], %(terms)b::bytea[]) WITH ORDINALITY AS u (length, terms, n)
"""
ADD_VECTORS = """
    INSERT INTO embeddings (tenant_id, build, ordinal, vector)
    SELECT %(tenant)s, %(build)s, %(first)s + n - 1, u.vector
    FROM unnest(%(vectors)b::halfvec[]) WITH ORDINALITY AS u (vector, n)
"""
HEADING_MARK = "\x1f"

# Numbers come packed as bytes: numpy reads them in one step, where arrays would be parsed item by item.
FORWARD = """
    SELECT string_agg(int4send(ordinal), ''::bytea), string_agg(int4send(length), ''::bytea),
        string_agg(int4send(octet_length(terms) / 5), ''::bytea), string_agg(terms, ''::bytea)
    FROM forward_rows WHERE tenant_id = %(tenant)s AND build = %(build)s
"""

# The + 0 keeps the planner from answering an exact question with an approximate index.
NEAREST = """
    SELECT ordinal, -(vector::halfvec({dimension}) <#> %(vector)s::halfvec({dimension})) AS cosine
    FROM embeddings WHERE tenant_id = %(tenant)s AND build = %(build)s {narrowed}
    ORDER BY (vector::halfvec({dimension}) <#> %(vector)s::halfvec({dimension})) + 0, ordinal
    LIMIT %(depth)s
"""

COSINES = """
    SELECT ordinal, -(vector::halfvec({dimension}) <#> %(vector)s::halfvec({dimension}))
    FROM embeddings WHERE tenant_id = %(tenant)s AND build = %(build)s AND ordinal = ANY(%(ordinals)s)
"""

NARROWED = """
    AND ordinal <@ (
        SELECT range_agg(int4range(first_ordinal, first_ordinal + chunk_count)) FROM index_documents
        WHERE tenant_id = %(tenant)s AND build = %(build)s {conditions}
    )
"""

# A document without chunks begins where the next one does, and must not be taken for it.
RANGES = """
    SELECT first_ordinal, first_ordinal + chunk_count FROM index_documents
    WHERE tenant_id = %(tenant)s AND build = %(build)s AND chunk_count > 0 {conditions}
    ORDER BY first_ordinal
"""

CONDITIONS = {
    "tags": "AND tags @> %(tags)s::text[]",
    "type": "AND doc_type = ANY(%(type)s)",
    "status": "AND status = ANY(%(status)s)",
    "language": "AND language = ANY(%(language)s)",
    "external_id": "AND external_id = ANY(%(external_id)s)",
    "document_id": "AND document_id = ANY(%(document_id)s::uuid[])",
    "collection": """AND collection_id IN (
        SELECT id FROM collections WHERE tenant_id = %(tenant)s
        AND (slug = ANY(%(collection)s) OR id::text = ANY(SELECT lower(unnest(%(collection)s::text[]))))
    )""",
}

PASSAGES = """
    SELECT c.ordinal, c.id AS chunk_id, c.document_id, d.external_id, c.version, d.title, d.filename, d.doc_type,
        c.language, d.tags, c.text, c.page, c.char_start AS start, c.char_end AS "end", c.heading_path
    FROM chunks c JOIN index_documents d
        ON d.tenant_id = c.tenant_id AND d.build = c.build AND d.document_id = c.document_id
    WHERE c.tenant_id = %(tenant)s AND c.build = %(build)s AND c.ordinal = ANY(%(ordinals)s) {reached}
"""

OWNERS = """
    SELECT o.ordinal, d.document_id FROM unnest(%(ordinals)s::int[]) AS o (ordinal) CROSS JOIN LATERAL (
        SELECT * FROM index_documents
        WHERE tenant_id = %(tenant)s AND build = %(build)s AND first_ordinal <= o.ordinal AND chunk_count > 0
        ORDER BY first_ordinal DESC LIMIT 1
    ) d
    WHERE true {reached}
"""

CHUNKS = """
    SELECT id, document_id, version, position, text, page, char_start AS start, char_end AS "end", heading_path,
        language
    FROM chunks
    WHERE tenant_id = %(tenant)s AND build = %(build)s AND document_id = %(document)s AND position > %(after)s
    ORDER BY version, position LIMIT %(limit)s OFFSET %(offset)s
"""

COUNT_CHUNKS = """
    SELECT chunk_count FROM index_documents
    WHERE tenant_id = %(tenant)s AND build = %(build)s AND document_id = %(document)s
"""


@dataclass(frozen=True, slots=True)
class Build:
    """The index that answers now, and what is in it."""

    build: int
    analyser: str
    model: str
    dimension: int
    next_ordinal: int
    documents: int
    chunks: int
    total_length: int
    languages: dict[str, int]
    restricted: bool = False
    """Whether anything names its readers; asked for only where that matters to who asks."""


@dataclass(frozen=True, slots=True)
class Placed:
    first_ordinal: int
    chunk_count: int
    total_length: int


@dataclass(frozen=True, slots=True)
class LanguageCount:
    language: str
    chunks: int


@dataclass(frozen=True, slots=True)
class StoredChunk:
    id: UUID
    document_id: UUID
    version: int
    position: int
    text: str
    page: int | None
    start: int
    end: int
    heading_path: list[str]
    language: str | None


@dataclass(frozen=True, slots=True)
class IndexWriter:
    """Changes of one tenant's index."""

    db: Transaction
    tenant: TenantId

    async def live(self, *, lock: bool) -> Build | None:
        """The living build; with `lock`, no other writer of this tenant proceeds until the transaction ends."""
        return await self.db.one_or_none(Build, LIVE + (" FOR UPDATE OF s" if lock else ""), tenant=self.tenant)

    async def make_build(self, recipe: Recipe) -> None:
        """Make the first build; one that exists is left as it is."""
        await self.db.execute(
            NEW_BUILD,
            tenant=self.tenant,
            splitter=recipe.splitter,
            analyser=recipe.analyser,
            model=recipe.model,
            dimension=recipe.dimension,
            now=now(),
        )

    async def find(self, build: int, document: DocumentId) -> Placed | None:
        return await self.db.one_or_none(Placed, FIND_ENTRY, tenant=self.tenant, build=build, document=document)

    async def languages_of(self, build: int, placed: Placed) -> dict[str, int]:
        end = placed.first_ordinal + placed.chunk_count
        counts = await self.db.all(
            LanguageCount, COUNT_LANGUAGES, tenant=self.tenant, build=build, first=placed.first_ordinal, end=end
        )
        return {count.language: count.chunks for count in counts}

    async def drop(self, build: int, document: DocumentId, placed: Placed) -> None:
        place = {"tenant": self.tenant, "build": build, "first": placed.first_ordinal}
        end = placed.first_ordinal + placed.chunk_count
        await self.db.execute(DROP_WORDS, **place, end=end)
        await self.db.execute(DROP_VECTORS, **place, end=end)
        await self.db.execute(DROP_ENTRY, tenant=self.tenant, build=build, document=document)

    async def add(self, build: Build, entry: Entry, chunks: Sequence[NewChunk]) -> None:
        """Write a document's rows at the next ordinals."""
        first, tenant, number = build.next_ordinal, self.tenant, build.build
        await self.db.execute(
            ADD_ENTRY,
            tenant=tenant,
            build=number,
            document=entry.document_id,
            version=entry.version,
            first=first,
            chunks=len(chunks),
            length=sum(chunk.words.length for chunk in chunks),
            external_id=entry.external_id,
            title=entry.title,
            filename=entry.filename,
            doc_type=entry.doc_type,
            language=entry.language,
            tags=list(entry.tags),
            size_bytes=entry.size_bytes,
            created_at=entry.created_at,
            collection=entry.collection_id,
            readers=None if entry.readers is None else list(entry.readers),
        )
        place = {"tenant": tenant, "build": number, "first": first}
        await self.db.execute(
            ADD_CHUNKS,
            **place,
            document=entry.document_id,
            version=entry.version,
            ids=[uuid7() for _ in chunks],
            texts=[chunk.text for chunk in chunks],
            pages=[chunk.page for chunk in chunks],
            starts=[chunk.start for chunk in chunks],
            ends=[chunk.end for chunk in chunks],
            headings=[_marked(chunk.heading_path) for chunk in chunks],
            languages=[chunk.language for chunk in chunks],
        )
        await self.db.execute(
            ADD_WORDS,
            **place,
            lengths=[chunk.words.length for chunk in chunks],
            terms=[chunk.words.terms for chunk in chunks],
        )
        await self.db.execute(ADD_VECTORS, **place, vectors=[HalfVector(chunk.vector) for chunk in chunks])

    async def change_statistics(self, build: int, change: "Change", languages: dict[str, int]) -> None:
        await self.db.execute(
            CHANGE_STATISTICS,
            tenant=self.tenant,
            build=build,
            ordinals=change.ordinals,
            documents=change.documents,
            chunks=change.chunks,
            length=change.length,
            languages=Jsonb(languages),
        )

    async def chunks(
        self, build: int, document: DocumentId, *, after: int, limit: int, offset: int
    ) -> list[StoredChunk]:
        return await self.db.all(
            StoredChunk,
            CHUNKS,
            tenant=self.tenant,
            build=build,
            document=document,
            after=after,
            limit=limit,
            offset=offset,
        )

    async def count_chunks(self, build: int, document: DocumentId) -> int:
        found: int | None = await self.db.value(COUNT_CHUNKS, tenant=self.tenant, build=build, document=document)
        return found or 0


@dataclass(frozen=True, slots=True)
class Change:
    """How a write moves the statistics."""

    ordinals: int = 0
    documents: int = 0
    chunks: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class IndexReader:
    """Questions to one tenant's index. All of them see the same moment when `db` is a snapshot.

    What `access` does not reach is not there, and is left out before anything is ranked.
    """

    db: Transaction
    tenant: TenantId
    access: Access

    async def live(self) -> Build | None:
        wanted = [LIVE] if self.access.readers is None else [LIVE, RESTRICTED]
        rows, *more = await self.db.batch([Statement(one, {"tenant": self.tenant}) for one in wanted])
        return replace(Build(*rows[0]), restricted=bool(more and more[0][0][0])) if rows else None

    async def legs(self, asked: "Asked") -> "Legs":
        """Everything both legs need, in one round trip."""
        given, reach = asked.filters.given, self._reach(asked.build)
        conditions = " ".join([*(CONDITIONS[name] for name in sorted(given)), reach.of_documents("", "document_id")])
        narrowing = bool(conditions.strip())
        parameters: dict[str, Any] = {"tenant": self.tenant, "build": asked.build.build, "depth": asked.depth}
        parameters |= given | reach.parameters
        wanted: dict[str, Statement] = {}
        if asked.words:
            wanted["forward"] = Statement(FORWARD, parameters)
            if narrowing:
                wanted["ranges"] = Statement(RANGES.format(conditions=conditions), parameters)
        if asked.vector is not None:
            narrowed = NARROWED.format(conditions=conditions) if narrowing else ""
            sql = NEAREST.format(dimension=asked.build.dimension, narrowed=narrowed)
            wanted["nearest"] = Statement(sql, parameters | {"vector": HalfVector(asked.vector)})
        found = dict(zip(wanted, await self.db.batch(list(wanted.values())), strict=True))
        return Legs(
            rows=_rows(found["forward"][0]) if "forward" in found else None,
            ranges=found.get("ranges"),
            nearest=[(ordinal, cosine) for ordinal, cosine in found.get("nearest", [])],
        )

    async def cosines(self, build: Build, vector: NDArray[np.float32], ordinals: Sequence[int]) -> dict[int, float]:
        sql = COSINES.format(dimension=build.dimension)
        parameters = {
            "tenant": self.tenant,
            "build": build.build,
            "vector": HalfVector(vector),
            "ordinals": list(ordinals),
        }
        [rows] = await self.db.batch([Statement(sql, parameters)])
        return dict(rows)

    async def passages(self, build: int, ordinals: Sequence[int]) -> list[Passage]:
        reach = Reach(self.access)
        sql = PASSAGES.format(reached=reach.of_documents("d.", "document_id"))
        place = {"tenant": self.tenant, "build": build, "ordinals": list(ordinals)}
        return await self.db.all(Passage, sql, **place, **reach.parameters)

    async def owners(self, build: int, ordinals: Sequence[int]) -> dict[int, DocumentId]:
        reach = Reach(self.access)
        sql = OWNERS.format(reached=reach.of_documents("d.", "document_id"))
        parameters = {"tenant": self.tenant, "build": build, "ordinals": list(ordinals), **reach.parameters}
        [rows] = await self.db.batch([Statement(sql, parameters)])
        return dict(rows)

    async def count(self, build: int) -> Counted:
        """How much of a build is in reach."""
        reach = Reach(self.access)
        sql = f"{NUMBERS} {reach.of_documents('', 'document_id')}"
        return await self.db.one(Counted, sql, tenant=self.tenant, build=build, **reach.parameters)

    def _reach(self, build: Build) -> Reach:
        """Where nothing names its readers, nobody is held back by them, and the statements need not ask."""
        return Reach(self.access if build.restricted else replace(self.access, readers=None))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to both legs; without words or without a vector only one of them is asked."""

    build: Build
    words: bool
    vector: NDArray[np.float32] | None
    filters: Filters
    depth: int


@dataclass(frozen=True, slots=True)
class Legs:
    rows: Rows | None
    ranges: list[tuple[Any, ...]] | None
    nearest: list[tuple[int, float]]


def _rows(packed: tuple[bytes | None, ...]) -> Rows:
    ordinals, lengths, counts, terms = (part or b"" for part in packed)
    numbers = [np.frombuffer(part, ">i4") for part in (ordinals, lengths, counts)]
    return unpack(numbers[0], numbers[1], numbers[2], terms)


def _marked(headings: Sequence[str]) -> str:
    return HEADING_MARK.join(heading.replace(HEADING_MARK, " ") for heading in headings)
