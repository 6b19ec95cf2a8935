import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.auth.totp import (
    code_at,
    new_recovery_codes,
    new_secret,
    recovery_digest,
    shown,
    step_of,
    step_that_fits,
    uri_of,
)

secrets = st.binary(min_size=20, max_size=20)
# Hypothesis wants its bounds without a zone.
moments = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


# RFC 6238, appendix B, SHA-1: its codes have eight digits, of which ours are the last six.
@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_gives_the_codes_of_the_standard(seconds, code):
    step = step_of(datetime.fromtimestamp(seconds, UTC))

    assert code_at(b"12345678901234567890", step) == code[2:]


@given(secrets, moments, st.integers(-1, 1))
def test_takes_the_codes_of_three_steps(secret, moment, offset):
    step = step_of(moment) + offset

    fits = step_that_fits(secret, code_at(secret, step), moment, after=0)

    # Two neighbours may have the same code by chance; then the later one counts.
    assert fits is not None
    assert code_at(secret, fits) == code_at(secret, step)


@given(secrets, moments, st.integers(2, 1000))
def test_takes_no_older_and_no_later_codes(secret, moment, far):
    present = step_of(moment)
    near = {code_at(secret, present + offset) for offset in (-1, 0, 1)}

    for step in (present - far, present + far):
        if step >= 0 and code_at(secret, step) not in near:
            assert step_that_fits(secret, code_at(secret, step), moment, after=0) is None


@given(secrets, moments)
def test_takes_no_code_twice(secret, moment):
    first = step_that_fits(secret, code_at(secret, step_of(moment)), moment, after=0)
    assert first is not None

    again = step_that_fits(secret, code_at(secret, step_of(moment)), moment + timedelta(seconds=5), after=first)

    assert again is None or again > first


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef"])
def test_takes_nothing_else(code):
    assert step_that_fits(new_secret(), code, datetime.now(UTC), after=0) is None


def test_programs_read_the_secret_from_its_address():
    secret = new_secret()

    uri = urlsplit(uri_of(secret, "lina+a@example.org", "Carrel"))

    query = parse_qs(uri.query)
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Carrel:lina%2Ba%40example.org")
    assert base64.b32decode(query["secret"][0]) == secret
    assert query["secret"][0] == shown(secret)
    assert (query["digits"], query["period"], query["issuer"]) == (["6"], ["30"], ["Carrel"])


class TestRecoveryCodes:
    def test_are_ten_of_80_bits(self):
        codes = new_recovery_codes()

        assert len(set(codes)) == 10
        assert all(len(code.replace("-", "")) == 16 for code in codes)

    def test_are_the_same_however_they_are_written(self):
        user, [code, *_] = uuid4(), new_recovery_codes()

        written = {code, code.lower(), code.replace("-", ""), code.replace("-", " "), f" {code}"}

        assert len({recovery_digest(user, one) for one in written}) == 1

    def test_of_two_people_have_nothing_in_common(self):
        [code, *_] = new_recovery_codes()

        assert recovery_digest(uuid4(), code) != recovery_digest(uuid4(), code)
