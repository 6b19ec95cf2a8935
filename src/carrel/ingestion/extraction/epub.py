"""E-books: their chapters in reading order, each read as the page that it is."""

import posixpath
from collections.abc import Iterator
from urllib.parse import unquote

from carrel.ingestion.extraction import html, xml
from carrel.ingestion.extraction.archive import Archive
from carrel.ingestion.extraction.draft import Draft
from carrel.ingestion.extraction.errors import damaged, encrypted
from carrel.ingestion.extraction.model import Content, Source
from carrel.ingestion.extraction.package import date

_CONTAINER = "META-INF/container.xml"
_RIGHTS = "META-INF/rights.xml"
_PAGES = frozenset(("application/xhtml+xml", "text/html", "application/x-dtbook+xml"))


def read(source: Source) -> Content:
    archive = Archive(source.data)
    if _RIGHTS in archive:
        raise encrypted("The book")
    name = _description(archive)
    book = xml.parse(archive.read(name))
    draft = Draft()
    for chapter in _chapters(book, posixpath.dirname(name)):
        if chapter in archive:
            draft.content(html.read(Source(archive.read(chapter), "chapter.xhtml", None)))
    said = xml.child(book, "metadata")
    return draft.done(
        title=_said(said, "title"),
        language=(_said(said, "language") or "")[:2].lower() or None,
        author=_said(said, "creator"),
        created=date(_said(said, "date")),
    )


def _description(archive: Archive) -> str:
    root = xml.parse(archive.read(_CONTAINER))
    found = next(root.iter("{*}rootfile"), None)
    path = None if found is None else found.get("full-path")
    if not path:
        raise damaged("The book")
    return path


def _chapters(book: xml.Element, folder: str) -> Iterator[str]:
    items = xml.child(book, "manifest")
    known = {item.get("id"): item for item in (items if items is not None else ())}
    spine = xml.child(book, "spine")
    for reference in spine if spine is not None else ():
        item = known.get(reference.get("idref"))
        if item is not None and item.get("media-type") in _PAGES:
            yield posixpath.normpath(posixpath.join(folder, unquote(item.get("href") or "")))


def _said(about: xml.Element | None, name: str) -> str | None:
    found = xml.child(about, name)
    return None if found is None else (found.text or "").strip() or None
