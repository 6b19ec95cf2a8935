import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.core.text import canonical, plain_name, without_unseen

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


UNSEEN = [
    "\x00", "\n", "\x1b", "\x7f", "\x85", "\u00ad", "\u061c", "\u200b", "\u200e", "\u200f", "\u2028", "\u202a",
    "\u202e", "\u2060", "\u2066", "\u2069", "\ufeff", "\U000e0041", "\ue000",
]  # fmt: skip


class TestNames:
    @pytest.mark.parametrize("char", UNSEEN)
    def test_with_characters_that_cannot_be_seen_are_refused_and_file_names_lose_them(self, char):
        with pytest.raises(ValueError, match="cannot be seen"):
            plain_name(f"Acme{char}Archive")

        assert without_unseen(f"a{char}b.txt") == "ab.txt"

    @pytest.mark.parametrize("joiner", ["\u200c", "\u200d"])
    def test_may_join_letters_where_their_script_needs_it_and_nowhere_else(self, joiner):
        persian, hindi = f"می{joiner}خواهم", f"क्{joiner}ष"

        assert (plain_name(persian), plain_name(hindi)) == (persian, hindi)
        for name in (f"Ac{joiner}me", f"{joiner}Acme", f"Acme{joiner}"):
            with pytest.raises(ValueError, match="cannot be seen"):
                plain_name(name)

    @pytest.mark.parametrize("name", ["Acme & Søn", "مكتبة الأرشيف", "図書館", "Ελληνικά", "", "O'Neil", "🏛 Archive"])
    def test_of_every_script_are_good(self, name):
        assert plain_name(name) == name

    @pytest.mark.parametrize("name", [" ", "\u3000\u00a0"])
    def test_of_white_space_alone_are_refused(self, name):
        with pytest.raises(ValueError, match="white space"):
            plain_name(name)

    @given(st.text(st.characters(codec="utf-8")))
    def test_that_were_cleaned_hold_nothing_more_to_clean(self, text):
        assert without_unseen(without_unseen(text)) == without_unseen(text)
