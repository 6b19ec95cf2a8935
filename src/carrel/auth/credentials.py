"""Which credential a request presents. Pure: headers in, bytes out."""

import hmac
from typing import Protocol

from carrel.auth.errors import AuthorizationUnsupported, CredentialsConflict, CredentialsRequired

KEY_HEADER, AUTHORIZATION = "x-api-key", "authorization"
BOTH_FORMS = "Send `X-API-Key: ck_...` or `Authorization: Bearer ck_...`."


class Headers(Protocol):
    """The headers of a request, each value with one character per byte (ISO 8859-1), as ASGI frameworks give them."""

    def getlist(self, key: str, /) -> list[str]: ...


def presented(headers: Headers) -> bytes:
    """The one credential of a request, as its bytes. A header that is sent twice must say the same twice.

    Raises `CredentialsRequired`, `CredentialsConflict` or `AuthorizationUnsupported`.
    """
    values = [value.strip() for value in headers.getlist(KEY_HEADER)]
    values += [_bearer(value.strip()) for value in headers.getlist(AUTHORIZATION)]
    found = [value.encode("latin-1") for value in values if value]
    if not found:
        raise CredentialsRequired("This needs credentials, and the request carries none.", hint=BOTH_FORMS)
    if not all(hmac.compare_digest(found[0], other) for other in found[1:]):
        raise CredentialsConflict(
            "The request carries two different credentials.", hint=f"Send one of them. {BOTH_FORMS}"
        )
    return found[0]


def _bearer(value: str) -> str:
    scheme, _, credential = value.partition(" ")
    if scheme and scheme.lower() != "bearer":
        raise AuthorizationUnsupported("The scheme of the header Authorization is not Bearer.", hint=BOTH_FORMS)
    return credential.strip()
