"""The skeleton of a Markdown text: its headings, and the fences and tables that should stay in one piece.

The text itself is kept as it was written, so every position in it is exact.
"""

import re
from dataclasses import dataclass

from carrel.ingestion.extraction.model import Content, Heading, Source

LONGEST_TITLE = 200

# One look at each line that could matter. No part can match the same characters in two ways, so hostile
# lines cost no more than their length.
_LINE = re.compile(
    r"^ {0,3}(?:"
    r"(?P<hashes>#{1,6})(?:[ \t]+(?P<title>[^\r\n]*))?(?=[\r\n]|\Z)"
    r"|(?P<fence>`{3,}|~{3,})(?P<info>[^\r\n]*)"
    r"|(?P<rule>[|:\- \t]+)(?=[\r\n]|\Z)"
    r")",
    re.MULTILINE,
)
_CLOSING_HASHES = re.compile(r"(?:^|[ \t])#+$")


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Headings (ATX only) and the ranges of fenced code and tables, both in the order of the text."""

    headings: tuple[Heading, ...]
    blocks: tuple[tuple[int, int], ...]


def read(source: Source) -> Content:
    decoded = source.decoded
    headings = skeleton(decoded.text).headings
    title = next((heading.text for heading in headings if heading.level == 1), None)
    return Content(decoded.text, decoded.encoding, title, headings=headings)


def skeleton(text: str) -> Skeleton:
    """Find headings outside fences, fences (an unclosed one reaches to the end), and tables."""
    headings: list[Heading] = []
    blocks: list[tuple[int, int]] = []
    past = 0
    opening: re.Match[str] | None = None
    for line in _LINE.finditer(text):
        if opening:
            if _closes(line, opening):
                blocks.append((opening.start(), _next_line(text, line.end())))
                opening = None
        elif line.start() < past:
            continue
        elif line["hashes"]:
            headings.append(_heading(line))
        elif line["fence"]:
            opening = line if _opens(line) else None
        elif table := _table(text, line, past):
            blocks.append(table)
            past = table[1]
    if opening:
        blocks.append((opening.start(), len(text)))
    return Skeleton(tuple(heading for heading in headings if heading.text), tuple(blocks))


def _heading(line: re.Match[str]) -> Heading:
    title = _CLOSING_HASHES.sub("", (line["title"] or "").strip()).strip()
    return Heading(line.start(), len(line["hashes"]), title[:LONGEST_TITLE])


def _opens(line: re.Match[str]) -> bool:
    return line["fence"][0] == "~" or "`" not in line["info"]


def _closes(line: re.Match[str], opening: re.Match[str]) -> bool:
    return bool(line["fence"]) and line["fence"].startswith(opening["fence"]) and not line["info"].strip()


def _table(text: str, rule: re.Match[str], past: int) -> tuple[int, int] | None:
    """A table is a line with bars, the rule under it, and all lines with bars that follow."""
    if not {"|", "-"} <= set(rule["rule"]):
        return None
    start = max(past, text.rfind("\n", 0, max(0, rule.start() - 1)) + 1)
    if "|" not in text[start : rule.start()]:
        return None
    end = _next_line(text, rule.end())
    while end < len(text) and "|" in text[end : (after := _next_line(text, end))]:
        end = after
    return start, end


def _next_line(text: str, position: int) -> int:
    return text.find("\n", position) + 1 or len(text)
