"""XML that cannot do anything: no entity is expanded, nothing is loaded, and depth is bounded by the parser."""

import io
from collections.abc import Iterator
from typing import Any

from lxml import etree

from carrel.core.errors import Problem
from carrel.ingestion.extraction.errors import damaged, over_limit, unsafe

Element = etree._Element  # noqa: SLF001 - the type has no other name

_SAFE: Any = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
_BROKEN = (etree.XMLSyntaxError, ValueError, LookupError)


def parse(data: bytes) -> Element:
    """The root of a small part. Raises `Damaged` or `Unsafe`."""
    _refuse_declared(data)
    try:
        root = etree.fromstring(data, etree.XMLParser(**_SAFE, remove_comments=True, remove_pis=True))
    except _BROKEN as error:
        raise _refusal(error) from error
    _refuse_entities(root)
    return root


def outermost(data: bytes, *names: str) -> Iterator[Element]:
    """The elements of these local names that lie in no other of them, each complete, and forgotten afterwards."""
    tags = [f"{{*}}{name}" for name in names]
    depth = 0
    for event, element in _events(data, tags):
        depth += 1 if event == "start" else -1
        if event == "end" and not depth:
            yield element
            _forget(element)


def local(element: Element) -> str:
    """The name of an element without its namespace, which differs between editions of the same format."""
    tag: object = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str) -> str | None:
    """An attribute by its local name."""
    plain = element.get(name)
    if plain is not None:
        return plain
    return next((str(value) for key, value in element.items() if str(key).endswith(f"}}{name}")), None)


def children(element: Element, *names: str) -> Iterator[Element]:
    return (child for child in element if local(child) in names)


def child(element: Element | None, *path: str) -> Element | None:
    """The first descendant along a path of local names."""
    for name in path:
        if element is None:
            return None
        element = next(children(element, name), None)
    return element


def _events(data: bytes, tags: list[str]) -> Iterator[tuple[str, Element]]:
    _refuse_declared(data)
    events = etree.iterparse(
        io.BytesIO(data), events=("start", "end"), tag=tags, **_SAFE, remove_comments=True, remove_pis=True
    )
    try:
        yield from events
    except _BROKEN as error:
        raise _refusal(error) from error
    _refuse_entities(events.root)


def _forget(element: Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _refusal(error: Exception) -> Problem:
    if "Excessive depth" in str(error):
        return over_limit("The XML inside is nested too deeply.", "depth")
    return damaged("The XML inside")


def _refuse_declared(data: bytes) -> None:
    # Looked for before the parser sees them: it gives up on most bombs by itself, with an error like any other.
    if b"<!ENTITY" in data:
        raise _declares_entities()


def _refuse_entities(element: Element) -> None:
    # Typed loosely: the stubs know no document without a document type, and no entities.
    dtd: Any = element.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise _declares_entities()


def _declares_entities() -> Problem:
    return unsafe("The XML inside declares entities, which are never expanded here.")
