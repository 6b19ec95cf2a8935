import pytest

from carrel.ingestion.extraction import extract, pdf
from carrel.ingestion.extraction.errors import NoTextFound, OverLimit
from carrel.ingestion.extraction.model import Source
from tests.ingestion.traps.pdfs import FINE, flate, page, stream


def read(data):
    return extract(data, filename=None, declared_type=None)


def test_a_file_that_pypdf_gives_up_is_read_by_pdfium():
    broken = FINE.replace(b"endstream", b"endstrm")
    with pytest.raises(Exception, match="endstream"):
        pdf._by_pypdf(broken)

    assert read(broken).text == "some words"


def test_a_file_over_a_limit_is_never_given_to_pdfium(monkeypatch):
    monkeypatch.setattr(pdf, "_by_pdfium", lambda data: pytest.fail("PDFium could be busy with it for hours."))

    with pytest.raises(OverLimit):
        read(page(flate(b" " * 33 * 2**20)))


def test_a_scan_says_that_its_text_is_on_pictures():
    with pytest.raises(NoTextFound) as refused:
        read(page(stream(b"q 600 0 0 700 0 0 cm Q")))

    assert "scanned" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("title", "expected"),
    [("Rules", "Rules"), ("Microsoft Word - rules.docx", "rules.docx"), ("untitled", None), ("", None)],
)
def test_titles_that_programs_make_up_are_none(title, expected):
    about = b"<< /Title (%b) /CreationDate (D:20250301) >>" % title.encode()
    data = page(stream(b"BT /F1 12 Tf (words) Tj ET"), b"/Font << /F1 5 0 R >>", about, trailer=b"/Info 6 0 R")

    found = pdf.read(Source(data, None, None))

    assert (found.title, found.created) == (expected, "2025-03-01")


def test_cells_of_a_row_of_arabic_are_parted_and_letters_of_a_word_are_not():
    # Two cells of two letters each, the second one to the left; then a word whose two letters are drawn one by one.
    shown = b"BT /F1 10 Tf 300 700 Td (AB) Tj ET BT /F1 10 Tf 100 700 Td (AB) Tj ET "
    shown += b"BT /F1 10 Tf 300 600 Td (A) Tj ET BT /F1 10 Tf 294 600 Td (B) Tj ET"
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 7 0 R >>"
    letters = stream(b"begincmap\n2 beginbfchar <41> <0628> <42> <062A> endbfchar\nendcmap")

    found = read(page(stream(shown), b"/Font << /F1 6 0 R >>", font, letters))

    assert found.text == "\u062a\u0628 \u062a\u0628\n\u0628\u062a"
