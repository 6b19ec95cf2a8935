"""What a provider of identities says of somebody, read strictly. Pure: a token and keys in, claims out."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

LONGEST = 32 * 1024
KINDS: Mapping[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The algorithms that are believed, each with its kind of key. None of them has a secret that this server shares."""
SHORTEST_RSA = 2048
CLOCKS_DIFFER = timedelta(seconds=60)
REQUIRED = ["iss", "sub", "aud", "exp", "iat"]
LONGEST_SUBJECT = 255
Key = Mapping[str, Any]


class NotBelieved(ValueError):
    """A token that proves nothing, with the reason."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say to be meant for us, now."""

    issuer: str
    client_id: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Head:
    """How a token says that it was signed."""

    algorithm: str
    key_id: str | None


def head_of(token: str) -> Head:
    """Raises `NotBelieved` for algorithms that prove nothing, and for tokens of another kind."""
    if len(token) > LONGEST:
        raise NotBelieved("the token is too long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise NotBelieved("it is no signed token") from error
    algorithm, key_id = str(header.get("alg")), header.get("kid")
    if algorithm not in KINDS:
        raise NotBelieved("its algorithm is not believed")
    if "crit" in header or str(header.get("typ", "JWT")).upper() != "JWT":
        raise NotBelieved("it is a token of another kind")
    if key_id is not None and not isinstance(key_id, str):
        raise NotBelieved("the name of its key is no text")
    return Head(algorithm, key_id)


def key_for(head: Head, keys: Sequence[Key]) -> Key | None:
    """The provider's key that the token names; without a name, the only one that could be meant."""
    kind, curve = KINDS[head.algorithm]
    fitting = [
        key
        for key in keys
        if key.get("kty") == kind
        and (curve is None or key.get("crv") == curve)
        and key.get("use", "sig") == "sig"
        and key.get("alg", head.algorithm) == head.algorithm
        and (head.key_id is None or key.get("kid") == head.key_id)
    ]
    return fitting[0] if len(fitting) == 1 else None


def claims_of(token: str, head: Head, key: Key, expected: Expected) -> dict[str, Any]:
    """What the token says. Raises `NotBelieved` unless it is signed, meant for us, for this login, and for now."""
    try:
        found: dict[str, Any] = jwt.decode(
            token,
            _loaded(key, head.algorithm),
            algorithms=[head.algorithm],
            audience=expected.client_id,
            issuer=expected.issuer,
            leeway=CLOCKS_DIFFER,
            options={"require": REQUIRED},
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
        raise NotBelieved(_reason(error)) from error
    _require_for_us(found, expected)
    return found


def _require_for_us(found: Mapping[str, Any], expected: Expected) -> None:
    others, party = found["aud"] if isinstance(found["aud"], list) else [], found.get("azp")
    if (len(others) > 1 and party is None) or (party is not None and party != expected.client_id):
        raise NotBelieved("it was issued for another program")
    nonce, subject = found.get("nonce"), found["sub"]
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise NotBelieved("it belongs to another login")
    if not isinstance(subject, str) or not 1 <= len(subject) <= LONGEST_SUBJECT or "\0" in subject:
        raise NotBelieved("it names nobody")


def _loaded(key: Key, algorithm: str) -> Any:
    loaded = jwt.PyJWK.from_dict(dict(key), algorithm=algorithm).key
    if isinstance(loaded, RSAPublicKey) and loaded.key_size < SHORTEST_RSA:
        raise NotBelieved("its key is too short")
    return loaded


def _reason(error: Exception) -> str:
    if isinstance(error, NotBelieved):
        return str(error)
    reasons: dict[type[Exception], str] = {
        jwt.ExpiredSignatureError: "it has expired",
        jwt.ImmatureSignatureError: "it is from the future",
        jwt.InvalidSignatureError: "its signature is wrong",
        jwt.InvalidAudienceError: "it was issued for another program",
        jwt.InvalidIssuerError: "it is from another issuer",
    }
    return next((reason for kind, reason in reasons.items() if isinstance(error, kind)), "it cannot be read")
