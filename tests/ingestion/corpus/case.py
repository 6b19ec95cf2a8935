"""A file of the corpus, and what reading it must give."""

from dataclasses import dataclass, field

from carrel.ingestion.extraction import Heading, PageStart

MADE = "2025-03-01T08:30:00"


@dataclass(frozen=True)
class Case:
    """Headings are (level, line), pages (number, first line): each is looked for in the expected text, in order."""

    name: str
    data: bytes = field(repr=False)
    text: str = field(repr=False)
    doc_type: str = ""
    language: str = ""
    title: str | None = None
    headings: tuple[tuple[int, str], ...] = ()
    pages: tuple[tuple[int, str], ...] = ()
    author: str | None = None
    created: str | None = None

    def expected_headings(self) -> tuple[Heading, ...]:
        places = _places(self.text, [f"\n{text}" for _, text in self.headings])
        return tuple(
            Heading(at, level, text.lstrip("# ")) for at, (level, text) in zip(places, self.headings, strict=True)
        )

    def expected_pages(self) -> tuple[PageStart, ...]:
        places = _places(self.text, [f"\n{text}" for _, text in self.pages])
        return tuple(PageStart(at, page) for at, (page, _) in zip(places, self.pages, strict=True))


def _places(text: str, wanted: list[str]) -> list[int]:
    """Where lines begin, one after another; a line end before the first line makes it one like the others."""
    places: list[int] = []
    past = 0
    for one in wanted:
        places.append(f"\n{text}".index(one, past))
        past = places[-1] + len(one)
    return places
