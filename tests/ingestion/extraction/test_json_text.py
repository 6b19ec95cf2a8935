import json

from hypothesis import given
from hypothesis import strategies as st

from carrel.ingestion.extraction import json_text
from carrel.ingestion.extraction.model import Source

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=30,
)


def read(text):
    return json_text.read(Source(text.encode("utf-8", "surrogatepass"), "a.json", None)).text


@given(values)
def test_the_values_stay_what_they_are(value):
    assert json.loads(read(json.dumps(value))) == value


@given(values)
def test_the_values_stay_what_they_are_when_they_get_line_ends(value):
    value = ["x" * json_text.LONGEST_LINE, value]

    found = read(json.dumps(value))

    assert json.loads(found) == value
    assert "\n" in found


@given(values)
def test_what_was_read_reads_the_same_again(value):
    found = read(json.dumps(["x" * json_text.LONGEST_LINE, value]))

    assert read(found) == found


def test_short_lines_stay_as_they_are():
    said = '{ "a" :\t[1,2 , "\\"\\n\\u0007"] }\n{}'

    assert read(said) == said


def test_numbers_keep_every_digit():
    said = "[" + "1.10000000000000000001, " * 100 + "1E400]"

    assert "1.10000000000000000001" in read(said)
    assert read(said).endswith("1E400\n]")
