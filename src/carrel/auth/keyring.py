"""Where the keys that sign access tokens come from: the settings, or outside production the database."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from pydantic import SecretStr

from carrel.auth.errors import TokenKeyMissing, TokenKeyUnusable
from carrel.auth.signing import Key, Ring
from carrel.infra.db import Database
from carrel.infra.settings import Tokens

GENERATED = "access tokens"
SHORTEST_SECRET = 32
FRESH_TEXT = "Make one with `openssl rand -base64 32`."
FRESH_PAIR = "Make one with `openssl genpkey -algorithm ed25519`, and give its path or the text of the PEM file."


async def ring_of(settings: Tokens, database: Database, *, production: bool) -> Ring:
    """The keys of this server. Raises `TokenKeyMissing` in production without any, and `TokenKeyUnusable`."""
    keys = _given(settings)
    if not keys:
        if production:
            raise TokenKeyMissing(
                "Neither JWT_SECRET nor JWT_PRIVATE_KEY is set: in production no token is signed with a generated key.",
                hint=f"Set JWT_SECRET to a random text that all instances share. {FRESH_TEXT}",
            )
        keys = [Key.of_secret(await database.shared_secret(GENERATED))]
    signing, *others = keys
    return Ring(signing, [*others, *_previous(settings)], issuer=settings.issuer, lifetime=settings.access_lifetime)


def _given(settings: Tokens) -> list[Key]:
    """The keys that are set; the first of them signs. A secret beside a pair only verifies what it once signed."""
    found = []
    if settings.private_key is not None:
        found.append(Key.of_private(_private(settings.private_key)))
    if settings.secret is not None:
        found.append(_secret("JWT_SECRET", settings.secret))
    return found


def _previous(settings: Tokens) -> list[Key]:
    found = []
    if settings.previous_secret is not None:
        found.append(_secret("JWT_PREVIOUS_SECRET", settings.previous_secret))
    if settings.previous_public_key is not None:
        found.append(Key.of_public(_public(settings.previous_public_key)))
    return found


def _secret(name: str, given: SecretStr) -> Key:
    secret = given.get_secret_value().encode()
    if len(secret) < SHORTEST_SECRET:
        raise TokenKeyUnusable(f"{name} has fewer than {SHORTEST_SECRET} bytes.", hint=FRESH_TEXT)
    return Key.of_secret(secret)


def _private(given: SecretStr) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(_pem("JWT_PRIVATE_KEY", given.get_secret_value()), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TokenKeyUnusable("JWT_PRIVATE_KEY is no open private key in PEM.", hint=FRESH_PAIR) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise TokenKeyUnusable("JWT_PRIVATE_KEY is of another kind than Ed25519.", hint=FRESH_PAIR)
    return key


def _public(given: str) -> Ed25519PublicKey:
    hint = "Make it from the former private key with `openssl pkey -pubout`."
    try:
        key = load_pem_public_key(_pem("JWT_PREVIOUS_PUBLIC_KEY", given))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TokenKeyUnusable("JWT_PREVIOUS_PUBLIC_KEY is no public key in PEM.", hint=hint) from error
    if not isinstance(key, Ed25519PublicKey):
        raise TokenKeyUnusable("JWT_PREVIOUS_PUBLIC_KEY is of another kind than Ed25519.", hint=hint)
    return key


def _pem(name: str, given: str) -> bytes:
    # One line is all that many places of settings can hold, so the two characters `\n` stand for an end of line.
    text = given.strip().replace("\\n", "\n")
    if text.startswith("-----BEGIN "):
        return text.encode()
    try:
        return Path(text).expanduser().read_bytes()
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no path"
        raise TokenKeyUnusable(f"The file that {name} names cannot be read: {reason}.", hint=FRESH_PAIR) from error
