"""API keys: what an administrator does with those of an organisation."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from carrel.auth.audit import SERVER, SYSTEM, Event, Target, record
from carrel.auth.audit_actions import Action
from carrel.auth.errors import ExpiryInThePast, KeyNotFound, ScopeNotHeld
from carrel.auth.keys import digest, new_key, prefix_of
from carrel.auth.repository_keys import KeyRows
from carrel.auth.schemas import SCOPES, ApiKey, NewKey
from carrel.core.clock import now
from carrel.core.ids import KeyId, TenantId, uuid7
from carrel.infra.db import Executor
from carrel.infra.web import Caller, Page, Paging

# Writing into the audit log is open to other rooms as well.
__all__ = ["SERVER", "SYSTEM", "Action", "Event", "Keys", "Target", "key_event", "record", "row_of"]


@dataclass(frozen=True, slots=True)
class Keys:
    """The API keys of an administrator's organisation."""

    db: Executor
    creator: Caller

    async def create(
        self, name: str, description: str, scopes: Collection[str], expires_at: datetime | None = None
    ) -> NewKey:
        """Make a key and show it this once; only its SHA-256 is stored.

        Raises `ScopeNotHeld` when the creator could not do what the key may do, and `ExpiryInThePast`.
        """
        self._require_held(scopes)
        key, moment = new_key(), now()
        if expires_at is not None and expires_at <= moment:
            raise ExpiryInThePast(
                "`expires_at` lies in the past.", hint="Give a later moment, or leave it out for a key without end."
            )
        row = row_of(key, name, description, scopes, moment, expires_at)
        await KeyRows(self.db, self.creator.tenant).add(row, digest(key.encode()), "api")
        await record(self.db, key_event(Action.KEY_CREATED, self.creator.tenant, self.creator.subject, row))
        return NewKey(row.id, key, row.prefix, name, description, row.scopes, moment, expires_at)

    async def page(self, paging: Paging) -> Page[ApiKey]:
        """The keys that are not revoked, newest first; expired ones are among them."""
        rows = KeyRows(self.db, self.creator.tenant)
        after = KeyId(UUID(paging.after[0])) if paging.after else None
        found = await rows.page(after=after, offset=paging.offset or 0, limit=paging.fetch)
        total = await rows.count() if paging.wants_total else None
        return paging.page(found, lambda key: [key.id], total=total)

    async def revoke(self, key_id: KeyId) -> None:
        """Make a key worthless for good; servers that have just used it may accept it for 2 more seconds.

        Raises `KeyNotFound`, also for a key of another organisation and for one that is revoked already.
        """
        if not await KeyRows(self.db, self.creator.tenant).revoke(key_id, now()):
            raise KeyNotFound("No API key of this organization has this id.", key_id=str(key_id))
        revoked = Event(self.creator.tenant, Action.KEY_REVOKED, self.creator.subject, Target("key", key_id))
        await record(self.db, revoked)

    def _require_held(self, scopes: Collection[str]) -> None:
        lacking = [scope for scope in scopes if not self.creator.may(scope)]
        if lacking:
            raise ScopeNotHeld(
                f"These credentials lack the scope `{lacking[0]}` and cannot pass it on.",
                hint="Ask for scopes that you hold yourself.",
                scope=lacking[0],
            )


def row_of(
    key: str, name: str, description: str, scopes: Collection[str], created_at: datetime, expires_at: datetime | None
) -> ApiKey:
    # A given key is a person's own choice: not one of its characters is shown.
    prefix = prefix_of(key) or "setting"
    ordered: list[str] = [scope for scope in SCOPES if scope in scopes]
    return ApiKey(KeyId(uuid7()), prefix, name, description, ordered, created_at, expires_at, last_used_at=None)


def key_event(action: Action, tenant: TenantId, actor: str, key: ApiKey) -> Event:
    """What the audit log tells of a key."""
    until = None if key.expires_at is None else key.expires_at.isoformat()
    details = {"prefix": key.prefix, "name": key.name, "scopes": key.scopes, "expires_at": until}
    return Event(tenant, action, actor, Target("key", key.id), details)
