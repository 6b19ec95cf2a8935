import hashlib
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.auth.keys import BASE62, FORM, SECRET_LENGTH, digest, new_key, prefix_of


def test_a_key_has_its_form_and_tells_its_prefix():
    key = new_key()

    assert FORM.fullmatch(key)
    assert prefix_of(key) == key.split("_")[1]


def test_the_secret_holds_at_least_256_bits():
    assert SECRET_LENGTH * math.log2(len(BASE62)) >= 256
    assert len(set(BASE62)) == 62


def test_no_two_keys_are_alike():
    keys = [new_key() for _ in range(1000)]

    assert len(set(keys)) == 1000
    assert len({key[-SECRET_LENGTH:] for key in keys}) == 1000


def test_the_digest_is_sha_256_of_the_whole_key():
    key = new_key()

    assert digest(key.encode()) == hashlib.sha256(key.encode()).digest()
    assert digest(key.encode()) != digest(key[:-1].encode())


@settings(deadline=None)
@given(st.text(max_size=80))
def test_a_key_that_we_did_not_make_shows_no_prefix(text):
    assert prefix_of(text) is None or FORM.fullmatch(text)
    assert prefix_of(f"{new_key()}{text}") is None or not text
