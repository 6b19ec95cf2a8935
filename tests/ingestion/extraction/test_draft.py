from hypothesis import given
from hypothesis import strategies as st

from carrel.ingestion.extraction.draft import Draft
from carrel.ingestion.extraction.model import Content, Heading

words = st.text(st.sampled_from("ab \n\t\ufeff\u2028é"), max_size=12)
steps = st.lists(
    st.tuples(st.sampled_from(["block", "row", "heading", "page", "content"]), words),
    max_size=20,
)


def built(steps):
    draft = Draft()
    for number, (step, said) in enumerate(steps, start=1):
        match step:
            case "block":
                draft.block(said)
            case "row":
                draft.block(said, run="rows")
            case "heading":
                draft.heading(said, 1)
            case "page":
                draft.page(number)
            case "content":
                draft.content(Content(f"{said}# x", "utf-8", headings=(Heading(len(said), 1, "# x"),)), deeper=1)
    return draft.done()


@given(steps)
def test_headings_and_pages_stand_where_they_say(steps):
    found = built(steps)

    for heading in found.headings:
        assert found.text[heading.start :].startswith(heading.text)
    for marks in (found.pages, found.headings):
        starts = [mark.start for mark in marks]
        assert starts == sorted(starts)
        assert all(0 <= start < len(found.text) for start in starts)


@given(steps)
def test_nothing_that_was_said_is_lost(steps):
    found = built(steps)

    said = "".join(f"{text}# x" if step == "content" else text for step, text in steps if step != "page")
    assert "".join(found.text.replace("\ufeff", "").split()) == "".join(said.replace("\ufeff", "").split())


@given(steps)
def test_a_text_begins_with_something_to_read(steps):
    found = built([step for step in steps if step[0] != "content"])

    assert found.text == found.text.lstrip("\ufeff\n")


def test_rows_of_one_run_are_lines_and_runs_are_paragraphs():
    draft = Draft()
    for run, said in (("a", "1"), ("a", "2"), ("b", "3"), (None, "4"), (None, "5")):
        draft.block(said, run=run)

    assert draft.done().text == "1\n2\n\n3\n\n4\n\n5"
