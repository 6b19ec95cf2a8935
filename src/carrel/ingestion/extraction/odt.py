"""OpenDocument texts: headings with their levels, paragraphs, lists, tables with a row on a line, notes in place."""

from collections.abc import Iterator

from carrel.ingestion.extraction import xml
from carrel.ingestion.extraction.archive import Archive
from carrel.ingestion.extraction.draft import Draft
from carrel.ingestion.extraction.errors import encrypted
from carrel.ingestion.extraction.model import Content, Source
from carrel.ingestion.extraction.package import date

_LEFT_OUT = frozenset(("annotation", "tracked-changes", "note-citation", "sequence-decls", "forms"))
_MOST_SPACES = 100
_BLOCKS = ("h", "p", "table", "list")


def read(source: Source) -> Content:
    archive = Archive(source.data)
    if b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise encrypted("The document")
    draft = Draft()
    for block in xml.outermost(archive.read("content.xml"), *_BLOCKS, "tracked-changes"):
        _add(draft, block, None)
    said = _said(archive)
    title = said.get("title") or next((one.text for one in draft.headings if one.level == 1), None)
    language = (said.get("language") or "")[:2].lower() or None
    author = said.get("initial-creator") or said.get("creator")
    return draft.done(title=title, language=language, author=author, created=date(said.get("creation-date")))


def _said(archive: Archive) -> dict[str, str]:
    if "meta.xml" not in archive:
        return {}
    about = xml.child(xml.parse(archive.read("meta.xml")), "meta")
    return {xml.local(one): (one.text or "").strip() for one in (about if about is not None else ())}


def _add(draft: Draft, block: xml.Element, run: object) -> None:
    name = xml.local(block)
    if name == "h":
        level = xml.attribute(block, "outline-level") or "1"
        draft.heading(_text(block), int(level) if level in set("123456789") else 1)
    elif name == "p":
        draft.block(_text(block), run=run)
    elif name == "table":
        for row in block.iter("{*}table-row"):
            draft.block("\t".join(map(_cell, xml.children(row, "table-cell", "covered-table-cell"))), run=block)
    elif name == "list":
        for item in xml.children(block, "list-item", "list-header"):
            _add_item(draft, item, run or block)


def _add_item(draft: Draft, item: xml.Element, run: object) -> None:
    for number, block in enumerate(xml.children(item, *_BLOCKS)):
        if xml.local(block) == "p":
            draft.block(("" if number else "- ") + _text(block), run=run)
        else:
            _add(draft, block, run)


def _cell(cell: xml.Element) -> str:
    return " ".join(" ".join(_text(one) for one in cell.iter("{*}p", "{*}h")).split())


def _text(element: xml.Element) -> str:
    return "".join(_pieces(element)).strip()


def _pieces(element: xml.Element) -> Iterator[str]:
    yield _collapsed(element.text)
    for one in element:
        yield _piece(one)
        yield _collapsed(one.tail)


def _piece(element: xml.Element) -> str:
    name = xml.local(element)
    if name == "tab":
        return "\t"
    if name == "line-break":
        return "\n"
    if name == "s":
        count = xml.attribute(element, "c") or "1"
        return " " * min(int(count) if count.isdecimal() and len(count) < 9 else 1, _MOST_SPACES)
    if name == "note":
        return f" [{' '.join(''.join(_pieces(element)).split())}]"
    return "" if name in _LEFT_OUT else "".join(_pieces(element))


def _collapsed(text: str | None) -> str:
    """White space in the file is for whoever reads the file; spaces of the text have an element of their own."""
    if not text:
        return ""
    words = " ".join(text.split())
    if not words:
        return " "
    return " " * text[0].isspace() + words + " " * text[-1].isspace()
