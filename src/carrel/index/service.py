"""The lake: what ingestion fills and search asks. Nobody else knows how words and vectors are kept."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from carrel.core.access import Access
from carrel.core.ids import DocumentId, TenantId
from carrel.core.language import UNDETERMINED
from carrel.documents.service import Documents
from carrel.index import bm25, terms
from carrel.index.errors import ModelChanged
from carrel.index.repository import Asked, Build, Change, IndexReader, IndexWriter, Legs
from carrel.index.repository_labels import LabelRows
from carrel.index.schemas import Candidates, ChunkView, ChunkWords, Entry, Filters, NewChunk, Passage, Recipe
from carrel.infra.db import Transaction
from carrel.infra.web import Page, Paging

LANGUAGE_SHARE = 0.05
"""A query is analysed in every language that at least this part of the chunks is written in."""


UNTOLD = "en"
"""What a text is analysed as whose language cannot be told."""


def words_of(title: str, text: str, language: str) -> ChunkWords:
    """Analyse a chunk for the index; the title's words count twice."""
    return terms.forward(title, text, _analysed_as(language))


NOTHING = Candidates(build=0, by_words=(), by_vector=(), words={}, vector={}, matches=0)


@dataclass(frozen=True, slots=True)
class Index:
    """Write one tenant's index. Each change is whole at the commit of its transaction, or never was."""

    writer: IndexWriter
    recipe: Recipe

    @classmethod
    def of(cls, db: Transaction, tenant: TenantId, recipe: Recipe) -> Self:
        return cls(IndexWriter(db, tenant), recipe)

    async def replace(self, entry: Entry, chunks: Sequence[NewChunk]) -> int:
        """Make `chunks` the only chunks of a document and return how many there were before.

        Readers see the old set or the new one, never a mixture. Raises `ModelChanged` when this index was built with
        another recipe; nothing is written then.
        """
        build = await self._locked()
        before, languages = await self._drop(build, entry.document_id)
        await self.writer.add(build, entry, chunks)
        languages.update(chunk.language for chunk in chunks)
        change = Change(
            ordinals=len(chunks),
            documents=1 + before.documents,
            chunks=len(chunks) + before.chunks,
            length=sum(chunk.words.length for chunk in chunks) + before.length,
        )
        await self.writer.change_statistics(build.build, change, dict(+languages))
        return -before.chunks

    async def remove(self, document_id: DocumentId) -> None:
        """Take a document out; one that is not there is fine."""
        build = await self.writer.live(lock=True)
        if build is None:
            return
        change, languages = await self._drop(build, document_id)
        if change.documents:
            await self.writer.change_statistics(build.build, change, dict(+languages))

    async def label(
        self, document: UUID, *, tags: Collection[str], collection: UUID | None, readers: Collection[str] | None
    ) -> None:
        """Let a document be found by other tags, in another collection, or by others; one not indexed is fine."""
        await self._labels.label(document, tags=tags, collection=collection, readers=readers)

    async def collect(self, documents: Collection[UUID], collection: UUID) -> None:
        """Let documents be found in another collection."""
        await self._labels.collect(documents, collection)

    async def touch(self) -> None:
        """Begin another generation: what was found before may be different now."""
        await self._labels.touch()

    @property
    def _labels(self) -> LabelRows:
        return LabelRows(self.writer.db, self.writer.tenant)

    async def _locked(self) -> Build:
        build = await self.writer.live(lock=True)
        if build is None:
            await self.writer.make_build(self.recipe)
            build = await self.writer.live(lock=True)
        if build is None:
            raise LookupError("The organisation has no index and none could be made.")
        _require_same(build, self.recipe)
        return build

    async def _drop(self, build: Build, document_id: DocumentId) -> tuple[Change, Counter[str]]:
        languages = Counter(build.languages)
        placed = await self.writer.find(build.build, document_id)
        if placed is None:
            return Change(), languages
        languages.subtract(await self.writer.languages_of(build.build, placed))
        await self.writer.drop(build.build, document_id, placed)
        return Change(documents=-1, chunks=-placed.chunk_count, length=-placed.total_length), languages


@dataclass(frozen=True, slots=True)
class Chunks:
    """The chunks of one tenant's documents, as they lie in the index."""

    documents: Documents
    writer: IndexWriter

    @classmethod
    def of(cls, db: Transaction, tenant: TenantId, access: Access) -> Self:
        return cls(Documents(db, tenant, access), IndexWriter(db, tenant))

    async def page(self, document_id: DocumentId, paging: Paging) -> Page[ChunkView]:
        """In reading order; none while the document has not been indexed. Raises `DocumentNotFound`."""
        await self.documents.get(document_id)
        build = await self.writer.live(lock=False)
        number = build.build if build else 0
        [after] = paging.after or [-1]
        rows = await self.writer.chunks(number, document_id, after=after, limit=paging.fetch, offset=paging.offset or 0)
        total = await self.writer.count_chunks(number, document_id) if paging.wants_total else None
        views = [ChunkView.model_validate(row, from_attributes=True) for row in rows]
        return paging.page(views, lambda chunk: [chunk.position], total=total)


@dataclass(frozen=True, slots=True)
class Numbers:
    """How large one tenant's index is."""

    documents: int
    chunks: int
    model: str | None


async def numbers(db: Transaction, tenant: TenantId, access: Access) -> Numbers:
    """What is in the index now, as far as `access` reaches."""
    build = await IndexWriter(db, tenant).live(lock=False)
    if build is None:
        return Numbers(0, 0, None)
    if not access.is_limited:
        return Numbers(build.documents, build.chunks, build.model)
    counted = await IndexReader(db, tenant, access).count(build.build)
    return Numbers(counted.documents, counted.chunks, build.model)


@dataclass(frozen=True, slots=True)
class Lookup:
    """Ask one tenant's index, as far as somebody reaches. Reads only, in one snapshot."""

    reader: IndexReader
    recipe: Recipe

    @classmethod
    def of(cls, snapshot: Transaction, tenant: TenantId, recipe: Recipe, access: Access) -> Self:
        return cls(IndexReader(snapshot, tenant, access), recipe)

    async def candidates(
        self, text: str | None, vector: NDArray[np.float32] | None, filters: Filters, *, depth: int
    ) -> Candidates:
        """The first `depth` chunks by words and by vector, with both scores for each of them.

        Without `text` only vectors are asked, without `vector` only words. Filters and access apply before ranking.
        """
        build = await self.reader.live()
        if build is None:
            return NOTHING
        _require_same(build, self.recipe)
        legs = await self.reader.legs(Asked(build, text is not None, vector, filters, depth))
        words, by_words = _rank_words(build, legs, text, depth) if text is not None else ({}, [])
        by_vector = [ordinal for ordinal, _ in legs.nearest]
        cosines = dict(legs.nearest)
        if vector is not None and (missing := [ordinal for ordinal in by_words if ordinal not in cosines]):
            cosines |= await self.reader.cosines(build, vector, missing)
        listed = set(by_words) | set(by_vector)
        return Candidates(
            build=build.build,
            by_words=by_words,
            by_vector=by_vector,
            words={ordinal: words.get(ordinal, 0.0) for ordinal in listed},
            vector=cosines,
            matches=len(words),
        )

    async def passages(self, build: int, ordinals: Sequence[int]) -> dict[int, Passage]:
        """The chunks behind ordinals; one that is gone is missing."""
        return {passage.ordinal: passage for passage in await self.reader.passages(build, ordinals)}

    async def owners(self, build: int, ordinals: Sequence[int]) -> dict[int, DocumentId]:
        """The documents that ordinals belong to."""
        return await self.reader.owners(build, ordinals)


def _require_same(build: Build, recipe: Recipe) -> None:
    made_with = (build.model, build.dimension, build.analyser)
    if made_with != (recipe.model, recipe.dimension, recipe.analyser):
        raise ModelChanged(
            f"This index was built with {build.model} and {build.analyser}; the server runs {recipe.model} and "
            f"{recipe.analyser}.",
            hint="Start the server with the former MODEL_PATH and MODEL_PRECISION.",
        )


def _rank_words(build: Build, legs: Legs, text: str, depth: int) -> tuple[dict[int, float], list[int]]:
    """Scores of all chunks that match, by ordinal, and the best of them in order."""
    rows = legs.rows
    if rows is None or not len(rows):
        return {}, []
    query = terms.query(text, _languages(build))
    scores = bm25.score(rows, query, count=build.chunks, average_length=build.total_length / max(1, build.chunks))
    if legs.ranges is not None:
        scores = np.where(_allowed(rows, legs), scores, 0.0)
    matching = np.flatnonzero(scores)
    best = bm25.top(scores, depth, rows.ordinals)
    found = dict(zip(rows.ordinals[matching].tolist(), scores[matching].tolist(), strict=True))
    return found, rows.ordinals[best].tolist()


def _allowed(rows: terms.Rows, legs: Legs) -> NDArray[np.bool_]:
    ranges = np.array(legs.ranges or [(0, 0)], np.int64)
    place = np.searchsorted(ranges[:, 0], rows.ordinals, side="right") - 1
    allowed: NDArray[np.bool_] = (place >= 0) & (rows.ordinals < ranges[np.maximum(place, 0), 1])
    return allowed


def _languages(build: Build) -> list[str]:
    floor = LANGUAGE_SHARE * max(1, build.chunks)
    return sorted({_analysed_as(language) for language, chunks in build.languages.items() if chunks >= floor})


def _analysed_as(language: str) -> str:
    # A text too short to tell its language would keep its stop words, and rare as they are then they would outweigh
    # every word that matters. Taken for English it loses those, and words of other scripts are treated as their own.
    return UNTOLD if language == UNDETERMINED else language
