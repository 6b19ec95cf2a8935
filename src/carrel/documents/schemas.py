"""Documents as callers send and see them, and as rows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, NoReturn, NotRequired, Self, TypedDict
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from carrel.core.ids import DocumentId, JobId
from carrel.documents.naming import TITLE_LENGTH, clean_filename

Status = Literal["queued", "processing", "indexed", "failed"]
ENDED: frozenset[str] = frozenset({"indexed", "failed"})

TAGS = 50
READERS = 100
METADATA_BYTES = 16 * 1024
METADATA_DEPTH = 20
SENT_NAME = 5000
"""Some send the whole path of a file as its name; the last part of it is kept."""
WRITTEN_TYPES = ("text/plain", "text/markdown", "text/html")


def _refuse(code: str, message: str) -> NoReturn:
    raise PydanticCustomError(code, message)


def _storable(text: str) -> str:
    if "\0" in text:
        _refuse("nul_character", "must not contain the character U+0000")
    return text


def _known_reader(given: str) -> str:
    kind, _, named = given.partition(":")
    if kind not in {"user", "group"}:
        _refuse("reader", "must begin with user: or group:")
    try:
        return f"{kind}:{UUID(named)}"
    except ValueError:
        _refuse("reader", f"must have the id of a {kind} after the colon")


def _distinct(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


def _link(url: str) -> str:
    if not url.lower().startswith(("http://", "https://")):
        _refuse("url_scheme", "must begin with http:// or https://")
    return url


def _written_type(given: str) -> str:
    kind = given.partition(";")[0].strip().lower()
    if kind not in WRITTEN_TYPES:
        _refuse("media_type", f"must be one of {', '.join(WRITTEN_TYPES)}; send other types as multipart/form-data")
    return f"{kind}; charset=utf-8"  # whatever charset was named: the content is stored as UTF-8


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    _walk(metadata, depth=1, budget=METADATA_BYTES)
    try:
        written = json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        _refuse("finite_number", "must not contain numbers too large to be stored")
    if len(written.encode()) > METADATA_BYTES:
        _refuse_size()
    return metadata


def _walk(value: Any, *, depth: int, budget: int) -> int:
    """What is left of `budget` after a byte per value at least: a large object is refused before it is written out."""
    if depth > METADATA_DEPTH:
        _refuse("too_deep", f"must not be nested more than {METADATA_DEPTH} levels deep")
    if isinstance(value, str):
        _storable(value)
    inner = [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    budget -= 1 + len(inner)
    if budget < 0:
        _refuse_size()
    for one in inner:
        budget = _walk(one, depth=depth + 1, budget=budget)
    return budget


def _refuse_size() -> NoReturn:
    _refuse("too_large", f"must not be larger than {METADATA_BYTES:,} bytes as JSON")


Storable = AfterValidator(_storable)
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TITLE_LENGTH), Storable]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=512), Storable]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Storable]
Tags = Annotated[list[Tag], Field(max_length=TAGS), AfterValidator(_distinct)]
Metadata = Annotated[dict[str, Any], AfterValidator(_small)]
Reader = Annotated[str, Field(max_length=60, examples=["group:019ab3f2-6c1e-7d2a-9b1f-0242ac120002"])]
Unique = Annotated[
    list[Annotated[Reader, AfterValidator(_known_reader)]],
    Field(min_length=1, max_length=READERS),
    AfterValidator(_distinct),
]
"""Readers, each once."""
Reference = Annotated[str, StringConstraints(min_length=1, max_length=100), Storable]
"""A collection's id or slug."""
Url = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2048), Storable, AfterValidator(_link)]


class Description(BaseModel):
    """What a sender may say about a document."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = Field(None, description="Else the file's name, or what the content is found to be called.")
    external_id: ExternalId | None = Field(None, description="Your own name for it; no two documents share one.")
    tags: Tags = Field(default_factory=list)
    metadata: Metadata = Field(default_factory=dict, description="Any JSON object; kept and given back as it is.")
    source_url: Url | None = Field(None, description="Where the document came from. It is never fetched.")
    collection: Reference | None = Field(None, description="The `id` or `slug` of the collection that it lies in.")
    readers: Unique | None = Field(
        None, description="Who may see it, each as `user:<id>` or `group:<id>`; else everybody here."
    )


class NewDocument(Description):
    """A text with what is said about it."""

    content: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="The text itself, kept character for character."
    )
    filename: Annotated[str, Field(max_length=SENT_NAME), AfterValidator(clean_filename)] | None = Field(
        None, description="Its suffix tells how to read the content when `mime_type` does not."
    )
    mime_type: Annotated[str, Field(max_length=200), AfterValidator(_written_type)] = Field(
        "text/plain; charset=utf-8", description="`text/plain`, `text/markdown` or `text/html`."
    )


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a document before it is read."""

    title: str
    title_given: bool
    external_id: str | None
    tags: Sequence[str]
    metadata: dict[str, Any]
    source_url: str | None
    filename: str | None
    mime_type: str | None
    collection: str | None = None
    """The id or slug of one."""
    readers: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document as it is stored."""

    id: DocumentId
    external_id: str | None
    title: str
    title_given: bool
    filename: str | None
    doc_type: str | None
    mime_type: str | None
    size_bytes: int
    sha256: str
    language: str | None
    status: Status
    error_code: str | None
    error_detail: str | None
    version: int
    chunk_count: int
    tags: list[str]
    metadata: dict[str, Any]
    source_url: str | None
    job_id: JobId | None
    collection_id: UUID | None
    readers: list[str] | None
    created_at: datetime
    updated_at: datetime
    indexed_at: datetime | None

    @property
    def etag(self) -> str:
        """Differs after every change. Weak, because it names a state and not the bytes of an answer."""
        return f'W/"{self.id.hex}.{int(self.updated_at.timestamp() * 1_000_000):x}"'


@dataclass(frozen=True, slots=True)
class Source:
    """A version that waits to be read, with what its sender said about it."""

    document_id: DocumentId
    version: int
    object_key: str
    title: str
    title_given: bool
    external_id: str | None
    filename: str | None
    mime_type: str | None
    size_bytes: int
    sha256: str
    tags: list[str]
    created_at: datetime


class Reading(TypedDict):
    """What reading a version has found. `text` is canonical: positions of chunks count in it."""

    text: str
    doc_type: str
    mime_type: str
    language: str | None
    chunk_count: int
    title: NotRequired[str | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which documents of a list are meant; None means any. All `tags` must be there."""

    statuses: list[Status] | None = None
    tags: list[str] | None = None
    external_id: str | None = None
    doc_type: str | None = None
    collection: str | None = None
    """The id or slug of one."""


class Failure(BaseModel):
    """Why a document could not be indexed."""

    code: str
    detail: str


class Document(BaseModel):
    """A document. Its text and chunks are there once its `status` is `indexed`."""

    id: DocumentId
    external_id: str | None
    title: str
    filename: str | None
    doc_type: str | None
    mime_type: str | None
    size_bytes: int
    sha256: str
    language: str | None
    status: Status
    error: Failure | None
    version: int
    chunk_count: int
    tags: list[str]
    metadata: dict[str, Any]
    source_url: str | None
    job_id: JobId | None
    collection_id: UUID | None
    readers: list[str] | None
    created_at: datetime
    updated_at: datetime
    indexed_at: datetime | None

    @classmethod
    def of(cls, row: DocumentRow) -> Self:
        shown = {name: getattr(row, name) for name in cls.model_fields if name != "error"}
        error = Failure(code=row.error_code, detail=row.error_detail or "") if row.error_code else None
        return cls(**shown, error=error)


class DocumentText(BaseModel):
    """The text of a document as it was read. Positions of chunks and citations count its characters (code points)."""

    document_id: DocumentId
    version: int
    text: str
    length: int
