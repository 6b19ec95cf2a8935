import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.index.analysis import analyse, term_id
from carrel.index.terms import RECORD, forward, pack, query, unpack

int4 = st.integers(-(2**31), 2**31 - 1)
rows = st.lists(st.dictionaries(int4, st.integers(1, 1_000), max_size=12), max_size=12)


def read(packed):
    return {int(term): int(frequency) for term, frequency in np.frombuffer(packed, RECORD)}


class TestForward:
    def test_counts_the_words_of_a_chunk(self):
        row = forward("", "The lease ends when leases end", "en")

        assert read(row.terms) == {term_id("leas"): 2, term_id("end"): 2}
        assert (row.length, row.count) == (4, 2)

    def test_counts_the_title_twice(self):
        row = forward("Lease 2024", "lease", "en")

        assert read(row.terms) == {term_id("leas"): 3, term_id("2024"): 2}
        assert row.length == 5

    def test_caps_a_frequency_but_not_the_length(self):
        row = forward("", "lease " * 1_000, "en")

        assert read(row.terms) == {term_id("leas"): 255}
        assert row.length == 1_000

    def test_is_empty_for_a_chunk_without_words(self):
        row = forward("", "... the", "en")

        assert (row.length, row.count, row.terms) == (0, 0, b"")

    @settings(deadline=None)
    @given(st.text(max_size=80), st.text(max_size=80), st.sampled_from(["en", "ar", "ja", ""]))
    def test_holds_every_term_of_title_and_text_and_no_other(self, title, text, language):
        expected = Counter(analyse(text, language) + 2 * analyse(title, language))

        row = forward(title, text, language)

        assert read(row.terms) == {term_id(term): frequency for term, frequency in expected.items()}
        assert row.length == expected.total()


class TestPack:
    @settings(deadline=None)
    @given(st.dictionaries(int4, st.integers(1, 1_000), max_size=30), st.integers())
    def test_sorts_by_number_whatever_the_order_of_the_counts(self, frequencies, seed):
        shuffled = list(frequencies.items())
        random.Random(seed).shuffle(shuffled)

        packed = pack(dict(shuffled))

        assert packed == pack(frequencies)
        assert list(read(packed)) == sorted(frequencies)
        assert len(packed) == 5 * len(frequencies)

    def test_is_little_endian_and_signed(self):
        assert pack({-2: 3, 258: 7}) == b"\xfe\xff\xff\xff\x03" + b"\x02\x01\x00\x00\x07"


class TestUnpack:
    @settings(deadline=None)
    @given(rows)
    def test_gives_back_what_was_packed(self, rows):
        packed = [pack(row) for row in rows]
        lengths = [sum(row.values()) for row in rows]

        read_back = unpack(range(7, 7 + len(rows)), lengths, [len(row) for row in rows], b"".join(packed))

        assert len(read_back) == len(rows)
        assert read_back.ordinals.tolist() == list(range(7, 7 + len(rows)))
        assert read_back.lengths.tolist() == lengths
        pairs = list(zip(read_back.terms.tolist(), read_back.frequencies.tolist(), strict=True))
        assert pairs == [(term, min(row[term], 255)) for row in rows for term in sorted(row)]

    def test_reads_the_arrays_of_the_wire_format_as_well(self):
        numbers = np.array([4, 9], ">i4")

        read_back = unpack(numbers, numbers, np.array([1, 0], ">i4"), pack({5: 1}))

        assert read_back.ordinals.tolist() == [4, 9]
        assert read_back.counts.tolist() == [1, 0]

    @pytest.mark.parametrize(
        ("ordinals", "lengths", "counts", "packed"),
        [
            ([1, 2], [1], [1, 0], pack({5: 1})),
            ([1], [1], [2], pack({5: 1})),
            ([1], [1], [1], pack({5: 1})[:4]),
            ([], [], [], pack({5: 1})),
        ],
    )
    def test_refuses_what_does_not_belong_together(self, ordinals, lengths, counts, packed):
        with pytest.raises(ValueError, match=r"differ in number|not as many"):
            unpack(ordinals, lengths, counts, packed)


class TestQuery:
    def test_counts_repeated_words(self):
        assert query("lease lease the rent", ["en"]) == {term_id("leas"): 2, term_id("rent"): 1}

    def test_unites_languages_without_counting_a_word_twice(self):
        found = query("Verträge leases", ["en", "de"])

        assert found == dict.fromkeys(map(term_id, ("vertrag", *analyse("Verträge", "en"), "leas")), 1)

    def test_is_empty_for_no_words_and_for_no_languages(self):
        assert query("the of", ["en"]) == {}
        assert query("lease", []) == {}
