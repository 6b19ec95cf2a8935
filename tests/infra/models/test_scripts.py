import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.infra.models.scripts import ENOUGH_PIECES, mostly_in, scripts_of

LATIN = frozenset({"LATIN"})


@pytest.mark.parametrize(
    "text",
    [
        "Where is the lease?",
        "naïve façade, Straße, Łódź",
        "Hợp đồng thuê nhà",
        "ｆｕｌｌ ｗｉｄｔｈ",
        "𝐛𝐨𝐥𝐝",
        "what does مرحبا mean in English",
        "404 + 12",
        "😀 👩‍👩‍👧",
        "",
    ],
)
def test_the_default_model_knows_latin_script(minilm, text):
    assert minilm.knows(text)


@pytest.mark.parametrize(
    "text",
    [
        "أين عقد الإيجار؟",
        "ﻣﺮﺣﺒﺎ",
        "איפה החוזה",
        "Где договор?",
        "Πού είναι το συμβόλαιο;",
        "合同在哪里",
        "契約はどこですか",
        "계약서는 어디에 있나요",
        "अनुबंध कहाँ है",
        "สัญญาอยู่ที่ไหน",
        "متى صدر أول إصدار من Python 3",
    ],
)
def test_the_default_model_does_not_know_other_scripts(minilm, text):
    assert not minilm.knows(text)


def test_a_script_is_known_from_enough_pieces_on():
    words = {first + second for first in "абвгдежзийклмнопрстуфхцчшщ" for second in "абвгдежзийклмнопрстуфхцчшщ"}
    pieces = sorted(words)

    assert scripts_of(pieces[:ENOUGH_PIECES]) == {"CYRILLIC"}
    assert scripts_of(pieces[: ENOUGH_PIECES - 1]) == set()
    assert scripts_of(pieces[: ENOUGH_PIECES - 1] * 3) == set()


@given(st.text(st.characters(codec=None)))
def test_every_text_gets_an_answer(text):
    assert mostly_in(LATIN, text) in {True, False}


@given(st.text("abcxyzABCé"), st.text("0123 .,-+😀"))
def test_what_is_no_letter_never_counts(letters, others):
    assert mostly_in(LATIN, letters + others)
    assert not letters or not mostly_in(frozenset({"ARABIC"}), letters + others)
