import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.auth.emails import key_of, known_email

anything = st.text(max_size=80) | st.from_regex(r"[^\s@]{1,10}@[^\s@]{1,10}\.[a-z]{2,3}", fullmatch=True)


@pytest.mark.parametrize(
    "address",
    ["lina@example.org", "a.b+tag@sub.example.org", "ليلى@example.org", "jürgen@exämple.de", "o'neil@example.co.uk"],
)
def test_an_address_stays_as_it_is(address):
    assert known_email(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@",
        "nobody",
        "a@b",
        "@example.org",
        "a@",
        "a@.org",
        "a@-x.org",
        "a@x-.org",
        "a..b@example.org",
        ".a@example.org",
        "a b@example.org",
        "a@exa mple.org",
        "a@example.org\r\nBcc: b@example.org",
        "a\x00b@example.org",
        "a@example.org\x7f",
        "a\u200bb@example.org",
        "a\u202eb@example.org",
        "a<b>@example.org",
        '"a b"@example.org',
        "a@b@example.org",
        "a\uff20b@example.org",
        "x" * 65 + "@example.org",
        "a@" + "x" * 64 + ".org",
        "a@" + "x." * 130 + "org",
        "\ud800@example.org",
        "p\u0430ypal@example.org",
        "paypal@ex\u0430mple.org",
        "\u03b1bc@example.org",
    ],
)
def test_what_nobody_can_be_reached_at_is_refused(address):
    with pytest.raises(ValueError, match="address"):
        known_email(address)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Lina@Example.ORG", "lina@example.org"),
        ("LİNA@example.org", "li\u0307na@example.org"),
        ("\uff4cina@example.org", "lina@example.org"),
        ("a@exämple.de", "a@xn--exmple-cua.de"),
        ("stra\u00dfe@example.org", "strasse@example.org"),
    ],
)
def test_spellings_of_one_address_have_one_key(one, other):
    assert key_of(known_email(one)) == key_of(known_email(other))


@given(anything)
@settings(deadline=None)
def test_an_address_is_refused_or_settled(text):
    try:
        address = known_email(text)
    except ValueError:
        return
    assert known_email(address) == address
    assert key_of(address).count("@") == 1
    assert key_of(key_of(address)) == key_of(address)
    assert address.isprintable()
