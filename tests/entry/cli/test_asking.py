import re

from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.entry.cli.asking import SNIPPET, lines, place, snippet

words = st.text("abcdefgh قراءة\n", max_size=12)
texts = st.lists(words, max_size=200).map(" ".join)

HIT = {
    "score": 0.5,
    "title": "Loans",
    "text": "Books are lent.",
    "external_id": None,
    "filename": "loans.pdf",
    "page": 3,
    "heading_path": ["Visitors", "Loans"],
    "start": 10,
    "end": 25,
}


@settings(deadline=None)
@given(texts, words)
def test_a_snippet_is_one_short_line_of_the_text(text, query):
    part = snippet(text, query)

    assert len(part) <= SNIPPET
    assert "\n" not in part
    assert part.strip("…") in " ".join(text.split())


@settings(deadline=None)
@given(texts, texts, st.text("xyz", min_size=3, max_size=20))
def test_a_snippet_shows_the_word_that_was_asked_for(before, after, word):
    assert word in snippet(f"{before} {word} {after}", f"what of {word.upper()}?")


def test_a_word_is_found_in_whatever_script():
    text = "كلمة " * 200 + "المكتبة " + "أخرى " * 200

    assert "المكتبة" in snippet(text, "المكتبة")


def test_a_short_text_is_shown_whole():
    assert snippet("Books are\n lent.", "nothing") == "Books are lent."


def test_the_place_names_what_is_known():
    assert place(HIT) == "loans.pdf, page 3, Visitors > Loans, characters 10-25"
    assert place({**HIT, "page": None, "heading_path": [], "filename": None}) == "characters 10-25"


def test_the_text_is_no_wider_than_the_screen():
    shown = [re.sub(r"\x1b\[\d*m", "", line) for line in lines(1, {**HIT, "text": "word " * 100}, "", width=60)]

    assert shown[0] == "  1   0.5000  Loans"
    assert all(len(line) <= 60 for line in shown[2:])
