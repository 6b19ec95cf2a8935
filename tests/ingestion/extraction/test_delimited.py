import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.ingestion.extraction import delimited
from carrel.ingestion.extraction.model import Source

cells = st.lists(
    st.lists(st.text(st.sampled_from('ab"\n;,'), min_size=1, max_size=6), min_size=2, max_size=2), min_size=3
)


def read(text, name="a.csv"):
    return delimited.read(Source(text.encode(), name, None)).text


@given(cells, st.sampled_from(delimited.DELIMITERS))
def test_a_row_is_a_line_whatever_its_cells_hold(rows, delimiter):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([["head", "tail"]] * 200 + rows)

    found = read(file.getvalue())

    expected = ["\t".join(" ".join(cell.split()) for cell in row).rstrip("\t") for row in rows]
    assert found.split("\n")[200:] == [line for line in expected if line]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n", "a\tb\n1\t2"),
        ("a;b\n1,5;2,5\n", "a\tb\n1,5\t2,5"),
        ("a|b\n1|2", "a\tb\n1\t2"),
        ("only one column\nof words\n", "only one column\nof words"),
        ("a,,c\n,,\n,b\n", "a\t\tc\n\tb"),
        ('a,"b ""c"" d"\n', 'a\tb "c" d'),
        ("a,b\r\r\n1,2\r", "a\tb\n1\t2"),
    ],
)
def test_the_delimiter_is_the_one_that_divides_evenly(text, expected):
    assert read(text) == expected


def test_a_stray_quotation_mark_does_not_make_one_cell_of_the_rest():
    text = 'a,b\n"stray,1\n' + "x,2\n" * delimited._LONGEST_CELL

    assert read(text).count("\n") == delimited._LONGEST_CELL + 1


def test_a_file_named_for_tabs_has_tabs():
    assert read("a,b;c\td\n", "a.tsv") == "a,b;c\td"
