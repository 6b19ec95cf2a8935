"""The form of API keys. Pure but for the random numbers."""

import hashlib
import re
import secrets
import string

BASE62 = string.digits + string.ascii_letters
PREFIX_LENGTH = 8
SECRET_LENGTH = 43  # 62 ** 43 > 2 ** 256
FORM = re.compile(rf"ck_([0-9A-Za-z]{{{PREFIX_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH}}}")


def new_key() -> str:
    """A key that nobody can guess: `ck_`, 8 characters for people, and 256 random bits."""
    return f"ck_{random_text(PREFIX_LENGTH)}_{random_text(SECRET_LENGTH)}"


def prefix_of(key: str) -> str | None:
    """The part of a key that people tell keys apart by; None for a key that we did not make."""
    found = FORM.fullmatch(key)
    return found[1] if found else None


def digest(key: bytes) -> bytes:
    """What is stored and looked up instead of a key.

    A fast hash is enough, because the input is not a password: 256 random bits cannot be tried out. Looking it up
    in an index tells nothing by its duration, since nobody can choose a key whose digest begins as they like.
    """
    return hashlib.sha256(key).digest()


def random_text(length: int) -> str:
    """Characters of which each is as likely as any other, with almost 6 bits in each."""
    return "".join(secrets.choice(BASE62) for _ in range(length))
