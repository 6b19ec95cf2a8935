import pytest

from carrel.ingestion.extraction.numbering import Level, Numbering

NUMBERED = {0: Level("decimal", "%1."), 1: Level("lowerLetter", "%1.%2)"), 2: Level("upperRoman", "%3", 4)}


def test_items_are_counted_and_deeper_levels_begin_anew():
    lists = Numbering({"1": NUMBERED})

    marks = [lists.mark("1", depth) for depth in (0, 0, 1, 1, 2, 0, 1)]

    assert marks == ["1. ", "2. ", "2.a) ", "2.b) ", "IV ", "3. ", "3.a) "]


def test_two_lists_do_not_count_each_other():
    lists = Numbering({"1": NUMBERED, "2": NUMBERED})

    assert [lists.mark(one, 0) for one in ("1", "2", "1")] == ["1. ", "1. ", "2. "]


def test_bullets_are_one_mark_and_unknown_lists_none():
    lists = Numbering({"1": {0: Level("bullet", "\uf0b7"), 1: Level("none")}})

    assert [lists.mark("1", 0), lists.mark("1", 1), lists.mark("1", 7), lists.mark("9", 0)] == ["- ", "", "", ""]


@pytest.mark.parametrize(
    ("form", "start", "mark"),
    [
        ("lowerRoman", 1994, "mcmxciv "),
        ("upperLetter", 27, "AA "),
        ("lowerLetter", 3_999_999, "3999999 "),
        ("arabicAbjad", 3, "3 "),
        ("upperRoman", 0, "0 "),
    ],
)
def test_numbers_are_written_as_the_list_says_where_that_is_possible(form, start, mark):
    assert Numbering({"1": {0: Level(form, "%1", start)}}).mark("1", 0) == mark
