"""A question and its answer."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from pydantic_core import PydanticCustomError

from carrel.index.schemas import Filters

EXAMPLE: dict[str, JsonValue] = {
    "query": "how long is the notice period of the lease?",
    "type": "hybrid",
    "limit": 5,
    "filters": {"tags": ["contracts"]},
    "explain": True,
}


def _says_something(query: str) -> str:
    if not query.strip():
        raise PydanticCustomError("blank", "Input should hold more than white space")
    return query


class Query(BaseModel):
    """What to look for, and how."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    query: Annotated[str, StringConstraints(min_length=1, max_length=4000), AfterValidator(_says_something)]
    type: Literal["hybrid", "semantic", "keyword"] = "hybrid"
    limit: int = Field(10, ge=1, le=100)
    filters: Filters = Field(default_factory=Filters)
    fusion: Literal["recipe", "rrf", "weights"] = "recipe"
    """How `hybrid` merges its two legs."""
    group_by: Literal["document"] | None = None
    """With `document`, each document is shown once, by its best passage."""
    explain: bool = False


class Leg(BaseModel):
    """What one leg said of a hit: its rank there (none when the leg did not list it), its score, its share."""

    rank: int | None
    score: float
    share: float


class Explanation(BaseModel):
    """Why a hit stands where it stands; the shares add up to its score."""

    words: Leg | None = None
    vector: Leg | None = None


class Hit(BaseModel):
    """A passage: `text` is exactly the characters `start` to `end` of that version's text."""

    document_id: UUID
    chunk_id: UUID
    external_id: str | None
    version: int
    title: str
    filename: str | None
    doc_type: str | None
    language: str | None
    tags: list[str]
    score: float
    text: str
    page: int | None
    start: int
    end: int
    heading_path: list[str]
    explanation: Explanation | None = None


class Timing(BaseModel):
    """Milliseconds by step."""

    encode: float
    rank: float
    read: float


class Explained(BaseModel):
    """How the whole search was done."""

    fusion: str | None
    vector_weight: float | None
    filters: dict[str, object]
    candidates: dict[str, int]
    cache: Literal["off"] = "off"
    timing_ms: Timing


class Hits(BaseModel):
    """Passages, best first. `total` counts all chunks that match for `keyword`, else the candidates looked at."""

    query: str
    type: Literal["hybrid", "semantic", "keyword"]
    results: list[Hit]
    total: int
    total_relation: Literal["matches", "candidates"]
    took_ms: float
    cached: bool = False
    explanation: Explained | None = None
