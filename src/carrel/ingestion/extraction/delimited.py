"""CSV and its kin: the delimiter is found by counting, a row is a line with a tab between cells."""

import csv
import io
from collections.abc import Iterable, Sequence

from carrel.ingestion.extraction.model import Content, Source

DELIMITERS = ",;\t|"
_SAMPLE_LINES = 50
_LONGEST_CELL = 20_000
"""A stray quotation mark would make one cell of the rest of the file; cells of people are shorter than this."""


def read(source: Source) -> Content:
    text = source.decoded.text
    delimiter = _delimiter(text, source)
    # The reader's own limit would be an error in the middle of a file.
    csv.field_size_limit(max(len(text), csv.field_size_limit()))
    rows = list(csv.reader(_lines(text), delimiter=delimiter))
    if any(len(cell) > _LONGEST_CELL for row in rows for cell in row):
        rows = list(csv.reader(_lines(text), delimiter=delimiter, quoting=csv.QUOTE_NONE))
    lines = ("\t".join(" ".join(cell.split()) for cell in row).rstrip("\t") for row in rows)
    return Content("\n".join(line for line in lines if line), source.decoded.encoding)


def _lines(text: str) -> Iterable[str]:
    return io.StringIO(text, newline="")


def _delimiter(text: str, source: Source) -> str:
    """The character that divides most lines into the same number of cells, more than one."""
    if source.extension == "tsv" or source.media_type == "text/tab-separated-values":
        return "\t"
    sample = [line for line in text[: _SAMPLE_LINES * 1_000].splitlines() if line.strip()][:_SAMPLE_LINES]
    return max(DELIMITERS, key=lambda one: _evenness(sample, one))


def _evenness(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    counts = [line.count(delimiter) for line in lines]
    most = max(counts, key=counts.count, default=0)
    return (counts.count(most) / len(counts) if most else 0.0, most)
