"""The canonical form of text: the one that positions count in and that the database can store."""

import re

REPLACEMENT = "\ufffd"

# PostgreSQL stores no U+0000, and a lone surrogate has no UTF-8 form.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def canonical(text: str) -> str:
    """The text as it is stored: leading byte-order marks dropped, what cannot be stored replaced one for one.

    Newlines stay as they were sent. The result always encodes to UTF-8, and its own canonical form is itself.
    """
    return _UNSTORABLE.sub(REPLACEMENT, text.lstrip("\ufeff"))
