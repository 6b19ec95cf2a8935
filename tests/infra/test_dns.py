"""Asking the domain name system: what counts as an answer, and what never does."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.infra.dns import DnsUnavailable, Resolver, address_of, question_of, servers_of, texts_in
from tests.nameserver import answer_of, nameserver

pytestmark = pytest.mark.anyio
NAME = "_carrel.search.example.org"
QUESTION = question_of(NAME, 7)


class TestReadingAnAnswer:
    def test_gives_the_texts_with_their_pieces_put_together(self):
        assert texts_in(answer_of(QUESTION, ["one", "x" * 300]), QUESTION) == ["one", "x" * 300]

    def test_knows_that_there_is_no_such_name(self):
        assert texts_in(answer_of(QUESTION, [], code=3), QUESTION) == []

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            QUESTION,
            answer_of(question_of(NAME, 8), ["one"]),
            answer_of(question_of("other.example.org", 7), ["one"]),
            answer_of(QUESTION, ["one"], code=2),
            answer_of(QUESTION, ["one"])[:-1],
            answer_of(QUESTION, ["one"], flags=0x8200),
        ],
        ids=["nothing", "a question", "another id", "another name", "a failure", "cut off", "said to be cut off"],
    )
    def test_believes_nothing_else(self, answer):
        assert texts_in(answer, QUESTION) is None

    def test_skips_other_records_on_the_way(self):
        alias = b"\xc0\x0c" + struct.pack("!2HIH", 5, 1, 60, 2) + b"\xc0\x0c"
        whole = answer_of(QUESTION, ["one"])
        packet = whole[:6] + struct.pack("!H", 2) + whole[8 : len(QUESTION)] + alias + whole[len(QUESTION) :]

        assert texts_in(packet, QUESTION) == ["one"]

    @given(st.binary(max_size=300))
    def test_never_fails_on_what_is_sent(self, noise):
        for packet in (noise, answer_of(QUESTION, [])[: len(QUESTION)] + noise, QUESTION[:2] + b"\x80\0" + noise):
            assert texts_in(packet, QUESTION) in (None, []) or packet != noise


class TestAsking:
    async def test_finds_what_a_server_has(self):
        async with nameserver({NAME: ["one", "two"]}) as address:
            assert await Resolver([address]).texts(NAME) == ["one", "two"]
            assert await Resolver([address]).texts("other.example.org") == []

    async def test_goes_on_to_the_next_server(self):
        async with nameserver({NAME: ["one"]}) as address, nameserver(None) as silent:
            assert await Resolver([silent, ("127.0.0.1", 1), address], patience=0.2).texts(NAME) == ["one"]

    async def test_says_so_when_nobody_answers(self):
        async with nameserver(None) as silent:
            for servers in ([silent], []):
                with pytest.raises(DnsUnavailable):
                    await Resolver(servers, patience=0.1).texts(NAME)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ],
)
def test_an_address_may_have_a_port(text, address):
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["", "dns.example.org", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:70000", "1.2.3:53"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match=r"port|address"):
        address_of(text)


def test_the_servers_of_the_machine_are_asked_unless_others_are_named(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text("# a comment\nsearch example.org\nnameserver 192.0.2.53\nnameserver\n")

    assert servers_of([], path) == [("192.0.2.53", 53)]
    assert servers_of([], tmp_path / "none") == []
    assert servers_of(["192.0.2.1"], path) == [("192.0.2.1", 53)]
