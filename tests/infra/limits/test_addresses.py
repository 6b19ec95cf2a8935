"""Whose address counts: that of the socket, unless a proxy of ours speaks for somebody."""

from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.infra.limits.addresses import client_of, is_trusted

OURS = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.7, 10.2.0.1"], "203.0.113.7"),
        ("10.0.0.1", ["10.2.0.1,10.3.0.1"], "10.2.0.1"),
        ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, nonsense, 10.2.0.1"], "10.2.0.1"),
        ("10.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("10.0.0.1", ["[2001:db9::1]:4711"], "2001:db9::1"),
        ("10.0.0.1", ["2001:DB9::1"], "2001:db9::1"),
        ("10.0.0.1", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("::ffff:10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("2001:db8::5", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["", " , "], "10.0.0.1"),
        ("unknown", ["203.0.113.7"], "unknown"),
    ],
)
def test_the_last_hop_that_is_no_proxy_of_ours_is_the_client(peer, forwarded, client):
    assert client_of(peer, forwarded, OURS) == client


@settings(deadline=None)
@given(st.lists(st.text(max_size=50), max_size=5))
def test_a_client_that_holds_the_socket_itself_cannot_be_somebody_else(forwarded):
    assert client_of("203.0.113.7", forwarded, OURS) == "203.0.113.7"


@settings(deadline=None)
@given(st.lists(st.text(max_size=50), max_size=5))
def test_what_a_client_writes_before_its_own_address_is_never_read(forged):
    # A proxy adds the address of its client to the end of the header, or sends a header of its own after it.
    assert client_of("10.0.0.1", [*forged, "203.0.113.7"], OURS) == "203.0.113.7"
    assert client_of("10.0.0.1", [", ".join([*forged, "203.0.113.7"])], OURS) == "203.0.113.7"


def test_nobody_is_trusted_unless_told():
    assert not is_trusted("127.0.0.1", [])
    assert is_trusted("10.255.0.1", OURS)
