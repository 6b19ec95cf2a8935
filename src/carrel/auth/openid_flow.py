"""The way of a browser to a provider of identities and back. Pure but for the random numbers.

Nothing is stored for a login that is under way. The browser keeps a random text in a cookie; state, nonce and PKCE
verifier are made from it with a key that only the servers have. So an answer fits only the browser that asked.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from carrel.auth.keys import SECRET_LENGTH, random_text

LIFE = timedelta(minutes=10)
FORM = re.compile(rf"([0-9]{{10}})\.[0-9A-Za-z]{{{SECRET_LENGTH}}}(?:\.c)?")


@dataclass(frozen=True, slots=True)
class Flow:
    """What one login sends along, and expects back."""

    state: str
    nonce: str
    verifier: str = field(repr=False)

    @property
    def challenge(self) -> str:
        return _text(hashlib.sha256(self.verifier.encode()).digest())


def new_mark(moment: datetime, *, cookie: bool = False) -> str:
    """What a browser keeps while its login is under way, and whether it will keep the session too."""
    return f"{int(moment.timestamp())}.{random_text(SECRET_LENGTH)}{'.c' if cookie else ''}"


def wants_cookie(mark: str) -> bool:
    return mark.endswith(".c")


def flow_of(key: bytes, mark: str) -> Flow:
    return Flow(*(_text(hmac.digest(key, f"{name} {mark}".encode(), hashlib.sha256)) for name in ("s", "n", "v")))


def is_fresh(mark: str, moment: datetime) -> bool:
    """Whether this is a mark of a login that began a short while ago."""
    found = FORM.fullmatch(mark)
    return found is not None and 0 <= moment.timestamp() - int(found[1]) + 1 <= LIFE.total_seconds() + 1


def address_of(endpoint: str, **query: str) -> str:
    """The provider's address with what is asked there; it may have a query of its own."""
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
