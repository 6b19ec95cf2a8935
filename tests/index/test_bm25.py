from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.index.bm25 import document_frequencies, score, top
from carrel.index.terms import pack, unpack

terms = st.integers(-5, 5)
chunk = st.dictionaries(terms, st.integers(1, 255), max_size=8)
chunks = st.lists(chunk, min_size=1, max_size=20)
queries = st.dictionaries(terms, st.integers(1, 3), max_size=6)


def rows_of(chunks, ordinals=None):
    return unpack(
        range(len(chunks)) if ordinals is None else ordinals,
        [sum(chunk.values()) for chunk in chunks],
        [len(chunk) for chunk in chunks],
        b"".join(map(pack, chunks)),
    )


def average(chunks):
    return max(1, sum(sum(chunk.values()) for chunk in chunks)) / len(chunks)


def naive(chunks, query):
    """BM25 as it stands in the books, one chunk and one word at a time."""
    scores = []
    for chunk in chunks:
        total = 0.0
        for term, repetitions in query.items():
            if term in chunk:
                holding = sum(term in other for other in chunks)
                idf = log(1 + (len(chunks) - holding + 0.5) / (holding + 0.5))
                norm = 1.2 * (1 - 0.75 + 0.75 * sum(chunk.values()) / average(chunks))
                total += repetitions * idf * chunk[term] * 2.2 / (chunk[term] + norm)
        scores.append(total)
    return scores


class TestScore:
    @settings(deadline=None)
    @given(chunks, queries)
    def test_equals_the_definition(self, chunks, query):
        scores = score(rows_of(chunks), query, count=len(chunks), average_length=average(chunks))

        assert scores.tolist() == pytest.approx(naive(chunks, query))

    @settings(deadline=None)
    @given(chunks, queries)
    def test_is_positive_exactly_where_a_word_of_the_query_occurs(self, chunks, query):
        scores = score(rows_of(chunks), query, count=len(chunks), average_length=average(chunks))

        assert [value > 0 for value in scores] == [any(term in chunk for term in query) for chunk in chunks]

    @settings(deadline=None)
    @given(chunks, queries, st.data())
    def test_a_part_of_the_rows_scores_as_in_the_whole_when_frequencies_are_given(self, chunks, query, data):
        whole = rows_of(chunks)
        cut = data.draw(st.integers(0, len(chunks)))
        facts = {"count": len(chunks), "average_length": average(chunks)}
        known = document_frequencies(whole, query)

        parts = [
            score(rows_of(part), query, **facts, document_frequency=known) for part in (chunks[:cut], chunks[cut:])
        ]

        assert np.concatenate(parts).tolist() == score(whole, query, **facts).tolist()

    def test_a_term_that_the_given_frequencies_lack_is_counted_in_the_rows(self):
        rows = rows_of([{1: 1}, {2: 1}])

        assert score(rows, {1: 1}, count=2, average_length=1, document_frequency={}).tolist() == pytest.approx(
            [log(2), 0]
        )

    def test_a_rarer_word_counts_more(self):
        common, rare = score(
            rows_of([{1: 1}, {2: 1}, {1: 1, 3: 1}, {1: 1, 3: 1}]), {1: 1, 2: 1}, count=4, average_length=1.5
        )[:2]

        assert rare > common

    def test_a_repeated_word_of_the_query_counts_as_often_as_it_stands_there(self):
        rows = rows_of([{1: 2}, {2: 1}])

        once, thrice = (score(rows, {1: times}, count=2, average_length=1.5)[0] for times in (1, 3))

        assert thrice == pytest.approx(3 * once)

    def test_is_empty_for_no_rows_and_zero_for_no_query(self):
        assert score(rows_of([]), {1: 1}, count=0, average_length=0).tolist() == []
        assert score(rows_of([{1: 1}]), {}, count=1, average_length=1).tolist() == [0.0]


class TestDocumentFrequencies:
    @settings(deadline=None)
    @given(chunks, st.sets(terms))
    def test_counts_the_rows_that_hold_a_term(self, chunks, wanted):
        found = document_frequencies(rows_of(chunks), wanted)

        assert found == {term: sum(term in chunk for chunk in chunks) for term in wanted}


class TestTop:
    # Few different values, so that most examples have ties at the edge.
    @settings(deadline=None)
    @given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), max_size=30), st.integers(0, 35), st.randoms())
    def test_is_the_head_of_a_full_sort_by_score_then_ordinal(self, values, k, random):
        ordinals = random.sample(range(1_000), len(values))
        expected = sorted(
            (place for place, value in enumerate(values) if value > 0), key=lambda p: (-values[p], ordinals[p])
        )

        assert top(np.array(values), k, np.array(ordinals, np.int64)).tolist() == expected[:k]

    @settings(deadline=None)
    @given(st.lists(st.floats(0, 10), max_size=30), st.integers(1, 35))
    def test_without_ordinals_ties_go_by_place(self, values, k):
        found = top(np.array(values), k).tolist()

        assert (
            found == [place for place in np.argsort(-np.array(values), kind="stable").tolist() if values[place] > 0][:k]
        )

    @pytest.mark.parametrize("k", [0, -1])
    def test_nothing_was_asked_for(self, k):
        assert top(np.array([1.0, 2.0]), k).tolist() == []
