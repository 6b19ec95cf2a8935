"""What reading a document gives."""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from carrel.ingestion.extraction.encoding import Decoded, decode

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]+)", re.IGNORECASE)
_CHARSET_IN_CONTENT = re.compile(
    rb"<(?:meta[^<>]{1,200}charset\s*=|\?xml[^<>]{1,200}encoding\s*=)\s*[\"']?([A-Za-z0-9._:-]+)", re.IGNORECASE
)

Kind = Literal["text", "markdown", "code"]
"""How the text is to be split."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading that begins at a character of the text."""

    start: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class PageStart:
    """A page, counted from 1, that begins at a character of the text."""

    start: int
    page: int


@dataclass(frozen=True, slots=True)
class Extracted:
    """The canonical text of a document and what is known about it. All positions count its code points."""

    text: str
    doc_type: str
    mime_type: str
    title: str | None
    language: str
    encoding: str
    kind: Kind
    pages: tuple[PageStart, ...] = ()
    headings: tuple[Heading, ...] = ()
    author: str | None = None
    created: str | None = None
    """When it was made, as the document itself says, in ISO 8601."""

    def page_at(self, position: int) -> int | None:
        """The page a character is on, or None in documents without pages."""
        known = bisect_right(self.pages, position, key=lambda page: page.start)
        return self.pages[known - 1].page if known else None


@dataclass(frozen=True)
class Source:
    """The bytes of a document with what its sender said about them."""

    data: bytes
    filename: str | None
    declared_type: str | None
    inside: int = 0
    """In how many archives or messages it lies."""

    @cached_property
    def decoded(self) -> Decoded:
        """The content read as text; raises `NotText`."""
        return decode(self.data, self._declared_charset())

    @property
    def extension(self) -> str:
        """The end of the name in lower case without its dot; the whole name when it has no dot."""
        return (self.filename or "").rpartition(".")[2].lower()

    @property
    def media_type(self) -> str:
        return (self.declared_type or "").partition(";")[0].strip().lower()

    def _declared_charset(self) -> str | None:
        sent = _CHARSET.search(self.declared_type or "")
        if sent:
            return sent[1]
        written = _CHARSET_IN_CONTENT.search(self.data[:2048])
        return written[1].decode() if written else None


@dataclass(frozen=True, slots=True)
class Content:
    """What the reader of one format finds; the rest of `Extracted` is worked out alike for all formats."""

    text: str
    encoding: str
    title: str | None = None
    language: str | None = None
    pages: tuple[PageStart, ...] = ()
    headings: tuple[Heading, ...] = ()
    author: str | None = None
    created: str | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of document: its names in the API, how its text is split, and the function that reads it."""

    doc_type: str
    mime_type: str
    kind: Kind
    read: Callable[[Source], Content]
