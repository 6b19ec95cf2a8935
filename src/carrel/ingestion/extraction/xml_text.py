"""XML documents: their text in document order. Elements become lines, except those in the middle of a sentence."""

import re
from collections.abc import Mapping
from typing import Any

from lxml import etree

from carrel.ingestion.extraction import plain
from carrel.ingestion.extraction.errors import NoTextFound, over_limit, unsafe
from carrel.ingestion.extraction.flow import Flow
from carrel.ingestion.extraction.model import Content, Source

DEEPEST = 200
_DECLARATION = re.compile(r"\s*<\?xml[^<>]*\?>")
_ENTITY = re.compile(r"<!ENTITY\b")
_BLOCK = 1 << 16


def read(source: Source) -> Content:
    """The text of all elements. What only looks like XML is text as it stands, marks and all."""
    text = source.decoded.text
    if _ENTITY.search(text[: text.find("]>") + 1]):
        raise unsafe("The document declares entities, which are never expanded here.")
    walker = _Walker()
    target: Any = walker  # typed loosely: the stubs ask for bytes where XML only ever has text
    parser = etree.XMLParser(
        target=target, encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    # The text is decoded already, so what it says about its encoding is true no more.
    body = _DECLARATION.sub("", text, count=1)
    try:
        for start in range(0, len(body), _BLOCK):
            parser.feed(body[start : start + _BLOCK].encode())
        parser.close()
    except etree.XMLSyntaxError:
        if walker.deepest >= DEEPEST:
            raise over_limit(f"The document is nested more than {DEEPEST} levels deep.", "depth") from None
        return plain.read(source)
    found = walker.flow.text()
    if not found.strip():
        raise NoTextFound("The XML has no text in it, only marks.", hint="Send it as a text file to keep the marks.")
    return Content(found, source.decoded.encoding, " ".join("".join(walker.title).split())[:200] or None)


class _Walker:
    """Receives the parser's events. A line end is owed after each element and taken back when its sentence goes on."""

    def __init__(self) -> None:
        self.flow = Flow()
        self.title: list[str] = []
        self.deepest = 0
        self._said: list[bool] = []
        self._parent: list[bool] = []
        self._in_title = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if len(self._said) >= DEEPEST:
            self.deepest = DEEPEST
            raise over_limit(f"The document is nested more than {DEEPEST} levels deep.", "depth")
        if self._said and not self._said[-1]:
            self.flow.end_line()
        if self._parent:
            self._parent[-1] = True
        self._in_title = len(self._said) <= 2 and tag.rpartition("}")[2] == "title" and not self.title
        self._said.append(False)
        self._parent.append(False)

    def end(self, tag: str) -> None:
        said, parent = self._said.pop(), self._parent.pop()
        self._in_title = False
        if not self._said:
            return
        self.flow.end_line(2 if parent and not said else 1)

    def data(self, text: str) -> None:
        if self._in_title:
            self.title.append(text)
        if text.strip():
            if self._parent and self._parent[-1]:
                self.flow.go_on()
            self._said[-1] = True
        self.flow.words(text)

    def comment(self, text: str) -> None:
        """Comments are not content."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Nor are processing instructions."""

    def close(self) -> None:
        """Nothing is left to do."""
