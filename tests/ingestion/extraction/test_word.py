"""Word files beyond what the corpus holds."""

import pytest

from carrel.ingestion.extraction import extract
from tests.fuzz.seeds import dressed


def read(body):
    document = f'<w:document xmlns:w="urn:w" xmlns:m="urn:m" xmlns:mc="urn:mc"><w:body>{body}</w:body></w:document>'
    return extract(dressed("docx", document.encode()), filename=None, declared_type=None)


def paragraph(said, about=""):
    return f"<w:p>{about}<w:r><w:t>{said}</w:t></w:r></w:p>"


def box(inner):
    return f"<w:p><w:r><w:txbxContent>{inner}</w:txbxContent></w:r></w:p>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (box(paragraph("one") + box(paragraph("two"))), "one\n\ntwo"),
        (
            "<w:p><w:moveFrom><w:r><w:t>out</w:t></w:r></w:moveFrom><w:moveTo><w:r><w:t>in</w:t></w:r></w:moveTo></w:p>",
            "in",
        ),
        (
            "<w:p><w:ruby><w:rt><w:r><w:t>out</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>in</w:t></w:r></w:rubyBase></w:ruby></w:p>",
            "in",
        ),
        ("<w:p><m:oMath><m:r><m:t>x=1</m:t></m:r></m:oMath></w:p>", "x=1"),
        (
            "<w:sdt><w:sdtContent><w:tbl><w:sdt><w:sdtContent><w:tr><w:tc>"
            + paragraph("in")
            + "</w:tc></w:tr></w:sdtContent></w:sdt></w:tbl></w:sdtContent></w:sdt>",
            "in",
        ),
        (paragraph("  in \u00a0"), "in"),
        (paragraph(""), None),
        ("<w:p><w:r><w:footnoteReference w:id='9'/><w:t>in</w:t></w:r></w:p>", "[1]in"),
    ],
    ids=str.split("boxes moved ruby formula controls spaces nothing missing-note"),
)
def test_gives_what_a_reader_would_see(body, text):
    found = read(paragraph("first") + body).text

    assert found == (f"first\n\n{text}" if text else "first")


@pytest.mark.parametrize(("level", "expected"), [("0", 1), ("8", 9), ("9", None), ("x", None)])
def test_an_outline_level_makes_a_heading(level, expected):
    found = read(paragraph("words", f'<w:pPr><w:outlineLvl w:val="{level}"/></w:pPr>'))

    assert [heading.level for heading in found.headings] == ([expected] if expected else [])


def test_styles_that_are_based_on_each_other_end_nothing():
    style = (
        '<w:style w:styleId="a"><w:basedOn w:val="b"/></w:style><w:style w:styleId="b"><w:basedOn w:val="a"/></w:style>'
    )
    data = dressed("docx", f'<w:styles xmlns:w="urn:w">{style}</w:styles>'.encode())

    assert "some" in extract(data, filename=None, declared_type=None).text
