import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.core.text import canonical

any_text = st.text(st.one_of(st.characters(), st.sampled_from("\x00\ufeff\ud800\udfff\r\n")))


@settings(deadline=None)
@given(any_text)
def test_the_canonical_form_can_always_be_stored(text):
    stored = canonical(text)

    assert "\x00" not in stored
    assert stored.encode("utf-8").decode("utf-8") == stored


@settings(deadline=None)
@given(any_text)
def test_the_canonical_form_of_itself_is_itself(text):
    assert canonical(canonical(text)) == canonical(text)


@settings(deadline=None)
@given(any_text.filter(lambda text: not text.startswith("\ufeff")))
def test_every_character_keeps_its_place(text):
    stored = canonical(text)

    assert len(stored) == len(text)
    assert all(now in {before, "\ufffd"} for before, now in zip(text, stored, strict=True))


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("\ufeffmarked", "marked"),
        ("inner\ufeffmark", "inner\ufeffmark"),
        ("a\x00b", "a\ufffdb"),
        ("half \ud83d pair", "half \ufffd pair"),
        ("two\r\nlines\rand\n", "two\r\nlines\rand\n"),
        ("مُحَمَّد 👩‍👩‍👧‍👦", "مُحَمَّد 👩‍👩‍👧‍👦"),
        ("", ""),
    ],
)
def test_only_what_cannot_be_stored_is_replaced(sent, stored):
    assert canonical(sent) == stored
