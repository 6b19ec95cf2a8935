import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.feeding import body, pause
from bench.ingest import cut
from bench.references import Document
from carrel.entry.wiring import SPLITTER
from carrel.infra import models
from carrel.infra.models import Tokenizer


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    return Tokenizer.load(models.resolve(None, data_dir=tmp_path_factory.mktemp("models")))


def test_passages_fit_the_model_and_hold_the_whole_text(tokens):
    document = Document("a", "On lamps", "A lamp burns oil. It gives light. " * 120)

    passages = cut(document, tokens)

    assert len(passages) > 1
    assert all(len(tokens.starts(one)) <= SPLITTER.limit for one in passages)
    assert all(one.startswith("On lamps\n") for one in passages)
    assert "".join("".join(one.removeprefix("On lamps\n").split()) for one in passages) == "".join(
        document.text.split()
    )


def test_a_long_title_does_not_crowd_out_the_text(tokens):
    document = Document("a", "lamp " * 200, "A lamp burns oil. " * 100)

    assert all("burns" in one for one in cut(document, tokens))


@pytest.mark.parametrize(
    ("document", "sent"),
    [
        (Document("1", "T", "text"), {"title": "T", "content": "text", "external_id": "1"}),
        (Document("2", "", "text"), {"content": "text", "external_id": "2"}),
        (Document("3", "T", ""), {"content": "T", "external_id": "3"}),
    ],
)
def test_an_empty_title_or_text_is_not_sent(document, sent):
    assert body(document) == sent


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10_000), st.floats(0, 3600))
def test_a_look_is_never_far_beyond_the_end_and_never_too_often(left, done, seconds):
    waited = pause(left, done, seconds)

    assert 0.05 <= waited <= 2.0
    assert not done or waited <= max(0.05, left * seconds / done)
