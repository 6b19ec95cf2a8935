"""The pieces of a PDF page put together. pypdf sees gaps to the right only; in Arabic the next cell is to the left."""

import re
from collections.abc import Sequence

from pypdf import mult

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_SAME_LINE = 0.3
"""Pieces whose heights differ by less than this part of a letter's size stand on one line."""


class Lines:
    """Receives the pieces of a page as pypdf comes to them; together they are what it returns itself."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._x = self._y = 0.0

    def take(self, text: str, cm: Sequence[float], tm: Sequence[float], font: object, size: float) -> None:
        """Add a piece that begins where the matrices say."""
        if not text:
            return
        place = mult(list(tm), list(cm))
        x, y, letter = place[4], place[5], abs(place[0]) * size
        if self._is_gap(text, x, y, letter):
            self._pieces.append(" ")
        self._pieces.append(text)
        self._x, self._y = x, y

    def text(self) -> str:
        return "".join(self._pieces)

    def _is_gap(self, text: str, x: float, y: float, letter: float) -> bool:
        before = self._pieces[-1][-1:] if self._pieces else ""
        if not before or before.isspace() or text[0].isspace() or abs(y - self._y) > _SAME_LINE * letter:
            return False
        # No letter is wider than the size of its font: beyond that many of them there is certainly a gap.
        return self._x - x > letter * len(text) and bool(_RIGHT_TO_LEFT.search(text) or _RIGHT_TO_LEFT.match(before))
