from dataclasses import replace
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
    collection_readers=st.none() | st.frozensets(words, min_size=1, max_size=3),
)


@given(labels)
def test_who_reaches_everything_is_shown_every_document(one):
    assert EVERYTHING.admits(one)
    assert not EVERYTHING.is_narrowed


@given(accesses, accesses, labels)
def test_what_is_narrowed_admits_nothing_that_either_refuses(one, other, document):
    both = one.narrowed(other)

    if both.admits(document):
        assert one.admits(document)
        assert other.admits(document)
    assert both.reaches(document) == (one.reaches(document) and other.reaches(document))


@given(accesses, labels)
def test_a_document_must_be_allowed_by_its_own_readers_and_by_those_of_its_collection(access, document):
    alone = replace(document, collection_readers=None)
    swapped = replace(document, readers=document.collection_readers, collection_readers=document.readers)

    assert access.admits(document) <= access.admits(alone)
    assert access.admits(document) == access.admits(swapped)


@given(accesses, labels)
def test_a_document_without_readers_is_held_back_from_nobody_by_them(access, document):
    unrestricted = replace(document, readers=None, collection_readers=None)

    assert access.admits(unrestricted) == access.reaches(document)
