"""XML documents and rich text beyond what the corpus holds."""

import pytest

from carrel.ingestion.extraction import extract


def read(text, name):
    return extract(text.encode(), filename=name, declared_type=None)


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("<a>one <b>two</b> three</a>", "one two three"),
        ("<a><b>one</b> two<c>three</c></a>", "one twothree"),
        ("<a><b>one</b><c>two</c></a>", "one\ntwo"),
        ("<a>\n <b>one</b>\n <c>two</c>\n</a>", "one\ntwo"),
        ("<a><r><b>1</b><c>2</c></r><r><b>3</b></r></a>", "1\n2\n\n3"),
        ("<a>x &amp; &#x639; &lt;y&gt;</a>", "x & ع <y>"),
        ("<a><!-- out --><?out out?>in</a>", "in"),
        ("<a xmlns='u:v'><t:b xmlns:t='w'>in</t:b></a>", "in"),
    ],
)
def test_elements_are_lines_except_within_a_sentence(marks, expected):
    assert read(marks, "a.xml").text == expected


def test_what_only_looks_like_xml_stays_as_it_is():
    assert read("<a>one <b> two", "a.xml").text == "<a>one <b> two"


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("a\\par b", "a\n\nb"),
        ("a\\\nb", "a\n\nb"),
        ("a\nb", "ab"),
        ("\\'e9t\\'e9 \\u233?", "été é"),
        ("\\uc2\\u1593\\'3f\\'3f!", "ع!"),
        ("{\\uc0\\u233}b", "éb"),
        ("{\\*\\unknown out}in{\\fonttbl{\\f0 out;}}", "in"),
        ("{\\f7\\'d3}", "Ó"),
        ("{\\fonttbl{\\f7\\fcharset178 out;}}{\\f7\\'d3}", "س"),
        ("in{\\pict\\bin5 {{{{{}!", "in!"),
        ("a{\\footnote b}c", "abc"),
        ("\\trowd\\intbl a\\par b\\cell c\\cell\\row\\pard d", "a b\tc\n\nd"),
        ("a\\~b\\_c\\emdash d", "a\u00a0b\u2011c—d"),
    ],
)
def test_rich_text_gives_its_words(marks, expected):
    assert read(f"{{\\rtf1\\ansi {marks}}}", "a.rtf").text == expected


def test_rich_text_that_nobody_closed_is_read_to_its_end():
    assert read("{\\rtf1 some {\\b words", "a.rtf").text == "some words"
