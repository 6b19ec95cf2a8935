"""What makes two bodies the same."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.infra.web.idempotency import Digest

# Few letters, so that boundaries overlap, repeat and lie across pieces.
letters = st.binary(max_size=40).map(lambda data: bytes(b"-ab\n"[byte % 4] for byte in data))
boundaries = st.binary(min_size=1, max_size=4).map(lambda data: bytes(b"-ab"[byte % 3] for byte in data))


def digest(delimiter: bytes, *pieces: bytes) -> bytes:
    body = Digest(delimiter)
    for piece in pieces:
        body.add(piece)
    return body.value()


@settings(deadline=None, max_examples=150)
@given(letters, boundaries | st.just(b""), st.lists(st.integers(0, 40), max_size=8))
def test_it_does_not_matter_how_a_body_is_cut(body, delimiter, cuts):
    places = sorted({0, len(body), *(min(cut, len(body)) for cut in cuts)})
    pieces = [body[start:end] for start, end in pairwise(places)]

    assert digest(delimiter, *pieces) == digest(delimiter, body)


@settings(deadline=None, max_examples=150)
@given(letters, letters, boundaries | st.just(b""))
def test_other_bodies_are_others(one, other, delimiter):
    assert (digest(delimiter, one) == digest(delimiter, other)) == (one == other)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=5))
def test_the_boundary_itself_does_not_count(parts):
    one, other = b"--Q9mJ3vF1xZ7bK5wL", b"--f0aa41c2-boundary-of-another-length"
    written = [delimiter.join([b"", *parts, b"--\r\n"]) for delimiter in (one, other)]

    assert digest(one, written[0]) == digest(other, written[1])


@pytest.mark.parametrize("moved", [(b"ab", b"c"), (b"a", b"bc"), (b"", b"abc")])
def test_what_stands_on_which_side_of_a_boundary_counts(moved):
    assert digest(b"--x", b"--x".join(moved)) != digest(b"--x", b"--x".join((b"abc", b"")))
