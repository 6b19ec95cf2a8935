import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.documents.naming import clean_filename, first_line, found_title, title_among

anything = st.text(st.characters(codec=None), max_size=600)


class TestFilenames:
    @settings(deadline=None)
    @given(anything)
    def test_a_clean_name_is_one_short_part_without_controls(self, given):
        name = clean_filename(given)

        assert name is None or 1 <= len(name) <= 255
        assert name is None or not set(name) & set("/\\")
        assert all(unicodedata.category(letter) != "Cc" for letter in name or "")
        assert name not in {".", ".."}

    @settings(deadline=None)
    @given(anything)
    def test_cleaning_twice_is_cleaning_once(self, given):
        name = clean_filename(given)

        assert name is None or clean_filename(name) == name

    def test_only_the_last_part_of_a_path_is_kept(self):
        paths = ["a/b.txt", "C:\\x\\b.txt", "../../b.txt", "\\\\host\\b.txt", "b.txt/", "./b.txt"]

        assert {clean_filename(path) for path in paths} == {"b.txt"}

    def test_what_turns_the_writing_round_is_dropped_and_what_joins_letters_is_kept(self):
        assert clean_filename("harmless\u202etxt.exe") == "harmlesstxt.exe"
        assert clean_filename("می\u200cخواهم.txt") == "می\u200cخواهم.txt"

    def test_a_long_name_keeps_its_suffix(self):
        assert clean_filename("x" * 4000 + ".html") == "x" * 250 + ".html"

    def test_nothing_is_left_of_dots_and_controls(self):
        assert [clean_filename(path) for path in ["", "..", "a/../..", "\x00\r\n", "/"]] == [
            None,
            None,
            "a",
            None,
            None,
        ]


class TestTitles:
    @settings(deadline=None)
    @given(anything)
    def test_a_first_line_is_short_and_can_be_stored(self, text):
        line = first_line(text)

        assert line is None or 1 <= len(line) <= 120
        assert "\0" not in (line or "")
        (line or "").encode()

    @settings(deadline=None)
    @given(anything)
    def test_a_found_title_can_be_stored(self, text):
        title = found_title(text)

        assert title is None or 1 <= len(title) <= 1000
        (title or "").encode()
        assert "\0" not in (title or "")

    def test_the_first_line_with_letters_counts(self):
        assert first_line("\n \t\n  A   line\nanother") == "A line"

    def test_the_first_candidate_that_says_something_is_taken(self):
        assert title_among([None, "", "second", "third"]) == "second"
        assert title_among([None, None]) == "Untitled"
