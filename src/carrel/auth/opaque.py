"""Tokens that say nothing: random texts of which only digests are stored. Pure but for the random numbers."""

import hashlib
import hmac
import os

from carrel.auth.keys import BASE62, SECRET_LENGTH, random_text

REFRESH = "cr_"


def new_refresh_token() -> str:
    """The first refresh token of a session: 256 random bits."""
    return REFRESH + random_text(SECRET_LENGTH)


def new_link_token() -> str:
    """What a link in a mail proves that somebody has read it."""
    return random_text(SECRET_LENGTH)


def new_nonce() -> bytes:
    return os.urandom(32)


def successor(token: str, nonce: bytes) -> str:
    """The refresh token after `token`: always the same for the same nonce.

    Who holds the token cannot make it without the nonce, which the server keeps, and the server cannot make it without
    the token, which it does not keep. So an answer that was lost can be given again, and a stolen copy of the database
    opens no session.
    """
    value, text = int.from_bytes(hmac.digest(nonce, token.encode(), hashlib.sha256)), ""
    for _ in range(SECRET_LENGTH):
        value, place = divmod(value, len(BASE62))
        text += BASE62[place]
    return REFRESH + text
