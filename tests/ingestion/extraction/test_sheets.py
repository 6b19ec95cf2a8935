"""Workbooks beyond what the corpus holds: sparse rows, styles that lie, shared strings that are missing."""

import pytest

from carrel.ingestion.extraction import extract
from carrel.ingestion.extraction.xlsx import WIDEST_GAP
from tests.fuzz.seeds import dressed


def rows(*said):
    sheet = f"<worksheet><sheetData>{''.join(f'<row>{one}</row>' for one in said)}</sheetData></worksheet>"
    return extract(dressed("xlsx", sheet.encode()), filename=None, declared_type=None).text.removeprefix("S\n\n")


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        ('<c r="A1"><v>1</v></c><c r="D1"><v>2</v></c>', "1\t\t\t2"),
        ('<c r="C1"><v>1</v></c>', "\t\t1"),
        ("<c><v>1</v></c><c/><c><v>2</v></c>", "1\t\t2"),
        (f'<c r="A1"><v>1</v></c><c r="{chr(ord("A") + WIDEST_GAP)}1"><v>2</v></c>', "1" + "\t" * WIDEST_GAP + "2"),
        ('<c r="A1"><v>1</v></c><c r="XFD1"><v>2</v></c>', "1\t2"),
        ('<c r="XFD1"><v>2</v></c>', "\t2"),
        ('<c r="B1"><v>1</v></c><c r="A1"><v>2</v></c>', "\t1\t2"),
        ('<c r="A1"><v>1</v></c><c r="A1"><v>2</v></c>', "1\t2"),
        ('<c t="s"><v>0</v></c><c t="s"><v>99</v></c><c t="s"><v>x</v></c><c><v>3</v></c>', "some\t\t\t3"),
        ('<c t="str"><v>a\nb</v></c><c t="e"><v>#REF!</v></c>', "a b\t#REF!"),
        ('<c s="1"><v>1.5</v></c><c s="2"><v>1.5</v></c><c s="99"><v>1.5</v></c>', "1904-01-02 12:00\t36:00:00\t1.5"),
    ],
)
def test_a_row_is_a_line_with_cells_in_their_columns(cells, line):
    assert rows("<c><v>first</v></c>", cells) == f"first\n{line}"


def test_a_sheet_without_rows_does_not_name_itself():
    assert rows("", "<c><v/></c>", "<c><v>1</v></c>") == "1"
