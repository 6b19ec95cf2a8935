"""The canonical form of text: the one that positions count in and that the database can store."""

import re
import unicodedata

REPLACEMENT = "\ufffd"

# PostgreSQL stores no U+0000, and a lone surrogate has no UTF-8 form.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Controls, marks of format, surrogates, private characters, and what ends lines and paragraphs."""
JOINERS = frozenset("\u200c\u200d")
VIRAMA = 9
"""The class of the marks that take the vowel from a letter, in the scripts of India."""


def canonical(text: str) -> str:
    """The text as it is stored: leading byte-order marks dropped, what cannot be stored replaced one for one.

    Newlines stay as they were sent. The result always encodes to UTF-8, and its own canonical form is itself.
    """
    return storable(text.lstrip("\ufeff"))


def storable(text: str) -> str:
    """A part of a text as it is stored; unlike in the whole, byte-order marks at its beginning stay."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


def without_unseen(text: str) -> str:
    """The text without what nobody sees in it: controls, marks that turn the writing round, characters of no width.

    The two characters that join and part letters stay: Persian and the scripts of India are not written without them.
    """
    return "".join(char for char in text if not _is_unseen(char))


def plain_name(name: str) -> str:
    """The name, as it is. Raises `ValueError` when it does not look like what it is, or says nothing at all.

    Where no script needs them, the two that join and part letters are refused as well: there they are only invisible.
    """
    unneeded = any(char in JOINERS and not _joins(before) for before, char in zip(" " + name, name, strict=False))
    if unneeded or without_unseen(name) != name:
        raise ValueError("A name holds no characters that cannot be seen.")
    if name and not name.strip():
        raise ValueError("A name is more than white space.")
    return name


def _is_unseen(char: str) -> bool:
    return unicodedata.category(char) in UNSEEN and char not in JOINERS


def _joins(letter: str) -> bool:
    """Whether it makes a difference what stands between this letter and the next one."""
    return unicodedata.bidirectional(letter) == "AL" or unicodedata.combining(letter) == VIRAMA
