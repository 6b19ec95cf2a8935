"""JSON Web Tokens that only this server makes, and only it reads. Pure but for the keys it is given."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from carrel.core.ids import TenantId

Algorithm = Literal["HS256", "EdDSA"]
LONGEST_TOKEN = 4096
CLOCKS_DIFFER = timedelta(seconds=5)
"""How far the clocks of two instances may be apart."""
HEADER = frozenset({"alg", "typ", "kid"})
ENVELOPE = frozenset({"iss", "aud", "iat", "exp"})


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of our tokens. Its type, its audience and the names of its claims keep it from passing for another."""

    type: str
    audience: str
    claims: frozenset[str]

    @classmethod
    def of(cls, kind: str, audience: str, *claims: str) -> "Form":
        return cls(kind, audience, ENVELOPE.union(claims))


ACCESS = Form.of("at+jwt", "carrel", "sub", "tid", "role", "sid", "jti")
"""Stands for a session of a person."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Whose session a token stands for. What that session may do now is not read from here."""

    user: UUID
    tenant: TenantId
    session: UUID
    role: str
    generation: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the one algorithm that it is for. Without `signing` it only verifies."""

    id: str
    algorithm: Algorithm
    verifying: bytes | Ed25519PublicKey
    signing: bytes | Ed25519PrivateKey | None = None

    @classmethod
    def of_secret(cls, secret: bytes) -> "Key":
        return cls(hashlib.sha256(b"kid:" + secret).hexdigest()[:16], "HS256", secret, secret)

    @classmethod
    def of_private(cls, private: Ed25519PrivateKey) -> "Key":
        public = private.public_key()
        return cls(_thumbprint(public), "EdDSA", public, private)

    @classmethod
    def of_public(cls, public: Ed25519PublicKey) -> "Key":
        return cls(_thumbprint(public), "EdDSA", public)


class Ring:
    """The keys of this server: one that signs, and others that it still believes, each only with its own algorithm."""

    def __init__(self, signing: Key, others: Sequence[Key] = (), *, issuer: str, lifetime: timedelta) -> None:
        self._signing, self._issuer, self.lifetime = signing, issuer, lifetime
        self._keys = {key.id: key for key in (*others, signing)}

    def sign(self, form: Form, claims: Mapping[str, Any], begin: datetime, end: datetime) -> str:
        """A token of this form. The same claims and times give the same token."""
        payload = {
            "iss": self._issuer,
            "aud": form.audience,
            **claims,
            "iat": int(begin.timestamp()),
            "exp": int(end.timestamp()),
        }
        key: Any = self._signing.signing
        return jwt.encode(payload, key, self._signing.algorithm, headers={"kid": self._signing.id, "typ": form.type})

    def open(self, form: Form, token: bytes) -> tuple[dict[str, Any], datetime] | None:
        """The claims of a token and its end, or None when it is none of this form that we made and that is good now."""
        key = self._key_of(form, token)
        if key is None:
            return None
        try:
            found = jwt.decode(
                token,
                key.verifying,
                algorithms=[key.algorithm],
                audience=form.audience,
                issuer=self._issuer,
                leeway=CLOCKS_DIFFER,
                options={"require": sorted(form.claims), "strict_aud": True},
            )
            if type(found["exp"]) is not int or type(found["iat"]) is not int:
                return None
            return found, datetime.fromtimestamp(found["exp"], UTC)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            return None

    def issue(self, claims: Claims, moment: datetime) -> str:
        """An access token that begins at `moment`. The same claims and moment give the same token."""
        payload = {
            "sub": str(claims.user),
            "tid": str(claims.tenant),
            "role": claims.role,
            "sid": str(claims.session),
            "jti": f"{claims.session.hex}.{claims.generation}",
        }
        return self.sign(ACCESS, payload, moment, moment + self.lifetime)

    def read(self, token: bytes) -> tuple[Claims, datetime] | None:
        """What an access token says and when it ends, or None when it is not one of ours that is good now."""
        if (opened := self.open(ACCESS, token)) is None:
            return None
        try:
            return _claims_of(opened[0]), opened[1]
        except (ValueError, TypeError, AttributeError):
            return None

    def published(self) -> dict[str, list[dict[str, str]]]:
        """The public keys by which others can check our tokens (RFC 7517). A shared secret is none."""
        public = [key for key in self._keys.values() if isinstance(key.verifying, Ed25519PublicKey)]
        return {"keys": [{**_members(key.verifying), "kid": key.id, "use": "sig", "alg": "EdDSA"} for key in public]}

    def _key_of(self, form: Form, token: bytes) -> Key | None:
        """The key of ours that the token names; None for every form that we do not make ourselves."""
        parts = token.split(b".")
        if len(token) > LONGEST_TOKEN or len(parts) != 3:
            return None
        header, claims = _object(parts[0]), _object(parts[1])
        if header is None or claims is None or _bytes(parts[2]) is None:
            return None
        if header.keys() != HEADER or header["typ"] != form.type or claims.keys() != form.claims:
            return None
        key = self._keys.get(header["kid"]) if isinstance(header["kid"], str) else None
        return key if key is not None and header["alg"] == key.algorithm else None


def _claims_of(found: Mapping[str, Any]) -> Claims:
    session, _, generation = str(found["jti"]).partition(".")
    if UUID(session) != UUID(found["sid"]):
        raise ValueError("These are not claims of ours.")
    return Claims(
        UUID(found["sub"]), TenantId(UUID(found["tid"])), UUID(found["sid"]), str(found["role"]), int(generation)
    )


def _object(part: bytes) -> dict[str, Any] | None:
    """A part of a token as the JSON object it is; None when it is none, or names a member twice."""
    raw = _bytes(part)
    try:
        found = None if raw is None else json.loads(raw, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A member stands there twice.")
    return found


def _bytes(part: bytes) -> bytes | None:
    """What a part stands for; None for a second spelling of the same bytes."""
    try:
        raw = base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if _encoded(raw) == part else None


def _encoded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _members(public: Any) -> dict[str, str]:
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"crv": "Ed25519", "kty": "OKP", "x": _encoded(raw).decode()}


def _thumbprint(public: Ed25519PublicKey) -> str:
    """RFC 7638: the same key has the same name everywhere."""
    return _encoded(hashlib.sha256(json.dumps(_members(public), separators=(",", ":")).encode()).digest()).decode()
