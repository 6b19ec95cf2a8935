"""Callers that are keys, or tokens made from them. Pure: what was found in, callers out."""

from dataclasses import dataclass
from datetime import datetime

from carrel.auth.grants import PASSED_ON, Grant
from carrel.auth.narrowing import Narrowing, access_of
from carrel.auth.roles import OPERATOR, TOKEN
from carrel.auth.schemas import Identity
from carrel.core.ids import KeyId
from carrel.infra.web import Caller

READING = frozenset({"read", "search", "admin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder(Caller):
    """A caller who is a key, or who has a token that was made from it."""

    key: KeyId
    expires_at: datetime | None
    """When the key ends."""

    @property
    def payer(self) -> str:
        return f"key:{self.key}"


def holder_of(found: Identity) -> KeyHolder:
    """The holder of a key. Who may read or search with it may also make tokens from it."""
    scopes = frozenset(found.scopes)
    if not scopes.isdisjoint(READING):
        scopes |= {TOKEN}
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
        expires_at=found.expires_at,
    )


def bearer_of(holder: KeyHolder, grant: Grant) -> KeyHolder:
    """Somebody with a token: what the key may do now, as far as the token grants it."""
    return KeyHolder(
        holder.tenant,
        # What a repetition of a request may be answered with depends on what its token allows.
        grant.bearer,
        grant.subject or holder.name,
        frozenset(scope for scope in grant.scopes & PASSED_ON if holder.may(scope)),
        rate_limit=holder.rate_limit,
        tenant_rate=holder.tenant_rate,
        access=holder.access.narrowed(grant.filter.access),
        key=holder.key,
        expires_at=holder.expires_at,
    )


def holder_behind(caller: Caller) -> KeyHolder:
    """The key behind the scope `token`, which only keys hold."""
    if not isinstance(caller, KeyHolder) or TOKEN not in caller.scopes:
        raise TypeError("Only a key holds the scope `token`.")
    return caller
