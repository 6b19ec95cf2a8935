import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.core.text import canonical
from carrel.ingestion.extraction import extract
from carrel.ingestion.extraction.errors import NoTextFound

NAMES = ["p", "div", "span", "b", "h1", "h2", "h3", "table", "tr", "td", "th", "ul", "li", "pre", "br", "form", "nav"]
NAMES += ["header", "footer", "main", "article", "script", "style", "title", "svg", "template", "textarea", "select"]
NAMES += ["option", "a", "noscript", "html", "head", "body", "x-y", "plaintext", "frameset", "math", "col", "dd"]
tags = st.builds(
    "<{}{}{}>".format, st.sampled_from(["", "", "/"]), st.sampled_from(NAMES), st.sampled_from(["", " a=b", "/"])
)
soup = st.lists(
    st.one_of(
        tags,
        st.sampled_from(
            ["words", " ", "\n", "&amp;", "&#0;", "<!--", "-->", "<![CDATA[", "عقد", "<", "&", "\x00", "\ufeff"]
        ),
    )
    | st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=10),
    max_size=60,
).map("".join)


def read(page):
    return extract(page.encode(), filename="a.html", declared_type="text/html")


def text_of(page):
    return read(page).text


class TestAnySoup:
    @settings(deadline=None)
    @given(soup)
    def test_gives_canonical_text_with_headings_in_their_places(self, page):
        try:
            found = read("<p>start</p>" + page)
        except NoTextFound:
            raise AssertionError("the first words are lost") from None

        assert "start" in found.text
        assert found.text == canonical(found.text)
        last = -1
        for heading in found.headings:
            assert last < heading.start
            last = heading.start
            assert " ".join(found.text[heading.start :].split()).startswith(heading.text)

    @settings(deadline=None)
    @given(st.lists(st.sampled_from(["div", "b", "span", "section", "ul", "table", "td", "h2", "pre"]), max_size=30))
    def test_never_loses_words_in_open_elements(self, names):
        page = "".join(f"<{name}>word{number} " for number, name in enumerate(names))

        found = text_of("<p>first " + page)

        assert [word for word in found.split() if word.startswith("word")] or not names
        assert all(f"word{number}" in found for number in range(len(names)))


class TestBlocks:
    @pytest.mark.parametrize(
        ("page", "text"),
        [
            ("<p>one</p><p>two</p>", "one\n\ntwo"),
            ("<div>one</div><div>two</div>three", "one\ntwo\nthree"),
            ("one<span>two</span> <b>three</b>", "onetwo three"),
            ("  one \n\t two  <i> three</i>  ", "one two three"),
            ("one<br>two<br><br>three<hr>four", "one\ntwo\n\nthree\n\nfour"),
            ("<ul><li>one<li>two</ul>three", "one\ntwo\n\nthree"),
            ("<dl><dt>term<dd>meaning</dl>", "term\nmeaning"),
            ("<pre>\n  a\n    b</pre>after", "  a\n    b\n\nafter"),
            ("a&nbsp;b &lt;c&gt; &eacute; &#x639; &bogus;", "a\u00a0b <c> é ع &bogus;"),
            ("<p>1 < 2 & 3 > 2</p>", "1 < 2 & 3 > 2"),
        ],
    )
    def test_become_lines(self, page, text):
        assert text_of(f"<body>{page}") == text

    @pytest.mark.parametrize(
        ("page", "text"),
        [
            ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "a\tb\n1\t2"),
            ("<table><tr><td><p>one</p><p>two</p></td><td>x<br>y</td></tr></table>", "one two\tx y"),
            ("<table><tr><td>1<td><td>3</table>", "1\t\t3"),
            ("<table><tr><td>a<table><tr><td>b<td>c</table><td>d</table>e", "a\n\nb\tc\n\n\td\n\ne"),
            ("before<table><caption>About</caption><tbody><tr><td>x</td></tr></tbody></table>", "before\n\nAbout\nx"),
        ],
    )
    def test_of_tables_are_one_line_for_a_row(self, page, text):
        assert text_of(f"<body>{page}") == text

    @pytest.mark.parametrize(
        "name", ["script", "style", "noscript", "template", "nav", "aside", "footer", "header", "form", "svg", "select"]
    )
    def test_that_are_no_content_are_left_out(self, name):
        assert text_of(f"<body><p>kept</p><{name}>dropped</{name}><p>also kept</p>") == "kept\n\nalso kept"

    def test_of_an_article_keep_its_header_and_footer(self):
        page = "<header>site</header><article><header><h1>Title</h1></header>words<footer>source</footer></article>"

        assert text_of(page) == "Title\n\nwords\n\nsource".replace("words\n\n", "words\n")

    def test_that_are_a_whole_page_in_a_form_are_kept(self):
        page = "<form><h1>Title</h1><p>words</p><input value=no><button>no</button></form><form>search</form>"

        assert text_of(page) == "Title\n\nwords"

    def test_are_kept_when_there_is_nothing_else(self):
        assert text_of("<header><p>only this</p></header><script>not this</script>") == "only this"


class TestHeadings:
    def test_are_found_with_level_and_place(self):
        found = read("<main><h1>A <b>big</b> one</h1><p>x</p><h2>Part</h2>y<h3></h3><h2>Next</h2></main>")

        assert [(heading.level, heading.text) for heading in found.headings] == [
            (1, "A big one"),
            (2, "Part"),
            (2, "Next"),
        ]
        assert all(found.text[heading.start :].startswith(heading.text) for heading in found.headings)

    def test_end_where_a_paragraph_begins(self):
        found = read("<h1>open<p>words</p><p>more</p>")

        assert [heading.text for heading in found.headings] == ["open"]
        assert found.text == "open\n\nwords\n\nmore"

    def test_keep_their_places_behind_marks_that_are_dropped(self):
        found = read("<p>\ufeff</p><h1>\ufeffTitle</h1><p>x</p><h2>Part</h2>y")

        assert [found.text[heading.start :].startswith(heading.text) for heading in found.headings] == [True, True]
        assert found.text.startswith("Title")

    def test_in_what_is_left_out_do_not_count(self):
        assert read("<nav><h2>Menu</h2></nav><h1>Real</h1>").headings[0].text == "Real"


class TestTitleAndLanguage:
    def test_are_taken_from_the_page(self):
        found = read('<html lang="fr-CA"><head><title> Bail\n commercial </title></head><body><h1>Autre</h1>x')

        assert (found.title, found.language) == ("Bail commercial", "fr")
        assert "commercial" not in found.text

    def test_fall_back_on_heading_and_words(self):
        found = read("<h2>No</h2><h1>عقد الإيجار</h1><p>نص قصير باللغة العربية</p>")

        assert (found.title, found.language) == ("عقد الإيجار", "ar")

    def test_do_not_believe_a_language_of_another_script(self):
        assert read('<html lang="en"><p>نص قصير باللغة العربية</p>').language == "ar"

    def test_ignore_the_title_of_a_drawing(self):
        assert read("<p>words</p><svg><title>drawing</title></svg>").title is None

    @pytest.mark.parametrize(
        "charset", ["<meta charset=windows-1250>", '<meta http-equiv=a content="text/html; charset=cp1250">']
    )
    def test_use_the_character_set_that_the_page_names(self, charset):
        found = extract(f"{charset}<p>Žluťoučký kůň".encode("cp1250"), filename="a.html", declared_type=None)

        assert (found.text, found.encoding) == ("Žluťoučký kůň", "cp1250")


class TestHostilePages:
    @pytest.mark.parametrize("opening", ["<div>", "<b>", "<ul><li>", "<table><tr><td>", "<section>", "<h1>", "<pre>"])
    def test_of_any_depth_are_read_to_the_end(self, opening):
        began = time.process_time()
        found = text_of("<p>start" + opening * 100_000 + "deep words")
        took = time.process_time() - began

        assert found.endswith("deep words")
        assert took < 20

    def test_expand_no_entities_and_load_nothing(self, tmp_path):
        secret = tmp_path / "secret"
        secret.write_text("the secret")
        page = (
            f'<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;"><!ENTITY c SYSTEM "file://{secret}">]>'
            f'<p>&b; &c;</p><iframe src="file://{secret}"></iframe>words'
        )

        found = text_of(page)

        assert "words" in found
        assert "aaaa" not in found
        assert "secret" not in found.replace(str(secret), "")

    @pytest.mark.parametrize("size", [11 * 2**20])
    def test_of_one_huge_text_are_read_to_the_end(self, size):
        assert len(text_of("<p>" + "x" * size)) == size
