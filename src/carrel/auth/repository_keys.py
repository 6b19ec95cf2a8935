"""All SQL over API keys."""

from dataclasses import dataclass
from datetime import datetime

from carrel.auth.schemas import ApiKey, Identity, Origin
from carrel.core.ids import KeyId, TenantId
from carrel.infra.db import Executor

# Where a key comes from and what it is is written once; these an administrator may change.
CHANGING = ("name", "description", "scopes", "expires_at", "rate_limit", "tags", "collections", "groups")
COLUMNS = f"id, prefix, created_at, last_used_at, origin, rotated_from, replaced_by, {', '.join(CHANGING)}"
LIVING = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)"

ADD = """
    INSERT INTO api_keys (tenant_id, id, prefix, name, description, scopes, created_at, expires_at, rate_limit, tags,
                          collections, groups, rotated_from, hash, origin)
    VALUES (%(tenant)s, %(id)s, %(prefix)s, %(name)s, %(description)s, %(scopes)s, %(created_at)s, %(expires_at)s,
            %(rate_limit)s, %(tags)s, %(collections)s, %(groups)s, %(rotated_from)s, %(hash)s, %(origin)s)
"""
GET = f"SELECT {COLUMNS} FROM api_keys WHERE tenant_id = %(tenant)s AND id = %(id)s AND revoked_at IS NULL"
EXISTS = "SELECT EXISTS (SELECT FROM api_keys WHERE tenant_id = %(tenant)s AND id = %(id)s)"
HOLD = f"SELECT {COLUMNS} FROM api_keys WHERE tenant_id = %(tenant)s AND id = %(id)s AND {LIVING} FOR UPDATE"
CHANGE = """
    UPDATE api_keys
    SET name = %(name)s, description = %(description)s, scopes = %(scopes)s, expires_at = %(expires_at)s,
        rate_limit = %(rate_limit)s, tags = %(tags)s, collections = %(collections)s, groups = %(groups)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s
"""
REPLACE = """
    UPDATE api_keys SET replaced_by = %(by)s, expires_at = least(expires_at, %(until)s)
    WHERE tenant_id = %(tenant)s AND id = %(id)s
"""
PAGE = f"""
    SELECT {COLUMNS} FROM api_keys
    WHERE tenant_id = %(tenant)s AND revoked_at IS NULL AND (%(after)s::uuid IS NULL OR id < %(after)s)
    ORDER BY id DESC
    LIMIT %(limit)s OFFSET %(offset)s
"""
COUNT = "SELECT count(*) FROM api_keys WHERE tenant_id = %(tenant)s AND revoked_at IS NULL"
REVOKE = """
    UPDATE api_keys SET revoked_at = %(now)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s AND revoked_at IS NULL
"""

IDENTITY = """
    SELECT k.tenant_id AS tenant, k.id, k.name, k.scopes, k.origin <> 'api' AS operator, k.expires_at, k.last_used_at,
           k.rate_limit, k.tags, k.collections, k.groups, o.enabled, o.rate_limit_per_minute AS tenant_rate
    FROM api_keys k JOIN organizations o ON o.id = k.tenant_id
    WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > %(now)s)
"""
# The tenant is what is being asked for; the digest of the whole key stands in for it.
BY_HASH = f"{IDENTITY} AND k.hash = %(hash)s"
BY_ID = f"{IDENTITY} AND k.tenant_id = %(tenant)s AND k.id = %(id)s"
# The condition keeps several processes from writing the same minute.
NOTE_USE = """
    UPDATE api_keys SET last_used_at = %(now)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s AND (last_used_at IS NULL OR last_used_at < %(before)s)
"""
ADOPT = f"""{ADD}
    ON CONFLICT (hash) DO UPDATE
        SET revoked_at = NULL, expires_at = NULL, scopes = excluded.scopes, origin = excluded.origin,
            rate_limit = NULL, tags = NULL, collections = NULL, groups = NULL, replaced_by = NULL
        WHERE api_keys.tenant_id = excluded.tenant_id
"""
RETIRE_SETTINGS = """
    UPDATE api_keys SET revoked_at = %(now)s
    WHERE tenant_id = %(tenant)s AND origin = 'setting' AND hash <> %(hash)s AND revoked_at IS NULL
"""
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%(lock)s)"


@dataclass(frozen=True, slots=True)
class KeyRows:
    """The keys of one organisation."""

    db: Executor
    tenant: TenantId

    async def add(self, key: ApiKey, digest: bytes, origin: Origin) -> None:
        await self.db.execute(ADD, **self._values(key, digest, origin))

    async def adopt(self, key: ApiKey, digest: bytes, origin: Origin) -> bool:
        """Add a key that may be there already, and revive it then. False when it belongs to another organisation."""
        return await self.db.execute(ADOPT, **self._values(key, digest, origin)) == 1

    async def retire_settings(self, kept: bytes, moment: datetime) -> int:
        """Revoke the keys that came from the setting, but not the one that it names now."""
        return await self.db.execute(RETIRE_SETTINGS, tenant=self.tenant, hash=kept, now=moment)

    async def get(self, key_id: KeyId) -> ApiKey | None:
        return await self.db.one_or_none(ApiKey, GET, tenant=self.tenant, id=key_id)

    async def exists(self, key_id: KeyId) -> bool:
        """Whether there was such a key, be it revoked or not."""
        return bool(await self.db.value(EXISTS, tenant=self.tenant, id=key_id))

    async def hold(self, key_id: KeyId, moment: datetime) -> ApiKey | None:
        """A key that works at this moment, and that nobody else changes before this transaction ends."""
        return await self.db.one_or_none(ApiKey, HOLD, tenant=self.tenant, id=key_id, now=moment)

    async def change(self, key: ApiKey) -> None:
        values = {name: getattr(key, name) for name in CHANGING}
        await self.db.execute(CHANGE, tenant=self.tenant, id=key.id, **values)

    async def replace(self, key_id: KeyId, *, by: KeyId, until: datetime) -> None:
        """Let a key end at `until`, or earlier where it would have, because another has taken its place."""
        await self.db.execute(REPLACE, tenant=self.tenant, id=key_id, by=by, until=until)

    async def identity(self, key_id: KeyId, moment: datetime) -> Identity | None:
        """What the key may do now; None when it is expired or revoked. Needs a transaction of the gate."""
        return await self.db.one_or_none(Identity, BY_ID, tenant=self.tenant, id=key_id, now=moment)

    async def page(self, *, after: KeyId | None, offset: int, limit: int) -> list[ApiKey]:
        return await self.db.all(ApiKey, PAGE, tenant=self.tenant, after=after, offset=offset, limit=limit)

    async def count(self) -> int:
        return int(await self.db.value(COUNT, tenant=self.tenant))

    async def revoke(self, key_id: KeyId, moment: datetime) -> bool:
        return await self.db.execute(REVOKE, tenant=self.tenant, id=key_id, now=moment) == 1

    async def note_use(self, key_id: KeyId, moment: datetime, *, before: datetime) -> None:
        """Write when the key was last used, unless that was written after `before`."""
        await self.db.execute(NOTE_USE, tenant=self.tenant, id=key_id, now=moment, before=before)

    def _values(self, key: ApiKey, digest: bytes, origin: Origin) -> dict[str, object]:
        names = ("id", "prefix", "created_at", "rotated_from", *CHANGING)
        values = {name: getattr(key, name) for name in names}
        return {**values, "tenant": self.tenant, "hash": digest, "origin": origin}


@dataclass(frozen=True, slots=True)
class Gate:
    """What is read before the tenant is known. Needs a transaction of the gate."""

    db: Executor

    async def identify(self, digest: bytes, moment: datetime) -> Identity | None:
        """Whose key this is; None when it is unknown, expired or revoked."""
        return await self.db.one_or_none(Identity, BY_HASH, hash=digest, now=moment)

    async def try_lock(self, lock: int) -> bool:
        """Whether the lock is ours until the transaction ends."""
        return bool(await self.db.value(TRY_LOCK, lock=lock))
