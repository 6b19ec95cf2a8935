"""Excel workbooks: a sheet is a page under its name, a row is a line with a tab between cells.

Cells show their values as they were last computed: dates in ISO 8601, numbers with as many digits as Excel keeps.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from carrel.ingestion.extraction import xml
from carrel.ingestion.extraction.cells import Calendar, dates_in, day_or_time, number
from carrel.ingestion.extraction.draft import Draft
from carrel.ingestion.extraction.model import Content, Source
from carrel.ingestion.extraction.package import Package

WIDEST_GAP = 16
"""So many empty cells keep their place. A longer gap becomes one tab, or a few cells far out would fill the memory."""

_COLUMN = re.compile(r"[A-Z]{1,3}(?=\d)")


def read(source: Source) -> Content:
    package = Package(source.data)
    book = package.xml(package.main)
    draft = Draft()
    show = _shower(package, book)
    for page, (name, part) in enumerate(_sheets(package, book), start=1):
        draft.page(page)
        _add(draft, name, package.read(part), show)
    said = package.properties
    return draft.done(title=said.title, language=said.language, author=said.author, created=said.created)


Show = Callable[[xml.Element], str]


def _add(draft: Draft, name: str, sheet: bytes, show: Show) -> None:
    named = False
    for element in xml.outermost(sheet, "row"):
        line = _line(element, show)
        if not line.strip():
            continue
        if not named:
            draft.heading(name, 1)
            named = True
        draft.block(line, run="rows")


def _line(row: xml.Element, show: Show) -> str:
    parts: list[str] = []
    last = at = -1
    for cell in xml.children(row, "c"):
        at = _column(cell.get("r"), at + 1)
        if shown := " ".join(show(cell).split()):
            gap = max(at - last, 1) if parts else at
            parts += ("\t" * (gap if gap <= WIDEST_GAP else 1), shown)
            last = at
    return "".join(parts)


def _column(reference: str | None, otherwise: int) -> int:
    found = _COLUMN.match(reference or "")
    if not found:
        return otherwise
    column = 0
    for letter in found[0]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1


def _shower(package: Package, book: xml.Element) -> Show:
    strings = _strings(package)
    styles = _date_styles(package)
    settings = xml.child(book, "workbookPr")
    calendar = Calendar(settings is not None and settings.get("date1904") in {"1", "true"})

    def show(cell: xml.Element) -> str:
        kind = cell.get("t") or "n"
        if kind == "inlineStr":
            return _text(cell)
        value = xml.child(cell, "v")
        written = (value.text or "") if value is not None else ""
        if kind == "s":
            return strings[int(written)] if written.isdecimal() and int(written) < len(strings) else ""
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(written, written)
        if kind != "n" or not written:
            return written
        style = cell.get("s") or "0"
        dated = styles.get(style, "")
        return day_or_time(written, calendar, dated) if dated else number(written)

    return show


def _sheets(package: Package, book: xml.Element) -> Iterator[tuple[str, str]]:
    relations = package.relations(package.main)
    sheets = xml.child(book, "sheets")
    for sheet in sheets if sheets is not None else ():
        relation = relations.get(next((str(value) for key, value in sheet.items() if str(key).endswith("}id")), ""))
        if relation and relation.role == "worksheet" and relation.target in package:
            yield sheet.get("name") or "", relation.target


def _strings(package: Package) -> Sequence[str]:
    part = package.related(package.main, "sharedStrings")
    return [_text(one) for one in xml.outermost(package.read(part), "si")] if part else ()


def _text(element: xml.Element) -> str:
    # How Japanese words are read stands beside them, in elements of their own.
    return "".join(one.text or "" for one in element.iter("{*}t") if not any(True for _ in one.iterancestors("{*}rPh")))


def _date_styles(package: Package) -> Mapping[str, str]:
    """Which styles of cells show dates, by their place in the list: `date`, `time` and the like."""
    part = package.related(package.main, "styles")
    if part is None:
        return {}
    root = package.xml(part)
    own = {one.get("numFmtId") or "": one.get("formatCode") or "" for one in root.iter("{*}numFmt")}
    formats = xml.child(root, "cellXfs")
    return {
        str(place): kind
        for place, one in enumerate(formats if formats is not None else ())
        if (kind := dates_in(one.get("numFmtId") or "0", own))
    }
