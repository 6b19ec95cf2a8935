"""Which scripts a model can read, judged from its vocabulary."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

ENOUGH_PIECES = 500
"""Distinct vocabulary pieces that make a script known.

The English default has 26,023 pieces of Latin script. Next come 244 Chinese characters and 35 to 47 single letters each
of Cyrillic, Kana, Arabic and Hangul: with those it spells words letter by letter and does not understand them.
"""

LONGEST_LOOK = 4096
"""Characters that are looked at: the script of a text shows early, and nobody should wait for a long one."""


def scripts_of(vocabulary: Iterable[str]) -> frozenset[str]:
    """The scripts that a vocabulary has enough pieces of."""
    words = {"".join(letter for letter in piece if letter.isalpha()) for piece in vocabulary}
    pieces = Counter(_script(word[0]) for word in words if word)
    return frozenset(script for script, count in pieces.items() if count >= ENOUGH_PIECES)


def mostly_in(scripts: frozenset[str], text: str) -> bool:
    """Whether at least half of the letters belong to `scripts`. Without letters there is nothing unknown."""
    known = [_script(letter) in scripts for letter in _letters(text[:LONGEST_LOOK])]
    return sum(known) * 2 >= len(known)


def _letters(text: str) -> Iterator[str]:
    # Compatibility forms (full width, mathematical, presentation forms) belong to the script of their plain letter.
    return (character for character in unicodedata.normalize("NFKD", text) if character.isalpha())


@lru_cache(maxsize=8192)
def _script(letter: str) -> str:
    # The standard library does not know the script property, but the character's name begins with the script's.
    return unicodedata.name(letter, "UNNAMED").partition(" ")[0]
