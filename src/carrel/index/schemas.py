"""What goes into the index and what comes out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from carrel.core.ids import ChunkId, DocumentId
from carrel.index.terms import Forward


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Word = Annotated[str, Field(max_length=512)]
Words = Annotated[list[Word], BeforeValidator(_listed), Field(max_length=100)]
Status = Literal["queued", "processing", "indexed", "failed"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What index rows are made with. Rows of different recipes cannot be compared."""

    splitter: str
    analyser: str
    model: str
    dimension: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A document as the index knows it: what results show and filters ask for."""

    document_id: DocumentId
    version: int
    title: str
    external_id: str | None
    filename: str | None
    doc_type: str | None
    language: str | None
    tags: Sequence[str]
    size_bytes: int
    created_at: datetime
    collection_id: UUID | None = None
    readers: Sequence[str] | None = None


ChunkWords = Forward
"""The words of a chunk as the index keeps them."""


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk on its way in: its place in the text, its words and its vector."""

    text: str
    start: int
    end: int
    page: int | None
    heading_path: Sequence[str]
    language: str
    words: ChunkWords
    vector: NDArray[np.float32]


class Filters(BaseModel):
    """Narrow a search. Values of one field are alternatives, except `tags`, which must all be there."""

    model_config = ConfigDict(extra="forbid")

    tags: Words | None = None
    type: Words | None = None
    status: Annotated[list[Status], BeforeValidator(_listed), Field(max_length=100)] | None = None
    language: Words | None = None
    external_id: Words | None = None
    document_id: Annotated[list[UUID], BeforeValidator(_listed), Field(max_length=100)] | None = None
    collection: Words | None = None
    """Collections, by id or slug."""

    @property
    def given(self) -> dict[str, Any]:
        """What is asked for, by field; a null asks for nothing, like a field that is left out."""
        return {name: value for name, value in self if value is not None}


@dataclass(frozen=True, slots=True)
class Candidates:
    """What both legs found, best first, and both scores for all of it. Numbers are ordinals of chunks."""

    build: int
    by_words: Sequence[int]
    by_vector: Sequence[int]
    words: dict[int, float]
    vector: dict[int, float]
    matches: int
    """How many chunks the words match, beyond those listed."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk with its place and its document."""

    ordinal: int
    chunk_id: ChunkId
    document_id: DocumentId
    external_id: str | None
    version: int
    title: str
    filename: str | None
    doc_type: str | None
    language: str | None
    tags: list[str]
    text: str
    page: int | None
    start: int
    end: int
    heading_path: list[str]


class ChunkView(BaseModel):
    """A chunk of a document: `text` is exactly the characters `start` to `end` of the document's text."""

    id: ChunkId
    document_id: DocumentId
    version: int
    position: int
    text: str
    page: int | None
    start: int
    end: int
    heading_path: list[str]
    language: str | None
