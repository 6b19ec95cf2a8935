"""ZIP archives: every entry becomes a part under its name. What cannot be read leaves its name only."""

import posixpath

from carrel.ingestion.extraction.archive import Archive
from carrel.ingestion.extraction.draft import Draft
from carrel.ingestion.extraction.model import Content, Source
from carrel.ingestion.extraction.parts import Parts

_FURNITURE = frozenset((".DS_Store", "Thumbs.db", "desktop.ini"))


def read(source: Source) -> Content:
    archive = Archive(source.data)
    draft = Draft()
    parts = Parts(draft, source)
    for name in archive:
        if not _is_furniture(name):
            parts.add(name, archive.read(name))
    parts.refuse_if_nothing_was_read()
    return draft.done()


def _is_furniture(name: str) -> bool:
    return name.startswith("__MACOSX/") or posixpath.basename(name) in _FURNITURE
