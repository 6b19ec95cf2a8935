"""Text to pieces. Pure: token positions in, ranges out.

A piece is a range of the text, so `text[start:end]` is the chunk by construction. Where to cut is decided by
boundaries of different rank; a cut is made at the best boundary of the last two thirds of what would fit.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from carrel.ingestion.extraction.markdown import skeleton
from carrel.ingestion.extraction.model import Heading, Kind, PageStart

TOKENS = 254
"""The default model looks at 256 tokens, and puts one of its own before and one after the text."""

CHARACTERS = 2_000
"""English fills the tokens with about 1,100 characters. But a word of over 100 characters is one unknown token
to WordPiece, so 200,000 characters of base64 would count as one token: the cap is what holds those."""

LONGEST_WORD = 100
"""Up to this many characters WordPiece takes a word apart, at worst into one token for each."""

_LINE_END = re.compile(r"\r\n?|\n")
_BLANK_LINES = re.compile(r"\n(?:[ \t\r]*\n)+")
_SENTENCE_END = re.compile(r"[.!?؟؛۔।…][\"'»”’)\]]*[ \t\u00a0]+|[。！？．][」』”’）]*")
_HEADING, _BLANK, _LINE, _SENTENCE = range(4)


@dataclass(frozen=True, slots=True)
class Piece:
    """One chunk: a range of the text, and the headings it stands under, outermost first."""

    start: int
    end: int
    heading_path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Splitter:
    """Cuts texts into pieces of at most `limit` tokens and `cap` characters, `overlap` tokens of which may repeat.

    Without overlap the pieces put together are the text again, except for white space that fits into no piece
    beside it and is left out: no piece is white space only. Fenced code and tables of Markdown are cut only when
    they do not fit into one piece; clusters such as a letter with its marks, only when nothing else is left.
    """

    limit: int = TOKENS
    cap: int = CHARACTERS
    overlap: int = 0

    def __post_init__(self) -> None:
        if self.limit < 1 or self.cap < 1 or not 0 <= self.overlap <= self.limit // 2:
            raise ValueError(
                "A splitter needs a limit and a cap of at least 1 and an overlap of at most half the limit."
            )

    @property
    def identifier(self) -> str:
        """Names the rules and their numbers: equal identifiers give equal pieces, so an index can record it."""
        return f"split-1/{self.limit}/{self.cap}/{self.overlap}"

    def split(
        self,
        text: str,
        starts: Sequence[int],
        *,
        kind: Kind = "text",
        headings: Sequence[Heading] = (),
        pages: Sequence[PageStart] = (),
    ) -> list[Piece]:
        """Cut a text whose tokens begin at `starts`, in rising order. White space only gives no pieces.

        `headings` are those an extraction has found; Markdown brings its own. A new page is as good a place to cut as a
        heading, since a piece is cited with the page on which it begins.
        """
        layout = _Layout(text, kind, headings, [page.start for page in pages])
        ranges = _without_blanks(text, list(_Cutter(self, text, starts, layout).ranges()), self.cap)
        return list(_placed(text, ranges, layout.headings))


def split(
    text: str,
    starts: Sequence[int],
    *,
    limit: int = TOKENS,
    cap: int = CHARACTERS,
    overlap: int = 0,
    kind: Kind = "text",
) -> list[Piece]:
    """`Splitter.split` for callers with numbers of their own."""
    return Splitter(limit, cap, overlap).split(text, starts, kind=kind)


class _Layout:
    """The boundaries of a text by rank, those inside fences and tables kept apart."""

    def __init__(self, text: str, kind: Kind, headings: Sequence[Heading], pages: Sequence[int]) -> None:
        self.text = text
        self.blocks: Sequence[tuple[int, int]] = ()
        self.headings = headings
        if kind == "markdown":
            found = skeleton(text)
            self.headings, self.blocks = found.headings, found.blocks
        lines = [match.end() for match in _LINE_END.finditer(text)]
        blanks = [match.end() for match in _BLANK_LINES.finditer(text)]
        tops = sorted({*pages, *(heading.start for heading in self.headings)})
        if kind == "code":
            # A line that starts at the margin after a blank one begins a function, a class or a new thought.
            tops = [start for start in blanks if not text[start : start + 1].isspace()]
        sentences = [] if kind == "code" else [match.end() for match in _SENTENCE_END.finditer(text)]
        self.inner = (blanks, lines)
        self.outer = tuple(self._outside(ends) for ends in (tops, blanks, lines, sentences))

    def block_around(self, position: int) -> tuple[int, int] | None:
        """The fence or table that a cut here would divide."""
        index = bisect_left(self.blocks, position, key=lambda block: block[0]) - 1
        if index >= 0 and position < self.blocks[index][1]:
            return self.blocks[index]
        return None

    def last(self, boundaries: Sequence[int], after: int, until: int) -> int | None:
        """The last boundary in (after, until] that divides no cluster."""
        for index in range(bisect_right(boundaries, until) - 1, -1, -1):
            if boundaries[index] <= after:
                return None
            if not divides_cluster(self.text, boundaries[index]):
                return boundaries[index]
        return None

    def first(self, earliest: int, end: int) -> int:
        """The first boundary of the best rank from `earliest` on; `end` where there is none, or a heading follows."""
        if self.last(self.outer[_HEADING], earliest - 1, end):
            return end  # what stands under another heading is not repeated
        for boundaries in self.outer[_BLANK:]:
            for index in range(bisect_left(boundaries, earliest), bisect_left(boundaries, end)):
                if not divides_cluster(self.text, boundaries[index]):
                    return boundaries[index]
        for begin in range(earliest, end):
            is_space = self.text[begin - 1].isspace() and not self.text[begin].isspace()
            if is_space and not self.block_around(begin) and not divides_cluster(self.text, begin):
                return begin
        return end

    def last_space(self, after: int, until: int) -> int | None:
        for end in range(until, after, -1):
            if self.text[end - 1].isspace() and not divides_cluster(self.text, end):
                return end
        return None

    def _outside(self, boundaries: list[int]) -> list[int]:
        if not self.blocks:
            return boundaries
        kept: list[int] = []
        past = 0
        for start, end in self.blocks:
            first, behind = bisect_right(boundaries, start), bisect_left(boundaries, end)
            kept += boundaries[past:first]
            past = max(first, behind)
        return kept + boundaries[past:]


@dataclass(frozen=True, slots=True)
class _Cutter:
    splitter: Splitter
    text: str
    starts: Sequence[int]
    layout: _Layout

    def ranges(self) -> Iterator[tuple[int, int]]:
        start = covered = 0
        while covered < len(self.text):
            end = self._end(start, covered)
            yield start, end
            covered = end
            start = self._step_back(start, end)

    def _end(self, start: int, covered: int) -> int:
        furthest = self._furthest(start)
        if furthest >= len(self.text):
            return len(self.text)
        balanced = self._leaving_enough(start, furthest)
        if covered < balanced < furthest:
            end = self._cut(start, covered, balanced)
            if self._furthest(end) >= len(self.text) and not divides_cluster(self.text, end):
                return end
        return self._cut(start, covered, furthest)

    def _furthest(self, start: int) -> int:
        """Where a piece that starts here has to end at the latest."""
        first = bisect_left(self.starts, start)
        last = first + max(1, self.splitter.limit - self._hidden_tokens(start, first))
        by_tokens = self.starts[last] if last < len(self.starts) else len(self.text)
        return min(max(by_tokens, start + 1), start + self.splitter.cap)

    def _hidden_tokens(self, start: int, first: int) -> int:
        """Tokens that the rest of a divided word may have more than were counted while it was whole."""
        if not start or self.text[start - 1].isspace() or self.text[start : start + 1].isspace():
            return 0
        end = start
        while end < len(self.text) and end - start <= LONGEST_WORD and _is_in_word(self.text[end]):
            end += 1
        if end - start > LONGEST_WORD:
            return 1
        return max(1, end - start - (bisect_left(self.starts, end) - first))

    def _leaving_enough(self, start: int, furthest: int) -> int:
        """An earlier latest end, so that the last piece of the text is not a mere scrap."""
        tokens, characters = self.splitter.limit // 4, self.splitter.cap // 4
        left = len(self.starts) - bisect_left(self.starts, furthest)
        if left >= tokens or len(self.text) - furthest >= characters:
            return furthest
        enough = max(self.starts[-tokens] if tokens <= len(self.starts) else 0, len(self.text) - characters)
        return enough if start < enough < furthest else furthest

    def _cut(self, start: int, covered: int, furthest: int) -> int:
        early = max(covered, start + (furthest - start) // 3)
        block = self.layout.block_around(furthest)
        for boundaries in self.layout.outer:
            if (end := self.layout.last(boundaries, early, furthest)) is not None:
                return end
        if block and covered < block[0] and self._furthest(block[0]) >= block[1]:
            return block[0]
        if block:
            return self._cut_inside(max(early, block[0]), furthest)
        return self.layout.last_space(early, furthest) or self._cut_long_word(start, covered, early, furthest)

    def _cut_inside(self, early: int, furthest: int) -> int:
        for boundaries in self.layout.inner:
            if (end := self.layout.last(boundaries, early, furthest)) is not None:
                return end
        return self.layout.last_space(early, furthest) or self._hard_cut(early, furthest)

    def _cut_long_word(self, start: int, covered: int, early: int, furthest: int) -> int:
        """A word that begins early and does not end is cut from its start, not torn off after a few letters."""
        before = self.layout.last(self.layout.outer[_LINE], covered, early) or self.layout.last_space(covered, early)
        if before and not self.text[start:before].isspace():
            return before
        return self._hard_cut(covered, furthest)

    def _hard_cut(self, after: int, furthest: int) -> int:
        lowest = max(after, furthest - LONGEST_WORD)
        # A word known as a whole, but not by its first letters, would turn into one token for each of them.
        known = bisect_right(self.starts, furthest)
        token = self.starts[known - 1] if known else 0
        if token > lowest and not divides_cluster(self.text, token):
            return token
        whole = (end for end in range(furthest, lowest, -1) if not divides_cluster(self.text, end))
        return next(whole, furthest)

    def _step_back(self, start: int, end: int) -> int:
        """The start of the next piece: up to `overlap` tokens before the last end, at a boundary."""
        first = bisect_left(self.starts, end)
        if not self.splitter.overlap or not first or end == len(self.text):
            return end
        earliest = max(self.starts[max(0, first - self.splitter.overlap)], start + 1, end - self.splitter.cap // 2)
        begin = self.layout.first(earliest, end)
        # A piece that repeats and then has no room for anything new would never end.
        return begin if self._furthest(begin) > end else end


def divides_cluster(text: str, position: int) -> bool:
    """Whether a cut here would part characters that are seen as one: marks, joined emoji, flags, CR LF, jamo."""
    if not 0 < position < len(text):
        return False
    before, after = text[position - 1], text[position]
    if after < "\u0300" and before != "\u200d":
        return before == "\r" and after == "\n"
    if before == "\u200d" or _continues(after):
        return True
    if _is_flag_letter(after):
        first = position
        while first and position - first < LONGEST_WORD and _is_flag_letter(text[first - 1]):
            first -= 1
        return (position - first) % 2 == 1
    return False


def _continues(character: str) -> bool:
    if character in "\u200c\u200d" or "\U0001f3fb" <= character <= "\U0001f3ff":
        return True
    if "\u1160" <= character <= "\u11ff" or "\U000e0020" <= character <= "\U000e007f":
        return True
    return unicodedata.category(character)[0] == "M"


def _is_in_word(character: str) -> bool:
    return character.isalnum() or _continues(character)


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _without_blanks(text: str, ranges: list[tuple[int, int]], cap: int) -> list[tuple[int, int]]:
    """White space joins the piece before it, else the one after it, and where it fits into neither it is left out."""
    kept: list[tuple[int, int]] = []
    waiting: tuple[int, int] | None = None
    for start, end in ranges:
        if text[start:end].isspace():
            if kept and kept[-1][1] >= start and end - kept[-1][0] <= cap:
                kept[-1] = (kept[-1][0], end)
            else:
                waiting = (start, end)
            continue
        joins = waiting is not None and waiting[1] >= start and end - waiting[0] <= cap
        kept.append((waiting[0] if waiting and joins else start, end))
        waiting = None
    return kept


def _placed(text: str, ranges: list[tuple[int, int]], headings: Sequence[Heading]) -> Iterator[Piece]:
    path: list[Heading] = []
    coming = 0
    for start, end in ranges:
        # The first thing to be read decides: a piece may begin with the blank lines before a heading.
        first = end - len(text[start:end].lstrip())
        while coming < len(headings) and headings[coming].start <= first:
            path = [above for above in path if above.level < headings[coming].level] + [headings[coming]]
            coming += 1
        yield Piece(start, end, tuple(heading.text for heading in path))
