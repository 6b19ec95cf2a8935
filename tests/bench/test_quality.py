import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import quality
from bench.quality import bars
from bench.references import fused, measure, placed

scores = st.floats(0.01, 1)


def given_measured(**reached):
    names = {"words": "reference words", "vectors": "reference vectors", "fused": "reference fused"}
    return {names.get(name, name): {"nDCG@10": value} for name, value in reached.items()}


@settings(deadline=None)
@given(scores, scores)
def test_rankings_as_good_as_the_references_pass(words, both):
    measured = given_measured(words=words, vectors=0.5, fused=both, keyword=words, hybrid=both)

    assert all(ratio >= 1 for ratio in bars(measured, "en").values())


def test_keyword_search_may_lose_three_parts_of_a_hundred_and_not_four():
    good = given_measured(words=0.5, vectors=0.5, fused=0.5, keyword=0.485, hybrid=0.5)
    bad = given_measured(words=0.5, vectors=0.5, fused=0.5, keyword=0.480, hybrid=0.5)

    assert bars(good, "en")["keyword"] == 1.0
    assert bars(bad, "en")["keyword"] < 1


def test_arabic_hybrid_is_held_against_words_because_the_model_knows_no_arabic():
    measured = given_measured(words=0.9, vectors=0.1, fused=0.3, keyword=0.9, hybrid=0.8)

    assert bars(measured, "ar")["hybrid"] < 1 < bars(measured, "en")["hybrid"]


@given(st.lists(st.sampled_from("abcdef"), max_size=20))
def test_a_document_counts_at_its_first_place(documents):
    run = placed(documents)

    assert sorted(run, key=lambda one: -run[one]) == list(dict.fromkeys(documents))


def test_a_query_without_results_counts_nothing():
    run = {"q1": {"d1": 1.0}}

    assert measure(run, {"q1": {"d1": 1}, "q2": {"d2": 1}})["nDCG@10"] == 0.5


def test_fusing_a_run_with_itself_keeps_its_order():
    run = {"q": {"a": 3.0, "b": 2.0, "c": 1.0}}

    merged = fused(run, run)["q"]

    assert sorted(merged, key=lambda one: -merged[one]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [([], "Give a folder of collections"), (["--data", "."], "There is no collection in")],
)
def test_without_data_it_says_what_to_give(arguments, told, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["quality", *arguments])

    assert quality.main() == 2
    assert told in capsys.readouterr().err
