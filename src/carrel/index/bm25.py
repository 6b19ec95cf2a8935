"""BM25 (Robertson and Zaragoza, 2009) over forward rows, exactly and in numpy. Pure: rows in, scores out.

The idf is ln(1 + (N - df + 0.5) / (df + 0.5)), which is never negative. N and the document frequencies must count the
same set of chunks, deleted ones that are not purged yet included; else frequent words come out too rare.
"""

from collections.abc import Iterable, Mapping
from math import log1p

import numpy as np
from numpy.typing import NDArray

from carrel.index.terms import Integers, Rows

K1 = 1.2
B = 0.75

Scores = NDArray[np.float64]


def inverse_document_frequency(frequency: int, count: int) -> float:
    """How much a word tells that `frequency` of `count` chunks hold."""
    return log1p((count - frequency + 0.5) / (frequency + 0.5))


def saturation(frequencies: NDArray[np.floating], lengths: NDArray[np.floating], average_length: float) -> Scores:
    """A word's part of the score before idf: grows with its frequency towards 2.2, more slowly in long chunks."""
    norm = K1 * (1 - B + B * lengths / average_length)
    return np.asarray(frequencies * (K1 + 1) / (frequencies + norm), np.float64)


def score(
    rows: Rows,
    query: Mapping[int, int],
    *,
    count: int,
    average_length: float,
    document_frequency: Mapping[int, int] | None = None,
) -> Scores:
    """The BM25 score of each row for a query of term numbers and how often it repeats them, in the order of the rows.

    `document_frequency` covers `count` chunks; without it these rows are taken to be the whole set. A term that it
    lacks is taken to occur in these rows only. Rows without any word of the query score 0, all others more.
    """
    scores = np.zeros(len(rows), np.float64)
    ends = np.cumsum(rows.counts)
    for term, repetitions in query.items():
        places = np.flatnonzero(rows.terms == np.int32(term))
        if not len(places):
            continue
        known = None if document_frequency is None else document_frequency.get(term)
        weight = repetitions * inverse_document_frequency(len(places) if known is None else known, count)
        # A row holds a term once, so plain indexed addition loses nothing.
        holders = np.searchsorted(ends, places, side="right")
        lengths = rows.lengths[holders].astype(np.float64)
        scores[holders] += weight * saturation(rows.frequencies[places].astype(np.float64), lengths, average_length)
    return scores


def document_frequencies(rows: Rows, terms: Iterable[int]) -> dict[int, int]:
    """In how many of the rows each term occurs; terms that occur nowhere are left in with 0."""
    return {term: int(np.count_nonzero(rows.terms == np.int32(term))) for term in terms}


def top(scores: NDArray[np.floating], k: int, ordinals: Integers | None = None) -> Integers:
    """The places of the `k` best scores above 0, best first; of equal ones the lower ordinal (or place) first."""
    found = np.flatnonzero(scores > 0)
    if k <= 0 or not len(found):
        return found[:0]
    values = scores[found]
    if len(found) > k:
        # All that equal the k-th best stay in until the sort, or which of them is returned would be left to chance.
        kept = values >= np.partition(values, -k)[-k]
        found, values = found[kept], values[kept]
    ties = found if ordinals is None else ordinals[found]
    return found[np.lexsort((ties, -values))][:k]
