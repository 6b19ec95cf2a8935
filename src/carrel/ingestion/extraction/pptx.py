"""PowerPoint presentations: a slide is a page, its title a heading; tables have a row on a line; notes follow."""

from collections.abc import Iterator

from carrel.ingestion.extraction import xml
from carrel.ingestion.extraction.draft import Draft
from carrel.ingestion.extraction.model import Content, Source
from carrel.ingestion.extraction.package import Package

_TITLES = frozenset(("title", "ctrTitle"))
_FURNITURE = frozenset(("dt", "ftr", "sldNum", "hdr", "sldImg"))
_MADE_UP = frozenset(
    ("powerpoint presentation", "powerpoint-präsentation", "présentation powerpoint", "presentación de powerpoint")
)


def read(source: Source) -> Content:
    package = Package(source.data)
    draft = Draft()
    for number, name in enumerate(_slides(package), start=1):
        draft.page(number)
        for shape in _shapes(package.xml(name)):
            _add(draft, shape)
        if notes := package.related(name, "notesSlide"):
            _add_notes(draft, package.xml(notes))
    said = package.properties
    title = None if (said.title or "").lower() in _MADE_UP else said.title
    title = title or (draft.headings[0].text if draft.headings else None)
    return draft.done(title=title, language=said.language, author=said.author, created=said.created)


def _slides(package: Package) -> Iterator[str]:
    relations = package.relations(package.main)
    slides = xml.child(package.xml(package.main), "sldIdLst")
    for slide in slides if slides is not None else ():
        # Two attributes are called id; the one with a namespace is the relation.
        related = next((str(value) for key, value in slide.items() if str(key).endswith("}id")), "")
        if related in relations:
            yield relations[related].target


def _shapes(root: xml.Element) -> Iterator[xml.Element]:
    """The shapes of a slide in the order in which they are drawn; groups and alternatives are opened."""
    for one in root:
        name = xml.local(one)
        if name in {"sp", "graphicFrame"}:
            yield one
        elif name == "AlternateContent":
            choice = next(iter(one), None)
            yield from _shapes(choice) if choice is not None else ()
        elif name in {"cSld", "spTree", "grpSp", "Choice"}:
            yield from _shapes(one)


def _add(draft: Draft, shape: xml.Element) -> None:
    if xml.local(shape) == "graphicFrame":
        for row in shape.iter("{*}tr"):
            draft.block("\t".join(_line(cell) for cell in xml.children(row, "tc")), run=shape)
        return
    role = _role(shape)
    body = xml.child(shape, "txBody")
    if body is None or role in _FURNITURE:
        return
    if role in _TITLES:
        draft.heading(_line(body), 1)
        return
    for paragraph in xml.children(body, "p"):
        draft.block(_text(paragraph), run=shape)


def _add_notes(draft: Draft, root: xml.Element) -> None:
    for shape in _shapes(root):
        if _role(shape) == "body":
            draft.block("\n".join(_text(paragraph) for paragraph in shape.iter("{*}p")))


def _role(shape: xml.Element) -> str:
    """What a shape is to its slide: empty for one that a person has added."""
    place = xml.child(shape, "nvSpPr", "nvPr", "ph")
    return "" if place is None else place.get("type") or "obj"


def _line(element: xml.Element) -> str:
    return " ".join(" ".join(_text(paragraph) for paragraph in element.iter("{*}p")).split())


def _text(paragraph: xml.Element) -> str:
    return "".join(_pieces(paragraph)).strip()


def _pieces(paragraph: xml.Element) -> Iterator[str]:
    for one in paragraph:
        name = xml.local(one)
        if name in {"r", "fld"}:
            yield "".join(text.text or "" for text in xml.children(one, "t"))
        elif name == "br":
            yield "\n"
