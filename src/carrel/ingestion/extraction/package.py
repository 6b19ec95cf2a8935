"""What Word, Excel and PowerPoint files have in common: parts, relations between them, and properties."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from urllib.parse import unquote

from carrel.ingestion.extraction import xml
from carrel.ingestion.extraction.archive import Archive
from carrel.ingestion.extraction.errors import damaged

_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?)?")


@dataclass(frozen=True, slots=True)
class Relation:
    """A part that another one speaks of: its name in the archive, and what it is to the other."""

    role: str
    target: str


@dataclass(frozen=True, slots=True)
class Properties:
    """What a file says about itself."""

    title: str | None = None
    author: str | None = None
    created: str | None = None
    language: str | None = None


class Package(Archive):
    @cached_property
    def main(self) -> str:
        """The name of the part that everything hangs on."""
        found = next((one.target for one in self.relations("").values() if one.role == "officeDocument"), None)
        if found is None:
            raise damaged("The document")
        return found

    @cached_property
    def properties(self) -> Properties:
        name = next((one.target for one in self.relations("").values() if one.role == "core-properties"), None)
        if name is None or name not in self:
            return Properties()
        said = {xml.local(element): (element.text or "").strip() for element in self.xml(name)}
        return Properties(
            said.get("title") or None, said.get("creator") or None, date(said.get("created")), said.get("language")
        )

    def xml(self, name: str) -> xml.Element:
        return xml.parse(self.read(name))

    def relations(self, part: str) -> Mapping[str, Relation]:
        """The relations of a part, or of the package for no name, by their ids; those that lead out are left out."""
        folder, base = posixpath.split(part)
        name = posixpath.join(folder, "_rels", f"{base}.rels")
        if name not in self:
            return MappingProxyType({})
        return dict(_relations(self.xml(name), folder))

    def related(self, part: str, role: str) -> str | None:
        """The first part of a role that is there."""
        targets = (one.target for one in self.relations(part).values() if one.role == role)
        return next((target for target in targets if target in self), None)


def date(written: str | None) -> str | None:
    """The date and time at the beginning of what is written, in ISO 8601; None when there is none."""
    found = _DATE.match(written or "")
    return found[0] if found else None


def _relations(root: xml.Element, folder: str) -> Iterator[tuple[str, Relation]]:
    for element in xml.children(root, "Relationship"):
        target = unquote(element.get("Target") or "")
        if element.get("TargetMode") == "External" or not target:
            continue
        path = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
        yield element.get("Id") or "", Relation((element.get("Type") or "").rpartition("/")[2], path)
