"""Callers that are keys. Pure: what was found in, callers out."""

from dataclasses import dataclass

from carrel.auth.narrowing import Narrowing, access_of
from carrel.auth.roles import OPERATOR
from carrel.auth.schemas import Identity
from carrel.core.ids import KeyId
from carrel.infra.web import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder(Caller):
    """A caller who is a key."""

    key: KeyId


def holder_of(found: Identity) -> KeyHolder:
    """The holder of a key."""
    scopes = frozenset(found.scopes)
    if found.operator:
        scopes |= {OPERATOR}
    return KeyHolder(
        found.tenant,
        f"key:{found.id}",
        found.name,
        scopes,
        rate_limit=found.rate_limit,
        tenant_rate=found.tenant_rate,
        access=access_of(found.scopes, Narrowing(found.tags, found.collections, found.groups)),
        key=found.id,
    )
