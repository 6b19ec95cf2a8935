from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from carrel.core.access import EVERYTHING, Access, Labels

ids = st.integers(0, 5).map(lambda n: UUID(int=n))
some = st.none() | st.frozensets(ids, max_size=4)
words = st.sampled_from("abcdef")
accesses = st.builds(
    Access,
    tags=st.lists(st.frozensets(words, max_size=3), max_size=3).map(tuple),
    collections=some,
    documents=some,
    readers=st.none() | st.frozensets(words, max_size=3),
)


def allows(access, tags, one, reader):
    return (
        all(tags & wanted for wanted in access.tags)
        and (access.collections is None or one in access.collections)
        and (access.documents is None or one in access.documents)
        and (access.readers is None or reader in access.readers)
    )


@given(accesses, accesses, st.frozensets(words), ids, words)
def test_what_is_narrowed_allows_just_what_both_allow(one, other, tags, document, reader):
    both = one.narrowed(other)

    assert allows(both, tags, document, reader) == (
        allows(one, tags, document, reader) and allows(other, tags, document, reader)
    )


@given(accesses, accesses, st.frozensets(words), ids, words)
def test_what_is_within_another_allows_nothing_that_the_other_does_not(one, other, tags, document, reader):
    if one.is_within(other) and allows(one, tags, document, reader):
        assert allows(other, tags, document, reader)


@given(accesses, accesses)
def test_what_is_narrowed_is_within_both(one, other):
    both = one.narrowed(other)

    assert both.is_within(one)
    assert both.is_within(other)
    assert one.is_within(EVERYTHING)


@given(accesses)
def test_everything_narrows_nothing(access):
    assert EVERYTHING.narrowed(access) == access
    assert access.is_limited == (access != EVERYTHING)


labels = st.builds(
    Labels,
    document=ids,
    tags=st.frozensets(words, max_size=3),
    collection=st.none() | ids,
    readers=st.none() | st.frozensets(words, min_size=1, max_size=3),
)


@given(labels)
def test_who_reaches_everything_is_shown_every_document(one):
    assert EVERYTHING.reaches(one)
    assert EVERYTHING.may_read(one.readers)
    assert not EVERYTHING.is_narrowed


@given(accesses, accesses, labels)
def test_what_is_narrowed_shows_nothing_that_either_does_not(one, other, document):
    both = one.narrowed(other)

    assert both.reaches(document) == (one.reaches(document) and other.reaches(document))
    assert both.may_read(document.readers) <= (one.may_read(document.readers) and other.may_read(document.readers))


@given(accesses)
def test_what_names_no_readers_is_held_back_from_nobody(access):
    assert access.may_read(None)


@given(accesses, labels)
def test_readers_hold_back_whoever_is_not_among_them(access, document):
    among = access.readers is None or document.readers is None or bool(access.readers & set(document.readers))

    assert access.may_read(document.readers) == among
