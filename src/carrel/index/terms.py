"""The forward row of a chunk: its words as numbers with their frequencies, the truth behind all postings."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.index.analysis import analyse, term_id

RECORD = np.dtype([("term", "<i4"), ("frequency", "u1")])
"""One term of a row as it is stored: five bytes, no padding."""

HIGHEST_FREQUENCY = 255
TITLE_WEIGHT = 2

Integers = NDArray[np.int64]
Numbers = Sequence[int] | NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Forward:
    """What the index stores of one chunk's words: how many there are, and each with its frequency, by rising number."""

    length: int
    terms: bytes

    @property
    def count(self) -> int:
        """How many different words the row holds."""
        return len(self.terms) // RECORD.itemsize


def forward(title: str, text: str, language: str) -> Forward:
    """Analyse a chunk and its title into one row; the title's words count twice, in the length as well.

    A frequency above 255 is stored as 255 (BM25 has levelled off long before), the length is never cut.
    """
    counted = Counter(analyse(text, language))
    for term in analyse(title, language):
        counted[term] += TITLE_WEIGHT
    return Forward(length=counted.total(), terms=pack(_by_number(counted)))


def query(text: str, languages: Iterable[str]) -> dict[int, int]:
    """Term numbers of a query and how often it repeats them, united over the languages of the chunks it is put to.

    A word that comes out alike in two languages counts once, not twice.
    """
    united: Counter[str] = Counter()
    for language in languages:
        united |= Counter(analyse(text, language))
    return dict(_by_number(united))


def pack(frequencies: Mapping[int, int]) -> bytes:
    """Term numbers and their frequencies as records of five bytes, sorted by number."""
    records = np.array(
        [(term, min(frequency, HIGHEST_FREQUENCY)) for term, frequency in sorted(frequencies.items())], RECORD
    )
    return records.tobytes()


@dataclass(frozen=True, slots=True)
class Rows:
    """Many forward rows side by side, ready to be ranked.

    `ordinals`, `lengths` and `counts` (of different words) have one number for each row; `terms` and `frequencies` hold
    the words of all rows, one row after the other.
    """

    ordinals: Integers
    lengths: Integers
    counts: Integers
    terms: NDArray[np.int32]
    frequencies: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ordinals)


def unpack(ordinals: Numbers, lengths: Numbers, counts: Numbers, packed: bytes) -> Rows:
    """Read rows as the database hands them over: three lists or arrays of one length and the concatenated records.

    Raises `ValueError` when the lists and the records do not belong together.
    """
    if not len(ordinals) == len(lengths) == len(counts):
        raise ValueError("Ordinals, lengths and counts of forward rows differ in number.")
    numbers = _integers(counts)
    if numbers.sum() * RECORD.itemsize != len(packed):
        raise ValueError("The packed terms are not as many as the counts of their rows say.")
    records = np.frombuffer(packed, RECORD)
    return Rows(
        ordinals=_integers(ordinals),
        lengths=_integers(lengths),
        counts=numbers,
        # Copied, because every term of a query is compared with all of them, and they lie five bytes apart.
        terms=np.ascontiguousarray(records["term"]),
        frequencies=records["frequency"],
    )


def _by_number(counted: Counter[str]) -> Counter[int]:
    numbered: Counter[int] = Counter()
    for term, frequency in counted.items():
        numbered[term_id(term)] += frequency
    return numbered


def _integers(values: Numbers) -> Integers:
    return np.asarray(values, dtype=np.int64)
