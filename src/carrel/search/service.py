"""The read river: one question down to the index, passages back up."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Histogram

from carrel.core.ids import DocumentId
from carrel.index.schemas import Candidates, Filters, Passage
from carrel.search.fusion import Candidate, Fused, recipe, rrf, vote, weights
from carrel.search.schemas import Explained, Explanation, Hit, Hits, Leg, Query, Timing

DEPTH = 100
"""Candidates of each leg. Deeper ones changed no first ten on the judged collections."""

SECONDS = Histogram(
    "search_duration_seconds",
    "Time of a search inside the server.",
    ["type"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


class Lookup(Protocol):
    """The chunks of one tenant, read in one snapshot."""

    async def candidates(
        self, text: str | None, vector: NDArray[np.float32] | None, filters: Filters, *, depth: int
    ) -> Candidates: ...
    async def passages(self, build: int, ordinals: Sequence[int]) -> dict[int, Passage]: ...
    async def owners(self, build: int, ordinals: Sequence[int]) -> dict[int, DocumentId]: ...


class Encoder(Protocol):
    """Turns a query into a vector."""

    async def query(self, text: str) -> NDArray[np.float32]: ...
    def knows(self, text: str) -> bool: ...


class Allowance(Protocol):
    """The searches that the organisation may make today."""

    async def charge(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Ranked:
    """The fused order, and the weight that the vectors had in it."""

    order: Sequence[Fused[int]]
    legs: tuple[str, ...]
    vector_weight: float | None


@dataclass(frozen=True, slots=True)
class Search:
    """Answer a query from words and meaning at once. Reads only; safe to retry."""

    lookup: Lookup
    encoder: Encoder
    allowance: Allowance

    async def run(self, query: Query) -> Hits:
        """The passages for a query. Raises what the allowance refuses with; nothing was done then."""
        started = time.perf_counter()
        await self.allowance.charge()
        vector = None if query.type == "keyword" else await self.encoder.query(query.query)
        encoded = time.perf_counter()
        words = None if query.type == "semantic" else query.query
        candidates = await self.lookup.candidates(words, vector, query.filters, depth=DEPTH)
        ranked = rank(query, candidates, script_known=self.encoder.knows(query.query))
        best = await self._best(query, candidates, ranked.order)
        fused = time.perf_counter()
        passages = await self.lookup.passages(candidates.build, [item.id for item in best])
        ended = time.perf_counter()
        SECONDS.labels(query.type).observe(ended - started)
        timing = Timing(
            encode=_milliseconds(encoded - started),
            rank=_milliseconds(fused - encoded),
            read=_milliseconds(ended - fused),
        )
        return Hits(
            query=query.query,
            type=query.type,
            # A chunk deleted between ranking and reading is dropped, not shown empty.
            results=[_hit(query, item, passages[item.id], candidates, ranked) for item in best if item.id in passages],
            total=candidates.matches if query.type == "keyword" else len(ranked.order),
            total_relation="matches" if query.type == "keyword" else "candidates",
            took_ms=_milliseconds(ended - started),
            explanation=_explained(query, candidates, ranked, timing) if query.explain else None,
        )

    async def _best(self, query: Query, candidates: Candidates, order: Sequence[Fused[int]]) -> Sequence[Fused[int]]:
        if query.group_by is None:
            return order[: query.limit]
        owners = await self.lookup.owners(candidates.build, [item.id for item in order])
        first: dict[DocumentId, Fused[int]] = {}
        for item in order:
            if item.id in owners:
                first.setdefault(owners[item.id], item)
        return list(first.values())[: query.limit]


def rank(query: Query, candidates: Candidates, *, script_known: bool) -> Ranked:
    """The one order that the legs give together, with each leg's share in every score."""
    if query.type == "keyword":
        return Ranked(_alone(candidates.by_words, candidates.words), ("words",), None)
    if query.type == "semantic":
        return Ranked(_alone(candidates.by_vector, candidates.vector), ("vector",), None)
    if query.fusion == "rrf":
        return Ranked(rrf([candidates.by_words, candidates.by_vector]), ("words", "vector"), None)
    w = vote(script_known=script_known)
    # A chunk that both legs found has both scores; one without a vector yet has none and takes no vote from it.
    pool = [Candidate(one, candidates.words[one], candidates.vector.get(one, 0.0)) for one in candidates.words]
    fused = recipe(pool, w=w) if query.fusion == "recipe" else weights(pool, w=w)
    return Ranked(fused, ("words", "vector"), w)


def _alone(order: Sequence[int], scores: dict[int, float]) -> list[Fused[int]]:
    return [Fused(item, place, (scores[item],)) for place, item in enumerate(order, start=1)]


def _hit(query: Query, item: Fused[int], passage: Passage, candidates: Candidates, ranked: Ranked) -> Hit:
    return Hit(
        document_id=passage.document_id,
        chunk_id=passage.chunk_id,
        external_id=passage.external_id,
        version=passage.version,
        title=passage.title,
        filename=passage.filename,
        doc_type=passage.doc_type,
        language=passage.language,
        tags=passage.tags,
        score=item.score,
        text=passage.text,
        page=passage.page,
        start=passage.start,
        end=passage.end,
        heading_path=passage.heading_path,
        explanation=_why(item, candidates, ranked) if query.explain else None,
    )


def _why(item: Fused[int], candidates: Candidates, ranked: Ranked) -> Explanation:
    shares = dict(zip(ranked.legs, item.shares, strict=True))
    known = {
        "words": (candidates.by_words, candidates.words),
        "vector": (candidates.by_vector, candidates.vector),
    }
    legs = {}
    for name, share in shares.items():
        order, scores = known[name]
        place = order.index(item.id) + 1 if item.id in order else None
        legs[name] = Leg(rank=place, score=scores.get(item.id, 0.0), share=share)
    return Explanation(**legs)


def _explained(query: Query, candidates: Candidates, ranked: Ranked, timing: Timing) -> Explained:
    return Explained(
        fusion=query.fusion if query.type == "hybrid" else None,
        vector_weight=ranked.vector_weight,
        filters=query.filters.model_dump(exclude_none=True, mode="json"),
        candidates={"words": len(candidates.by_words), "vector": len(candidates.by_vector), "fused": len(ranked.order)},
        timing_ms=timing,
    )


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
