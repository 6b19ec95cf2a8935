"""Files inside a file: the entries of an archive, the attachments of a message."""

from carrel.core.text import canonical
from carrel.ingestion.extraction import registry
from carrel.ingestion.extraction.draft import Draft
from carrel.ingestion.extraction.errors import Damaged, Encrypted, NoTextFound, NotText, UnsupportedType
from carrel.ingestion.extraction.model import Content, Source

_UNREADABLE = (NotText, UnsupportedType, NoTextFound, Encrypted, Damaged)
"""These say something about one part; whatever goes over a limit or is unsafe refuses the whole file."""


class Parts:
    """Adds parts to a draft, each under a heading with its name."""

    def __init__(self, draft: Draft, whole: Source) -> None:
        self._draft, self._whole = draft, whole
        self._refused: Damaged | Encrypted | NoTextFound | NotText | UnsupportedType | None = None
        self._read = 0

    def add(self, name: str, data: bytes, declared_type: str | None = None) -> None:
        """Add a part. One that cannot be read leaves only its name, so that it can still be found by that."""
        self._draft.heading(canonical(name), 1)
        try:
            content = self._content(Source(data, name, declared_type, inside=self._whole.inside + 1))
        except _UNREADABLE as refused:
            self._refused = self._refused or refused
            return
        self._read += 1
        self._draft.content(content, deeper=1)

    def refuse_if_nothing_was_read(self) -> None:
        """Raise what the first part was refused for when no part could be read."""
        if not self._read:
            raise self._refused or NoTextFound("There is no file in the archive.", hint="Check the archive.")

    def _content(self, source: Source) -> Content:
        if not source.data.strip():
            raise NoTextFound("There is nothing in the file.", hint="Check the file.")
        _, content = registry.read(source)
        return content
