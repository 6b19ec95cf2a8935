"""The marks before the items of lists in Word documents, which are nowhere written but counted."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from carrel.ingestion.extraction import xml

_ROMAN = {
    "m": 1000,
    "cm": 900,
    "d": 500,
    "cd": 400,
    "c": 100,
    "xc": 90,
    "l": 50,
    "xl": 40,
    "x": 10,
    "ix": 9,
    "v": 5,
    "iv": 4,
    "i": 1,
}
_DEEPEST = 9


@dataclass(frozen=True, slots=True)
class Level:
    """How one level of a list is counted and shown: `%2` in the pattern is the number of the second level."""

    form: str = "bullet"
    pattern: str = ""
    start: int = 1


@dataclass(slots=True)
class Numbering:
    """The lists of a document, and how far each is counted."""

    levels: Mapping[str, Mapping[int, Level]]
    _counts: defaultdict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def mark(self, number: str, depth: int) -> str:
        """Count one item of a list and give what stands before it; nothing for a list that shows nothing."""
        levels = self.levels.get(number, {})
        level = levels.get(depth)
        if level is None or level.form == "none":
            return ""
        counts = self._counts[number]
        counts[depth] = counts.get(depth, level.start - 1) + 1
        for deeper in [one for one in counts if one > depth]:
            del counts[deeper]
        if level.form == "bullet":
            return "- "
        shown = level.pattern
        for above in range(min(depth + 1, _DEEPEST)):
            of = levels.get(above, Level())
            shown = shown.replace(f"%{above + 1}", _written(counts.get(above, of.start), of.form))
        return f"{shown} " if shown else ""


def read(root: xml.Element | None) -> Numbering:
    if root is None:
        return Numbering({})
    abstract = {
        xml.attribute(one, "abstractNumId"): {
            _number(xml.attribute(level, "ilvl"), 0): _level(level) for level in xml.children(one, "lvl")
        }
        for one in xml.children(root, "abstractNum")
    }
    return Numbering(
        {
            xml.attribute(one, "numId") or "": abstract.get(value(one, "abstractNumId"), {})
            for one in xml.children(root, "num")
        }
    )


def value(element: xml.Element | None, *path: str) -> str | None:
    """The `val` of a descendant, as Word writes almost everything."""
    found = xml.child(element, *path)
    return None if found is None else xml.attribute(found, "val")


def _level(element: xml.Element) -> Level:
    start = _number(value(element, "start"), 1)
    return Level(value(element, "numFmt") or "decimal", value(element, "lvlText") or "", start)


def _number(written: str | None, otherwise: int) -> int:
    short = (written or "")[:9]
    return int(short) if short.isascii() and short.isdigit() else otherwise


def _written(count: int, form: str) -> str:
    write = _FORMS.get(form)
    return write(count) if write and 0 < count < 4_000 else str(count)


def _letters(count: int) -> str:
    # After z come aa, bb, cc.
    return chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)


def _roman(count: int) -> str:
    shown = ""
    for letters, worth in _ROMAN.items():
        times, count = divmod(count, worth)
        shown += letters * times
    return shown


_FORMS: Mapping[str, Callable[[int], str]] = {
    "lowerLetter": _letters,
    "upperLetter": lambda count: _letters(count).upper(),
    "lowerRoman": _roman,
    "upperRoman": lambda count: _roman(count).upper(),
}
