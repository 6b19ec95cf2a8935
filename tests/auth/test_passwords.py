import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.auth.passwords import LONGEST, normalised, weakness


@pytest.mark.parametrize(
    "password",
    [
        "four quiet herons 41",
        "correct mule staple battery",
        "Zx9!kfQw2#",
        "كلمة سر طويلة جدا",
        "7305918264",
        "x" * 3 + "yzabcKLMN" + "ü" * 988,
    ],
)
def test_good_ones_are_taken(password):
    assert weakness(password, "lina@example.org", "lina") is None


@pytest.mark.parametrize(
    "password",
    [
        "",
        "ninechars",
        "x" * (LONGEST + 1),
        "password123",
        "P@ssw0rd1234",
        "!!!password!!!",
        "pass word 2024",
        "Pass-Word-2024",
        "welcome2024!",
        "Summer2026!!",
        "iloveyou1234",
        "qwertyuiop",
        "poiuytrewq",
        "1234567890",
        "0987654321",
        "abcdefghijkl",
        "1q2w3e4r5t",
        "aaaaaaaaaaaaaaaa",
        "abababababab",
        "lina@example.org",
        "LinaHaddad",
        "tab\tin the middle",
        "line\nin the middle",
        "a bell \x07 rings",
    ],
)
def test_what_is_tried_first_is_refused_with_a_reason(password):
    reason = weakness(password, "lina@example.org", "LinaHaddad")

    assert reason is not None
    assert reason.endswith(".")


def test_length_is_counted_in_what_people_see():
    assert weakness("e\u0301" * 5 + "abcd") is not None
    assert normalised("e\u0301") == "\u00e9"


@given(st.text(max_size=1200), st.text(max_size=20))
@settings(deadline=None)
def test_every_text_is_judged(password, related):
    assert weakness(password, related) == weakness(normalised(password), related)
    if weakness(password, related) is None:
        assert 10 <= len(normalised(password)) <= LONGEST
