"""Word documents: paragraphs, headings by style, lists with their marks, tables with a row on a line, notes at the end.

Deleted text, comments, headers and footers are left out; inserted text is kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from carrel.core.text import canonical
from carrel.ingestion.extraction import numbering, xml
from carrel.ingestion.extraction.draft import Draft
from carrel.ingestion.extraction.model import Content, Source
from carrel.ingestion.extraction.numbering import value
from carrel.ingestion.extraction.package import Package

_LEFT_OUT = frozenset(
    ("del", "moveFrom", "Fallback", "pPr", "rPr", "sdtPr", "instrText", "delText", "txbxContent", "rt")
)
_MARKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011", "ptab": "\t"}
_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes"}
_LONGEST_LINEAGE = 10


@dataclass(frozen=True, slots=True)
class Style:
    """What a style says about its paragraphs: a level from 1 makes headings; a list has a number and a depth."""

    level: int = 0
    is_title: bool = False
    number: str | None = None
    depth: int = 0


def read(source: Source) -> Content:
    package = Package(source.data)
    walker = _Walker(package)
    for block in xml.outermost(package.read(package.main), "p", "tbl"):
        walker.block(block)
    walker.notes()
    said = package.properties
    title = said.title or walker.title or next((one.text for one in walker.draft.headings if one.level == 1), None)
    return walker.draft.done(title=title, language=said.language, author=said.author, created=said.created)


class _Walker:
    def __init__(self, package: Package) -> None:
        self.draft = Draft()
        self.title: str | None = None
        self._package = package
        self._styles = _styles(self._root("styles"))
        self._numbering = numbering.read(self._root("numbering"))
        self._references: list[tuple[str, str]] = []

    def block(self, block: xml.Element) -> None:
        if xml.local(block) == "tbl":
            for row in _rows(block):
                self.draft.block("\t".join(map(self._cell, xml.children(row, "tc"))), run=block)
            return
        self._paragraph(block)
        for box in block.iter("{*}txbxContent"):
            if not _is_read_elsewhere(box, block):
                for inner in xml.children(box, "p", "tbl"):
                    self.block(inner)

    def notes(self) -> None:
        """Add the notes that the text refers to, in the order of their marks."""
        wanted = {role for role, _ in self._references}
        texts = {role: self._notes_of(role) for role in wanted}
        for mark, (role, note) in enumerate(list(self._references), start=1):
            if text := texts[role].get(note):
                self.draft.block(f"[{mark}] {text}", run="notes")

    def _paragraph(self, paragraph: xml.Element) -> None:
        text = canonical("".join(self._pieces(paragraph))).strip()
        if not text:
            return
        style = self._styles.get(value(paragraph, "pPr", "pStyle") or "", Style())
        number = value(paragraph, "pPr", "numPr", "numId") or style.number
        depth = value(paragraph, "pPr", "numPr", "ilvl") or str(style.depth)
        mark = self._numbering.mark(number, int(depth) if depth.isdecimal() else 0) if number else ""
        level = _outline(value(paragraph, "pPr", "outlineLvl")) or style.level
        if style.is_title and self.title is None:
            self.title = text
        if level:
            self.draft.heading(mark + text, level)
        else:
            self.draft.block(mark + text, run="list" if mark else None)

    def _cell(self, cell: xml.Element) -> str:
        return " ".join(" ".join("".join(self._pieces(one)).split()) for one in cell.iter("{*}p")).strip()

    def _pieces(self, element: xml.Element) -> Iterator[str]:
        for one in element:
            name = xml.local(one)
            if name == "t":
                yield one.text or ""
            elif name in _NOTES:
                self._references.append((_NOTES[name], xml.attribute(one, "id") or ""))
                yield f"[{len(self._references)}]"
            elif name in _MARKS:
                yield _MARKS[name]
            elif name not in _LEFT_OUT and name != "p":
                yield from self._pieces(one)

    def _notes_of(self, role: str) -> Mapping[str, str]:
        root = self._root(role)
        if root is None:
            return {}
        return {xml.attribute(note, "id") or "": self._cell(note) for note in root}

    def _root(self, role: str) -> xml.Element | None:
        name = self._package.related(self._package.main, role)
        return None if name is None else self._package.xml(name)


def _is_read_elsewhere(box: xml.Element, block: xml.Element) -> bool:
    """Whether a text box lies in another one of the paragraph, or is there for programs that cannot show it."""
    for above in box.iterancestors():
        if above is block:
            return False
        if xml.local(above) in {"txbxContent", "Fallback"}:
            return True
    return False


def _rows(table: xml.Element) -> Iterator[xml.Element]:
    """The rows of a table, also of one in a content control; not those of tables in its cells."""
    for one in table:
        name = xml.local(one)
        if name == "tr":
            yield one
        elif name in {"sdt", "sdtContent", "ins", "customXml"}:
            yield from _rows(one)


def _styles(root: xml.Element | None) -> Mapping[str, Style]:
    if root is None:
        return {}
    known = {xml.attribute(one, "styleId") or "": one for one in xml.children(root, "style")}
    return {name: _style(element, known) for name, element in known.items()}


def _style(element: xml.Element, known: Mapping[str, xml.Element]) -> Style:
    lineage = [element]
    while len(lineage) < _LONGEST_LINEAGE and (above := known.get(value(lineage[-1], "basedOn") or "")) is not None:
        lineage.append(above)
    names = [(value(one, "name") or "").lower() for one in lineage]
    number = next(filter(None, (value(one, "pPr", "numPr", "numId") for one in lineage)), None)
    depth = next(filter(None, (value(one, "pPr", "numPr", "ilvl") for one in lineage)), "0")
    return Style(
        next(filter(None, map(_level, lineage, names)), 0),
        "title" in names,
        number,
        int(depth) if depth.isdecimal() else 0,
    )


def _level(element: xml.Element, name: str) -> int:
    # The names of built-in styles are English in every edition of Word; their ids are not.
    if name.startswith("heading ") and name[8:] in set("123456789"):
        return int(name[8:])
    return _outline(value(element, "pPr", "outlineLvl"))


def _outline(written: str | None) -> int:
    """A heading level from an outline level, which counts from 0 and has 9 for body text."""
    return int(written) + 1 if written and written in set("012345678") else 0
