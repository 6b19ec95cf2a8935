"""Small secrets that must be read again, kept so that a copy of the database gives nobody any of them."""

import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from carrel.auth.errors_factors import EncryptionKeyMissing, EncryptionKeyUnusable
from carrel.infra.db import Database
from carrel.infra.settings import Encryption

GENERATED = "vault"
SHORTEST_KEY = 32
NAME_BYTES, NONCE_BYTES = 4, 12
FRESH = "Set ENCRYPTION_KEY to a random text that all instances share; make one with `openssl rand -base64 32`."


@dataclass(frozen=True, slots=True)
class Vault:
    """Encrypts with the first key and decrypts with any. What was sealed for one purpose opens for no other.

    Without a key of the settings, outside production, a generated one is used that lies in the database itself.
    """

    given: Sequence[bytes]
    database: Database
    production: bool

    @classmethod
    def of(cls, settings: Encryption, database: Database, *, production: bool) -> "Vault":
        """Raises `EncryptionKeyUnusable`."""
        keys = [_usable(key) for key in (settings.key, settings.previous_key) if key is not None]
        return cls(keys, database, production)

    async def seal(self, secret: bytes, purpose: str) -> bytes:
        key, nonce = (await self._keys())[0], os.urandom(NONCE_BYTES)
        return _name(key) + nonce + AESGCM(key).encrypt(nonce, secret, purpose.encode())

    async def open(self, sealed: bytes, purpose: str) -> bytes:
        """Raises `EncryptionKeyMissing`, or `EncryptionKeyUnusable` when it was sealed with another key."""
        name, nonce, hidden = _parts(sealed)
        for key in await self._keys():
            if _name(key) == name:
                return _decrypted(key, nonce, hidden, purpose)
        raise _other_key()

    async def is_stale(self, sealed: bytes) -> bool:
        """Whether it was sealed with a key that is on its way out."""
        return sealed[:NAME_BYTES] != _name((await self._keys())[0])

    async def _keys(self) -> Sequence[bytes]:
        if self.given:
            return [_derived(key) for key in self.given]
        if self.production:
            raise EncryptionKeyMissing("ENCRYPTION_KEY is not set: in production it keeps second factors.", hint=FRESH)
        return [_derived(await self.database.shared_secret(GENERATED))]


def _usable(given: SecretStr) -> bytes:
    key = given.get_secret_value().encode()
    if len(key) < SHORTEST_KEY:
        raise EncryptionKeyUnusable(f"ENCRYPTION_KEY has fewer than {SHORTEST_KEY} bytes.", hint=FRESH)
    return key


def _derived(key: bytes) -> bytes:
    return hmac.digest(key, b"carrel vault", hashlib.sha256)


def _name(key: bytes) -> bytes:
    return hashlib.sha256(b"name of " + key).digest()[:NAME_BYTES]


def _parts(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    end = NAME_BYTES + NONCE_BYTES
    return sealed[:NAME_BYTES], sealed[NAME_BYTES:end], sealed[end:]


def _decrypted(key: bytes, nonce: bytes, hidden: bytes, purpose: str) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, hidden, purpose.encode())
    except InvalidTag as error:
        raise _other_key() from error


def _other_key() -> EncryptionKeyUnusable:
    return EncryptionKeyUnusable(
        "A second factor was encrypted with another key than ENCRYPTION_KEY.",
        hint="Set ENCRYPTION_PREVIOUS_KEY to the former key. Until then, recovery codes still work.",
    )
