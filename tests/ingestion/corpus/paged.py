"""PDF files, web pages and e-books."""

from datetime import UTC, datetime
from importlib.metadata import files
from pathlib import Path

from fpdf import FPDF

from tests.ingestion.corpus.case import MADE, Case
from tests.ingestion.corpus.office import zipped
from tests.ingestion.corpus.words import Words, lines

# Found without an import: the package asks for the typesetter that it was made for, which is not installed.
_FONT = next(Path(path.locate()) for path in files("rinoh-typeface-dejavusans") or () if path.name == "DejaVuSans.ttf")


def pdf(words: Words) -> Case:
    """Two pages with text and one without between them."""
    paper = _paper(words)
    _write(paper, words.first, words.opening)
    paper.add_page()
    paper.add_page()
    _write(paper, words.second, words.middle)
    for row in words.rows:
        for place, said in enumerate(row):
            paper.set_x(150 - 50 * place if words.language == "ar" else 10 + 50 * place)
            paper.cell(50, 8, said, new_x="LMARGIN", new_y="NEXT" if place == 2 else "TOP")
    rows = "\n".join(" ".join(row) for row in words.rows)
    return _pdf(
        words, paper, f"{words.first}\n{words.opening}", f"{words.second}\n{words.middle}\n{rows}", second_page=3
    )


def columns(words: Words) -> Case:
    """Two columns, the text goes down one column, then down the other."""
    paper = _paper(words)
    for x, said in ((20, words.opening), (110, words.middle)):
        paper.set_xy(x, 30)
        for half in _halves(said):
            paper.set_x(x)
            paper.cell(80, 8, half, new_x="LEFT", new_y="NEXT")
    first = "\n".join((*_halves(words.opening), *_halves(words.middle)))
    paper.add_page()
    _write(paper, words.third, words.closing)
    return _pdf(words, paper, first, f"{words.third}\n{words.closing}", second_page=2, name="columns.pdf")


def page(words: Words) -> Case:
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in words.rows)
    content = f"""<!DOCTYPE html><html lang="{words.language}"><head><title>{words.title}</title>
      <script>left("out")</script></head><body><nav>left out</nav>
      <main><h1>{words.first}</h1><p>{words.opening}</p><ul><li>{words.items[0]}<li>{words.items[1]}</ul>
      <h2>{words.second}</h2><p>{words.middle}</p><table>{rows}</table></main><footer>left out</footer></body></html>"""
    text = (
        f"{words.first}\n\n{words.opening}\n\n{words.items[0]}\n{words.items[1]}\n\n{words.second}\n\n{words.middle}\n\n"
        f"{lines(words.rows)}"
    )
    return Case(
        "rules.html",
        content.encode(),
        text,
        "html",
        words.language,
        words.title,
        ((1, words.first), (2, words.second)),
    )


def book(words: Words) -> Case:
    """The chapters lie in the archive in another order than they are read in; one file is no chapter."""

    def chapter(heading: str, said: str) -> str:
        return (
            '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head>'
            f"<body><h1>{heading}</h1><p>{said}</p></body></html>"
        )

    package = f"""<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">
      <metadata><dc:title>{words.title}</dc:title><dc:creator>{words.author}</dc:creator>
        <dc:language>{words.language}</dc:language><dc:date>{MADE}Z</dc:date></metadata>
      <manifest><item id="a" href="text/2%20b.xhtml" media-type="application/xhtml+xml"/>
        <item id="b" href="text/1.xhtml" media-type="application/xhtml+xml"/>
        <item id="c" href="cover.png" media-type="image/png"/></manifest>
      <spine><itemref idref="c"/><itemref idref="b"/><itemref idref="a"/></spine></package>"""
    data = zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container><rootfile full-path="OPS/book.opf"/></container>',
            "OPS/book.opf": package,
            "OPS/text/2 b.xhtml": chapter(words.second, words.middle),
            "OPS/text/1.xhtml": chapter(words.first, words.opening),
            "OPS/text/unread.xhtml": chapter("left", "out"),
            "OPS/cover.png": b"\x89PNG\r\n\x1a\n",
        }
    )
    return Case(
        "rules.epub",
        data,
        f"{words.first}\n\n{words.opening}\n\n{words.second}\n\n{words.middle}",
        "epub",
        words.language,
        words.title,
        ((1, words.first), (1, words.second)),
        author=words.author,
        created=MADE,
    )


def _paper(words: Words) -> FPDF:
    paper = FPDF()
    paper.set_creation_date(datetime.fromisoformat(MADE).replace(tzinfo=UTC))
    paper.set_title(words.title)
    paper.set_author(words.author)
    if words.language == "ar":
        paper.add_font("dejavu", fname=_FONT)
        paper.set_font("dejavu", size=9)
        paper.set_text_shaping(use_shaping_engine=True, direction="rtl", script="arab", language="ara")
    else:
        paper.set_font("helvetica", size=9)
    paper.add_page()
    return paper


def _write(paper: FPDF, *paragraphs: str) -> None:
    for said in paragraphs:
        paper.cell(0, 8, said, new_x="LMARGIN", new_y="NEXT")


def _halves(said: str) -> tuple[str, str]:
    middle = said.index(" ", len(said) // 2)
    return said[:middle], said[middle + 1 :]


def _pdf(words: Words, paper: FPDF, first: str, second: str, *, second_page: int, name: str = "rules.pdf") -> Case:
    return Case(
        name,
        bytes(paper.output()),
        f"{first}\n\n{second}",
        "pdf",
        words.language,
        words.title,
        (),
        ((1, first), (second_page, second)),
        words.author,
        MADE,
    )
