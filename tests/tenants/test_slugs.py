import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.tenants.errors import InvalidSlug, ReservedSlug
from carrel.tenants.slugs import RESERVED, SLUG, SLUG_LENGTH, require_slug

LOOK_ALIKES = [
    "аcme",
    "ácme",
    "acme\u200b",
    "ａｃｍｅ",
    "acmе",
    "xn--80ak6aa92e",
    "acme\u0000",
    "acme٣",
    "acmé",
    "ACME",
]


@given(st.from_regex(SLUG, fullmatch=True).filter(lambda slug: len(slug) <= SLUG_LENGTH and slug not in RESERVED))
def test_every_slug_of_the_form_is_taken(slug):
    require_slug(slug)


@given(st.text(max_size=80).filter(lambda text: not SLUG.fullmatch(text)))
def test_nothing_else_is(text):
    with pytest.raises(InvalidSlug):
        require_slug(text)


@pytest.mark.parametrize("slug", LOOK_ALIKES)
def test_what_only_looks_like_a_slug_is_refused(slug):
    with pytest.raises(InvalidSlug):
        require_slug(slug)


@pytest.mark.parametrize("slug", ["admin", "api", "www", "default", "docs", "root"])
def test_what_would_be_taken_for_the_server_is_refused(slug):
    with pytest.raises(ReservedSlug) as refused:
        require_slug(slug)

    assert refused.value.facts == {"slug": slug}


def test_every_reserved_slug_has_the_form_of_one():
    assert all(SLUG.fullmatch(slug) for slug in RESERVED)
