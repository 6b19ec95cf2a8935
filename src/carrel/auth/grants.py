"""What a tenant token stands for: a key, less what its maker took away. Pure but for the ring that signs."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from carrel.auth.signing import Form, Ring
from carrel.core.access import Access
from carrel.core.ids import KeyId, TenantId

T = TypeVar("T")
TENANT_TOKEN = Form.of("tt+jwt", "carrel:tenant-token", "sub", "tid", "key", "scp", "flt")
PASSED_ON = frozenset({"read", "search", "write"})
"""What a token may hold. Never `admin`, whatever its key holds."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents a token reaches, of those that its key reaches; None: not limited in this."""

    tags: frozenset[str] | None = None
    documents: frozenset[UUID] | None = None
    collections: frozenset[UUID] | None = None

    @property
    def access(self) -> Access:
        tags = () if self.tags is None else (self.tags,)
        return Access(tags=tags, collections=self.collections, documents=self.documents)


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody was given. What the key may do now is not read from here."""

    tenant: TenantId
    key: KeyId
    scopes: frozenset[str]
    filter: Filter
    subject: str
    """Whom it was made for, in the words of its maker."""

    @property
    def bearer(self) -> str:
        """Who comes with such a token: the same for two that allow the same to the same, and for no others."""
        fingerprint = hashlib.blake2b(json.dumps(self._claims()).encode(), digest_size=16).hexdigest()
        return f"token:{self.key}:{fingerprint}"

    def signed(self, ring: Ring, begin: datetime, end: datetime) -> str:
        return ring.sign(TENANT_TOKEN, self._claims(), begin, end)

    def _claims(self) -> dict[str, Any]:
        limits = self.filter
        return {
            "sub": self.subject,
            "tid": self.tenant.hex,
            "key": self.key.hex,
            "scp": sorted(self.scopes),
            "flt": {
                "tags": None if limits.tags is None else sorted(limits.tags),
                "documents": None if limits.documents is None else sorted(one.hex for one in limits.documents),
                "collections": None if limits.collections is None else sorted(one.hex for one in limits.collections),
            },
        }


def read(ring: Ring, token: bytes) -> tuple[Grant, datetime] | None:
    """What a tenant token grants and when it ends, or None when it is not one of ours that is good now."""
    if (opened := ring.open(TENANT_TOKEN, token)) is None:
        return None
    claims, end = opened
    try:
        grant = Grant(
            TenantId(_id(claims["tid"])),
            KeyId(_id(claims["key"])),
            _scopes(claims["scp"]),
            _filter(claims["flt"]),
            _text(claims["sub"]),
        )
    except ValueError:
        return None
    return grant, end


def _scopes(value: object) -> frozenset[str]:
    found = _some(value, _text)
    if found is None or not found <= PASSED_ON:
        raise ValueError("These are not scopes of a token.")
    return found


def _filter(value: object) -> Filter:
    if not isinstance(value, Mapping) or value.keys() != {"tags", "documents", "collections"}:
        raise ValueError("This is no filter of ours.")
    return Filter(_some(value["tags"], _text), _some(value["documents"], _id), _some(value["collections"], _id))


def _some(value: object, of: Callable[[object], T]) -> frozenset[T] | None:
    """What a list names. A list of nothing would be a mistake of ours: it could mean nothing as well as everything."""
    if value is None:
        return None
    if not isinstance(value, list) or not value:
        raise ValueError("This is no list of something.")
    return frozenset(map(of, value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("This is no text.")
    return value


def _id(value: object) -> UUID:
    return UUID(_text(value))
