from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from carrel.core.access import EVERYTHING
from carrel.core.clock import now
from carrel.core.ids import DocumentId, TenantId, uuid7
from carrel.index.repository import IndexReader, IndexWriter
from carrel.index.schemas import Candidates, Entry, Filters, NewChunk, Recipe
from carrel.index.service import Index, Lookup, words_of
from carrel.infra.db import Database, Role

RECIPE = Recipe(splitter="split-1", analyser="analysis-1", model="tiny/float32", dimension=8)


def vector_of(text: str) -> Any:
    """A unit vector that depends on the text alone and is alike for texts that share words."""
    total = np.full(8, 1e-3)
    for word in text.lower().split():
        total += np.random.default_rng(list(word.encode())).normal(size=8)
    return (total / np.linalg.norm(total)).astype(np.float32)


class Shelf:
    """One organisation's index, driven as ingestion and search drive it."""

    def __init__(self, database: Database, tenant: TenantId) -> None:
        self.database, self.tenant = database, tenant

    async def put(self, *texts: str, document: DocumentId | None = None, version: int = 1, **fields) -> DocumentId:
        document = document or await self.row()
        entry = {
            "title": "", "external_id": None, "filename": None, "doc_type": "text", "language": "en", "tags": [],
            "size_bytes": 1, "created_at": now(), **fields,
        }  # fmt: skip
        async with self.database.transaction(Role.APP, self.tenant) as db:
            index = Index(IndexWriter(db, self.tenant), RECIPE)
            await index.replace(Entry(document, version, **entry), chunks_of(texts, entry["title"], entry["language"]))
        return document

    async def remove(self, document: DocumentId) -> None:
        async with self.database.transaction(Role.APP, self.tenant) as db:
            await Index(IndexWriter(db, self.tenant), RECIPE).remove(document)

    async def row(self) -> DocumentId:
        document = DocumentId(uuid7())
        async with self.database.transaction(Role.APP, self.tenant) as db:
            await db.execute(
                "INSERT INTO documents (tenant_id, id, title, size_bytes, sha256, status, version, created_at, "
                "updated_at) VALUES (%(tenant)s, %(id)s, '', 1, '', 'queued', 1, now(), now())",
                tenant=self.tenant,
                id=document,
            )
        return document

    async def ask(self, text: str | None, near: str | None = None, depth: int = 100, **filters) -> Candidates:
        snapshot = self.database.snapshot(Role.APP, self.tenant)
        try:
            vector = vector_of(near) if near is not None else None
            return await Lookup(IndexReader(snapshot, self.tenant, EVERYTHING), RECIPE).candidates(
                text, vector, Filters(**filters), depth=depth
            )
        finally:
            await snapshot.abandon()

    async def texts(self, candidates: Candidates, ordinals: Sequence[int]) -> list[str]:
        snapshot = self.database.snapshot(Role.APP, self.tenant)
        try:
            lookup = Lookup(IndexReader(snapshot, self.tenant, EVERYTHING), RECIPE)
            found = await lookup.passages(candidates.build, ordinals)
            return [found[ordinal].text for ordinal in ordinals]
        finally:
            await snapshot.abandon()


def chunks_of(texts: Sequence[str], title: str, language: str) -> list[NewChunk]:
    chunks, start = [], 0
    for text in texts:
        words = words_of(title, text, language)
        chunks.append(NewChunk(text, start, start + len(text), None, (), language, words, vector_of(text)))
        start += len(text)
    return chunks


@pytest.fixture
def shelf(database, tenant) -> Shelf:
    return Shelf(database, tenant)


@pytest.fixture
def foreign_shelf(database, stranger) -> Shelf:
    return Shelf(database, stranger)
