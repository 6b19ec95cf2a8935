"""A text put together block by block, with the places of its headings and pages."""

from carrel.ingestion.extraction.model import Content, Heading, PageStart

LONGEST_TITLE = 200


class Draft:
    """Blocks are divided by a blank line; those of one run, as the rows of a table, by a line end."""

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self._parts: list[str] = []
        self._length = 0
        self._pages: list[PageStart] = []
        self._page: int | None = None
        self._run: object = None

    def block(self, text: str, *, run: object = None) -> int | None:
        """Add lines and return where they begin; None when they hold nothing but white space."""
        text = "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
        if not self._length:
            # The canonical form drops these marks at the beginning, and every place after them would move.
            text = text.lstrip("\ufeff\n")
        if not text.strip():
            return None
        return self._add(text, run)

    def heading(self, text: str, level: int) -> None:
        """Add a heading on a line of its own."""
        title = " ".join(text.split()).lstrip("\ufeff ")
        start = self.block(title)
        if start is not None:
            self.headings.append(Heading(start, level, title[:LONGEST_TITLE]))

    def page(self, number: int) -> None:
        """The next block begins a page."""
        self._page, self._run = number, None

    def content(self, content: Content, *, deeper: int = 0) -> None:
        """Add what another reader has found, as it is; its headings sink by some levels. Its pages are dropped."""
        text = content.text
        lost = len(text) - len(text.lstrip("\ufeff"))
        if not text.strip("\ufeff \t\r\n"):
            return
        start = self._add(text[lost:], None) - lost
        self.headings += [
            Heading(max(0, start + heading.start), heading.level + deeper, heading.text) for heading in content.headings
        ]

    def done(
        self,
        *,
        encoding: str = "utf-8",
        title: str | None = None,
        language: str | None = None,
        author: str | None = None,
        created: str | None = None,
    ) -> Content:
        return Content(
            "".join(self._parts),
            encoding,
            " ".join((title or "").split())[:LONGEST_TITLE] or None,
            language,
            pages=tuple(self._pages),
            headings=tuple(self.headings),
            author=" ".join((author or "").split())[:LONGEST_TITLE] or None,
            created=created,
        )

    def _add(self, text: str, run: object) -> int:
        if self._length:
            gap = "\n" if run is not None and run == self._run else "\n\n"
            self._parts.append(gap)
            self._length += len(gap)
        start = self._length
        if self._page is not None:
            self._pages.append(PageStart(start, self._page))
            self._page = None
        self._parts.append(text)
        self._length += len(text)
        self._run = run
        return start
