"""HTML to text: blocks become lines, table rows become one line each, page furniture is left out.

The parser's events are read as they come and no tree is built: depth costs nothing, a long text needs little
memory, and no limit of the tree builder can cut a document short without a word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

from carrel.core.text import canonical
from carrel.ingestion.extraction.flow import Flow, Mark
from carrel.ingestion.extraction.model import Content, Heading, Source

LONGEST_TITLE = 200


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_NEVER_TEXT = _names(
    "script style noscript template svg canvas iframe object embed audio video map datalist select option optgroup "
    "textarea button input"
)
_FURNITURE = frozenset(("nav", "aside"))
_FURNITURE_OF_THE_PAGE = frozenset(("header", "footer"))
_SECTIONS = frozenset(("article", "main", "section"))
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_PARAGRAPHS = _names("p pre blockquote ul ol dl table figure section article main details fieldset hr")
_LINES = _names(
    "div li dt dd tr caption thead tbody tfoot figcaption summary legend address header footer nav aside form center "
    "body title"
)
_BREAKS = {**dict.fromkeys(_LINES, 1), **dict.fromkeys(_PARAGRAPHS, 2)}
_CELLS = frozenset(("td", "th"))
_BLOCK = 1 << 16


def read(source: Source) -> Content:
    decoded = source.decoded
    walker = _walk(decoded.text, _Walker())
    if not walker.flow.text().strip():
        # Some pages are one big form or one big header; that is better than nothing.
        walker = _walk(decoded.text, _Walker(furniture=True))
    title = " ".join("".join(walker.title).split())
    if not title:
        title = next((heading.text for heading in walker.headings if heading.level == 1), "")
    return Content(
        canonical(walker.flow.text()),
        decoded.encoding,
        canonical(title)[:LONGEST_TITLE] or None,
        (walker.language or "").replace("_", "-").partition("-")[0].strip().lower() or None,
        headings=tuple(walker.headings),
    )


def _walk(text: str, walker: "_Walker") -> "_Walker":
    # No entity is expanded from a document type and nothing is loaded: this parser knows only HTML's own names.
    target: Any = walker  # typed loosely: the stubs ask for bytes where HTML only ever has text
    parser = etree.HTMLParser(target=target, encoding="utf-8", huge_tree=False, no_network=True)
    for start in range(0, len(text), _BLOCK):
        parser.feed(text[start : start + _BLOCK].encode())
    try:
        parser.close()
    except etree.XMLSyntaxError:
        # The parser's word for "not one element", as in an empty page or a lone comment. That is no failure.
        if walker.started:
            raise
    if parser.feed_error_log.filter_from_fatals():
        # Of running out of memory, the one fatal error that HTML has, the parser says nothing but this: it stops
        # and what came before would pass for the whole page.
        raise MemoryError
    return walker


@dataclass(slots=True)
class _Table:
    cells: int = 0
    inside_cell: bool = False


class _Walker:
    """Receives the parser's events. With `furniture`, navigation and the like are kept."""

    def __init__(self, *, furniture: bool = False) -> None:
        self.flow = Flow()
        self.headings: list[Heading] = []
        self.title: list[str] = []
        self.language: str | None = None
        self.started = False
        self._furniture = furniture
        self._depth = 0
        self._skipped_from = 0
        self._title_from = 0
        self._sections = 0
        self._preformatted = 0
        self._pre_is_fresh = False
        self._level = 0
        self._tables: list[_Table] = []
        self._forms: list[tuple[Mark, int]] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.started = True
        self._depth += 1
        if self._skipped_from or self._title_from:
            return
        if self._is_skipped(tag):
            self._skipped_from = self._depth
        elif tag == "title":
            self._title_from = self._depth
        elif tag == "html":
            self.language = attributes.get("lang") or attributes.get("xml:lang")
        elif tag == "br":
            self._break_line()
        else:
            self._open(tag)

    def end(self, tag: str) -> None:
        self._depth -= 1
        if self._skipped_from or self._title_from:
            # Reaching the depth from before the element ends it, even where soup has lost an end tag.
            self._skipped_from = self._skipped_from if self._depth >= self._skipped_from else 0
            self._title_from = self._title_from if self._depth >= self._title_from else 0
            return
        self._close(tag)

    def data(self, text: str) -> None:
        if self._skipped_from:
            return
        if self._title_from:
            self.title.append(text)
        elif self._preformatted:
            self._add_preformatted(text)
        else:
            self.flow.words(text)

    def comment(self, text: str) -> None:
        """Comments are not content."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Nor are processing instructions."""

    def close(self) -> None:
        self._finish_heading()

    def _add_preformatted(self, text: str) -> None:
        # The newline right after the tag belongs to the tag, says HTML; the parser passes it on.
        self.flow.verbatim(text.removeprefix("\n") if self._pre_is_fresh else text)
        self._pre_is_fresh = False

    def _is_skipped(self, tag: str) -> bool:
        if tag in _NEVER_TEXT:
            return True
        if self._furniture:
            return False
        return tag in _FURNITURE or (tag in _FURNITURE_OF_THE_PAGE and not self._sections)

    def _open(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._finish_heading()
            self.flow.end_line(2)
            self.flow.begin()
            self._level = _HEADINGS[tag]
            return
        if self._level and _BREAKS.get(tag) == 2:
            self._finish_heading()  # a heading that nobody closed ends where a paragraph begins
        self._sections += tag in _SECTIONS
        if tag == "form" and not self._furniture:
            self._forms.append((self.flow.mark(), len(self.headings)))
        if tag == "table":
            self.flow.end_line(2)
            self._tables.append(_Table())
        elif self._tables and (tag in _CELLS or tag == "tr"):
            self._open_in_table(tag)
        else:
            self._break(tag)
        self._preformatted += tag == "pre"
        self._pre_is_fresh = tag == "pre"

    def _open_in_table(self, tag: str) -> None:
        table = self._tables[-1]
        if tag == "tr":
            self._tables[-1] = _Table()
            self.flow.end_line()
            return
        if table.cells:
            self.flow.tab()
        table.cells += 1
        table.inside_cell = True

    def _close(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._finish_heading()
        self._sections -= tag in _SECTIONS
        self._preformatted -= tag == "pre"
        if self._tables and tag in _CELLS:
            self._tables[-1].inside_cell = False
        elif self._tables and tag == "tr":
            self._tables[-1] = _Table()
            self.flow.end_line()
        elif self._tables and tag == "table":
            self._tables.pop()
            self.flow.end_line(2)
        else:
            self._break(tag)
        if tag == "form" and self._forms:
            self._drop_form(*self._forms.pop())

    def _drop_form(self, mark: Mark, headings: int) -> None:
        # A form with headings is a page in a form, as some frameworks make them, not a search box.
        if len(self.headings) == headings:
            self.flow.rewind(mark)

    def _break(self, tag: str) -> None:
        newlines = _BREAKS.get(tag, 0)
        if newlines and self._is_one_line():
            self.flow.space()
        elif newlines:
            self.flow.end_line(newlines)

    def _break_line(self) -> None:
        if self._is_one_line():
            self.flow.space()
        else:
            self.flow.next_line()

    def _is_one_line(self) -> bool:
        return bool(self._level) or bool(self._tables and self._tables[-1].inside_cell)

    def _finish_heading(self) -> None:
        if not self._level:
            return
        level, self._level = self._level, 0
        start, text = self.flow.since_begin()
        title = " ".join(text.split())[:LONGEST_TITLE]
        if title:
            self.headings.append(Heading(start, level, title))
        self.flow.end_line(2)
