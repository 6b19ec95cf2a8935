from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from carrel.auth.narrowing import NOTHING, Narrowing, access_of
from carrel.core.access import EVERYTHING, group_reader

ids = st.lists(st.integers(0, 9).map(lambda n: UUID(int=n)), min_size=1, max_size=5)
narrowings = st.builds(
    Narrowing,
    tags=st.none() | st.lists(st.sampled_from("abcdef"), min_size=1),
    collections=st.none() | ids,
    groups=st.none() | ids,
)


@given(narrowings)
def test_an_administrator_reaches_everything(narrowing):
    assert access_of(["read", "admin"], narrowing) == EVERYTHING


@given(narrowings)
def test_a_key_reaches_what_all_its_limits_allow(narrowing):
    access = access_of(["read"], narrowing)

    assert [set(tags) for tags in access.tags] == ([set(narrowing.tags)] if narrowing.tags else [])
    assert access.collections == (None if narrowing.collections is None else frozenset(narrowing.collections))
    assert access.readers == frozenset(map(group_reader, narrowing.groups or ()))
    assert access.is_within(access_of(["read"], Narrowing(groups=narrowing.groups)))


def test_a_key_without_limits_reaches_all_that_is_not_restricted():
    access = access_of(["read", "write", "search"], NOTHING)

    assert (access.tags, access.collections, access.documents, access.readers) == ((), None, None, frozenset())
