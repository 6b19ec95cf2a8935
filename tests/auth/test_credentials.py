from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from carrel.auth.credentials import presented
from carrel.auth.errors import AuthorizationUnsupported, CredentialsConflict, CredentialsRequired, Unauthenticated

# What an HTTP server lets through in a header: visible ASCII, spaces inside, and any byte above.
credentials = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)
raw = st.binary(max_size=60).map(lambda value: bytes(byte for byte in value if byte not in b"\r\n\0"))


def sent(*pairs):
    return Headers(raw=[(name.lower().encode(), value) for name, value in pairs])


def key(value):
    return ("X-API-Key", value.encode())


def bearer(value, scheme="Bearer"):
    return ("Authorization", f"{scheme} {value}".encode())


@settings(deadline=None)
@given(credentials)
def test_both_headers_carry_the_same_credential(value):
    assert presented(sent(key(value))) == value.encode()
    assert presented(sent(bearer(value))) == value.encode()
    assert presented(sent(key(value), bearer(value))) == value.encode()


@settings(deadline=None)
@given(credentials, credentials)
def test_two_different_credentials_are_refused_wherever_they_stand(one, other):
    if one == other:
        return
    for pair in ([key(one), bearer(other)], [key(one), key(other)], [bearer(one), bearer(other)]):
        with pytest.raises(CredentialsConflict):
            presented(sent(*pair))


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_read_as_http_says(scheme):
    assert presented(sent(bearer("ck_x", scheme))) == b"ck_x"


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [key("")],
        [key("   ")],
        [("Authorization", b"")],
        [("Authorization", b"Bearer")],
        [("Authorization", b"Bearer   ")],
        [key(""), ("Authorization", b"Bearer ")],
        [("Cookie", b"X-API-Key=ck_x")],
    ],
)
def test_nothing_presented_is_answered_with_both_ways_to_present_it(pairs):
    with pytest.raises(CredentialsRequired) as refused:
        presented(sent(*pairs))

    assert refused.value.status == 401
    assert refused.value.hint == "Send `X-API-Key: ck_...` or `Authorization: Bearer ck_...`."


@pytest.mark.parametrize("value", [b"Basic dXNlcjpwYXNz", b"Digest x", b"ck_abc", b"Token ck_abc", b"Bearerck_abc"])
def test_other_schemes_are_refused_even_beside_a_key(value):
    for pairs in ([("Authorization", value)], [key("ck_x"), ("Authorization", value)]):
        with pytest.raises(AuthorizationUnsupported) as refused:
            presented(sent(*pairs))
        assert refused.value.headers == {"WWW-Authenticate": "Bearer"}


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["X-API-Key", "Authorization"]), raw), max_size=4))
def test_any_header_gives_a_credential_or_a_401(pairs):
    found = None
    with suppress(Unauthenticated):
        found = presented(sent(*pairs))

    assert found is None or any(found in value for _, value in pairs)
    assert found != b""


def test_a_key_in_another_alphabet_arrives_byte_for_byte():
    assert presented(sent(key("пароль-из-настроек"))) == "пароль-из-настроек".encode()
