"""API keys: what an administrator does with those of an organisation."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from carrel.auth.audit import SERVER, SYSTEM, Event, Target, also_of_server, record, record_all
from carrel.auth.audit_actions import Action
from carrel.auth.audit_chain import Detail
from carrel.auth.errors import (
    ExpiryInThePast,
    KeyNotFound,
    KeyOfTheServer,
    KeyRotated,
    NarrowedAdministrator,
    ReachNotHeld,
    ScopeNotHeld,
)
from carrel.auth.keys import digest, new_key, prefix_of
from carrel.auth.narrowing import NOTHING, Narrowing, access_of
from carrel.auth.period import Period
from carrel.auth.repository_keys import KeyRows
from carrel.auth.repository_usage import DaysOfUse
from carrel.auth.schemas import ADMIN, SCOPES, ApiKey, NewKey, Origin
from carrel.auth.schemas_usage import KeyUse, Uses
from carrel.core.clock import now
from carrel.core.ids import KeyId, TenantId, uuid7
from carrel.infra.db import Executor
from carrel.infra.web import Caller, Page, Paging

# Writing into the audit log is open to other rooms as well.
__all__ = [
    "SERVER",
    "SYSTEM",
    "Action",
    "Detail",
    "Event",
    "Keys",
    "Target",
    "also_of_server",
    "key_event",
    "record",
    "record_all",
    "row_of",
]

REMEDIES: Mapping[Origin, str] = {
    "setting": "Set another ADMIN_API_KEY and restart the server: it revokes this one.",
    "generated": "Revoke it and restart the server: a new one is made and written to DATA_DIR/admin.key.",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """The API keys of an administrator's organisation."""

    db: Executor
    creator: Caller

    async def create(
        self,
        name: str,
        description: str,
        scopes: Collection[str],
        expires_at: datetime | None = None,
        rate_limit: int | None = None,
        narrowing: Narrowing = NOTHING,
    ) -> NewKey:
        """Make a key and show it this once; only its SHA-256 is stored.

        Raises `ScopeNotHeld` or `ReachNotHeld` when the creator could not do what the key may do,
        `NarrowedAdministrator` and `ExpiryInThePast`.
        """
        key, moment = new_key(), now()
        made = row_of(key, name, description, scopes, moment, expires_at)
        limits: dict[str, Any] = {"rate_limit": rate_limit, **asdict(narrowing)}
        made = replace(made, **limits)
        self._require_own(made)
        _require_future(expires_at, moment, hint="Give a later moment, or leave it out for a key without end.")
        await self._rows.add(made, digest(key.encode()), "api")
        await self._record(Action.KEY_CREATED, made)
        return _shown(made, key)

    async def get(self, key_id: KeyId) -> ApiKey:
        """A key that is not revoked; it may have expired. Raises `KeyNotFound`."""
        found = await self._rows.get(key_id)
        if found is None:
            raise _unknown(key_id)
        return found

    async def page(self, paging: Paging) -> Page[ApiKey]:
        """The keys that are not revoked, newest first; expired ones are among them."""
        after = KeyId(UUID(paging.after[0])) if paging.after else None
        found = await self._rows.page(after=after, offset=paging.offset or 0, limit=paging.fetch)
        total = await self._rows.count() if paging.wants_total else None
        return paging.page(found, lambda key: [key.id], total=total)

    async def change(self, key_id: KeyId, changes: Mapping[str, Any]) -> ApiKey:
        """Change a key that works; all servers know within 5 seconds. What is not named stays as it is.

        Raises what `create` raises, `KeyNotFound` also for a key that has expired, `KeyRotated` and `KeyOfTheServer`.
        """
        key, moment = await self._hold(key_id), now()
        self._require_scopes(key.scopes)
        changed = replace(key, **changes)
        changed = replace(changed, scopes=_ordered(changed.scopes))
        self._require_own(changed)
        if "expires_at" in changes:
            _require_future(changed.expires_at, moment, hint="Give a later moment, or revoke the key.")
        await self._rows.change(changed)
        await self._record(Action.KEY_CHANGED, changed)
        return changed

    async def rotate(self, key_id: KeyId, overlap: timedelta) -> NewKey:
        """Make a key that takes the place of another, which works for `overlap` more and never longer than it would.

        The new one inherits all but the key itself, its end included. Raises `KeyNotFound` for a key that does not
        work any more, `KeyRotated`, `KeyOfTheServer`, and `ScopeNotHeld` or `ReachNotHeld` where the caller could not
        do what the key may do.
        """
        old, key, moment = await self._hold(key_id), new_key(), now()
        self._require_own(old)
        made = row_of(key, old.name, old.description, old.scopes, moment, old.expires_at)
        made = replace(
            made,
            rate_limit=old.rate_limit,
            tags=old.tags,
            collections=old.collections,
            groups=old.groups,
            rotated_from=old.id,
        )
        await self._rows.add(made, digest(key.encode()), "api")
        await self._rows.replace(old.id, by=made.id, until=moment + overlap)
        await self._record(Action.KEY_ROTATED, made)
        return _shown(made, key)

    async def revoke(self, key_id: KeyId) -> None:
        """Make a key worthless for good; servers that have just used it may accept it for 2 more seconds.

        Raises `KeyNotFound`, also for a key of another organisation and for one that is revoked already.
        """
        if not await self._rows.revoke(key_id, now()):
            raise _unknown(key_id)
        revoked = Event(self.creator.tenant, Action.KEY_REVOKED, self.creator.subject, Target("key", key_id))
        await record(self.db, revoked)

    async def use(self, key_id: KeyId, period: Period) -> KeyUse:
        """How often a key was used on each day of a period; a revoked one is known too. Raises `KeyNotFound`."""
        if not await self._rows.exists(key_id):
            raise _unknown(key_id)
        days = await DaysOfUse(self.db, self.creator.tenant).of(key_id, period.first, period.last)
        total = Uses(
            requests=sum(day.requests for day in days),
            searches=sum(day.searches for day in days),
            refused=sum(day.refused for day in days),
        )
        return KeyUse(key_id=key_id, first=period.first, last=period.last, days=days, total=total)

    @property
    def _rows(self) -> KeyRows:
        return KeyRows(self.db, self.creator.tenant)

    async def _record(self, action: Action, key: ApiKey) -> None:
        await record(self.db, key_event(action, self.creator.tenant, self.creator.subject, key))

    async def _hold(self, key_id: KeyId) -> ApiKey:
        key = await self._rows.hold(key_id, now())
        if key is None:
            raise _unknown(key_id)
        if key.origin in REMEDIES:
            raise KeyOfTheServer("This key came with the server.", hint=REMEDIES[key.origin], origin=key.origin)
        if key.replaced_by is not None:
            raise KeyRotated(
                "Another key has taken the place of this one, which only works until it expires.",
                hint="Use the key that `replaced_by` names, or make a new one.",
                replaced_by=str(key.replaced_by),
            )
        return key

    def _require_own(self, key: ApiKey) -> None:
        """Nobody makes a key that is more than they are themselves."""
        self._require_scopes(key.scopes)
        narrowing = Narrowing(key.tags, key.collections, key.groups)
        if ADMIN in key.scopes and narrowing != NOTHING:
            raise NarrowedAdministrator(
                "A key with the scope `admin` reaches everything, so it cannot be limited in this.",
                hint="Leave out `admin`, or the limits.",
            )
        if not access_of(key.scopes, narrowing).is_within(self.creator.access):
            raise ReachNotHeld(
                "These credentials do not reach all that the key would reach.",
                hint="Limit the key to tags, collections and groups of your own.",
            )

    def _require_scopes(self, scopes: Collection[str]) -> None:
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
    """A new key as it is stored and shown, but for its secret."""
    # A given key is a person's own choice: not one of its characters is shown.
    prefix = prefix_of(key) or "setting"
    return ApiKey(KeyId(uuid7()), prefix, name, description, _ordered(scopes), created_at, expires_at)


def _ordered(scopes: Collection[str]) -> list[str]:
    return [scope for scope in SCOPES if scope in scopes]


def _shown(row: ApiKey, key: str) -> NewKey:
    return NewKey(**asdict(row), key=key)


def _require_future(expires_at: datetime | None, moment: datetime, *, hint: str) -> None:
    if expires_at is not None and expires_at <= moment:
        raise ExpiryInThePast("`expires_at` lies in the past.", hint=hint)


def _unknown(key_id: KeyId) -> KeyNotFound:
    return KeyNotFound("No living API key of this organization has this id.", key_id=str(key_id))


def key_event(action: Action, tenant: TenantId, actor: str, key: ApiKey) -> Event:
    """What the audit log tells of a key."""
    details: dict[str, Any] = {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": key.scopes,
        "expires_at": None if key.expires_at is None else key.expires_at.isoformat(),
    }
    limits = {
        "rate_limit": key.rate_limit,
        "tags": key.tags,
        "collections": _texts(key.collections),
        "groups": _texts(key.groups),
        "rotated_from": key.rotated_from and str(key.rotated_from),
    }
    details |= {name: value for name, value in limits.items() if value is not None}
    return Event(tenant, action, actor, Target("key", key.id), details)


def _texts(ids: list[UUID] | None) -> list[str] | None:
    return None if ids is None else [str(one) for one in ids]
