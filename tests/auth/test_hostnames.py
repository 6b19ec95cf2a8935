"""Which names an organisation may ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.auth.errors_domains import InvalidDomain
from carrel.auth.hostnames import host_of, is_name, require_foreign


@pytest.mark.parametrize(
    ("given_name", "host"),
    [
        ("search.example.org", "search.example.org"),
        ("Search.Example.ORG.", "search.example.org"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("a.b-c.d1.example", "a.b-c.d1.example"),
    ],
)
def test_a_name_is_kept_as_the_header_has_it(given_name, host):
    assert host_of(given_name) == host


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "example", "localhost", "192.0.2.1", "0x7f.1", "1.2.3.4.", "[2001:db8::1]", "2001:db8::1", "::1",
        "search.example.org:8080", "https://search.example.org", "search.example.org/", "user@search.example.org",
        "search.example.org?x", "search.example.org#x", "search.example.org\\x", "search .example.org",
        "search.example.org\n", "search.example.org\x00", "*.example.org", "-a.example.org", "a-.example.org",
        "a..example.org", ".example.org", "_carrel.example.org", "a" * 64 + ".org", "a." * 130 + "org", "xn--.example",
        "search.example.org%00", "\ud800.example.org", "\u202e.example.org",
    ],
)  # fmt: skip
def test_what_is_no_whole_domain_name_is_refused(name):
    with pytest.raises(InvalidDomain):
        host_of(name)


@given(st.text(max_size=300))
def test_whatever_is_given_is_a_name_or_refused(text):
    try:
        host = host_of(text)
    except InvalidDomain:
        return
    assert is_name(host)
    assert host == host_of(host)


@pytest.mark.parametrize("host", ["carrel.example", "a.tenants.example", "localhost"])
def test_the_servers_own_names_are_nobodys(host):
    with pytest.raises(InvalidDomain):
        require_foreign(host, ["carrel.example", "*.tenants.example", "localhost"])
    require_foreign("carrel.example.org", ["carrel.example"])
