from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.tenants import errors
from carrel.tenants.errors import DocumentQuotaExceeded, StorageQuotaExceeded
from carrel.tenants.quota import refusal
from carrel.tenants.schemas import MEBIBYTE, UsageView

counts = st.integers(0, 10**6)
limits = st.none() | st.integers(0, 10**6)
sizes = st.integers(0, 10**12)


@st.composite
def usages(draw, max_documents=limits, max_storage_mb=limits):
    return UsageView(
        documents=draw(counts),
        storage_bytes=draw(sizes),
        searches_today=0,
        today=date(2026, 1, 1),
        max_documents=draw(max_documents),
        max_storage_mb=draw(max_storage_mb),
        max_searches_per_day=None,
    )


@settings(deadline=None)
@given(usages(max_documents=st.none(), max_storage_mb=st.none()), sizes)
def test_nothing_is_refused_without_limits(usage, size):
    assert refusal(usage, size) is None


@settings(deadline=None)
@given(usages(), sizes)
def test_what_is_allowed_stays_within_both_limits(usage, size):
    if refusal(usage, size) is None:
        assert usage.max_documents is None or usage.documents + 1 <= usage.max_documents
        assert usage.max_storage_mb is None or usage.storage_bytes + size <= usage.max_storage_mb * MEBIBYTE


@settings(deadline=None)
@given(usages(), sizes)
def test_a_refusal_names_the_limit_that_would_be_broken(usage, size):
    no = refusal(usage, size)
    if isinstance(no, DocumentQuotaExceeded):
        assert no.facts["used"] == usage.documents >= no.facts["limit"] == usage.max_documents
    elif isinstance(no, StorageQuotaExceeded):
        assert no.facts["used"] == usage.storage_bytes
        assert usage.storage_bytes + size > no.facts["limit"] == usage.max_storage_bytes


@settings(deadline=None)
@given(usages(), sizes, sizes)
def test_a_smaller_document_is_never_refused_where_a_larger_one_fits(usage, one, other):
    small, large = sorted([one, other])
    assert refusal(usage, large) is not None or refusal(usage, small) is None


def test_the_titles_are_the_ones_that_programs_look_for():

    assert errors.DocumentQuotaExceeded.title == "Document quota exceeded"
    assert errors.StorageQuotaExceeded.title == "Storage quota exceeded"
    assert errors.SearchQuotaExceeded.title == "Daily search quota exceeded"
    assert {errors.DocumentQuotaExceeded.status, errors.StorageQuotaExceeded.status} == {403}
    assert errors.SearchQuotaExceeded.status == 403
