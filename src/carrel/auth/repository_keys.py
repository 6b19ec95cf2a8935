"""All SQL over API keys."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from carrel.auth.schemas import ApiKey, Identity
from carrel.core.ids import KeyId, TenantId
from carrel.infra.db import Executor

Origin = Literal["api", "setting", "generated"]

COLUMNS = "id, prefix, name, description, scopes, created_at, expires_at, last_used_at"

ADD = """
    INSERT INTO api_keys (tenant_id, id, prefix, name, description, scopes, created_at, expires_at, hash, origin)
    VALUES (%(tenant)s, %(id)s, %(prefix)s, %(name)s, %(description)s, %(scopes)s, %(created_at)s, %(expires_at)s,
            %(hash)s, %(origin)s)
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

# The tenant is what is being asked for; the digest of the whole key stands in for it.
IDENTIFY = """
    SELECT k.tenant_id AS tenant, k.id, k.name, k.scopes, k.origin <> 'api' AS operator, k.expires_at, k.last_used_at,
           o.enabled
    FROM api_keys k JOIN organizations o ON o.id = k.tenant_id
    WHERE k.hash = %(hash)s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > %(now)s)
"""
# The condition keeps several processes from writing the same minute.
NOTE_USE = """
    UPDATE api_keys SET last_used_at = %(now)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s AND (last_used_at IS NULL OR last_used_at < %(before)s)
"""
ADOPT = f"""{ADD}
    ON CONFLICT (hash) DO UPDATE
        SET revoked_at = NULL, expires_at = NULL, scopes = excluded.scopes, origin = excluded.origin
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
        names = ("id", "prefix", "name", "description", "scopes", "created_at", "expires_at")
        values = {name: getattr(key, name) for name in names}
        return {**values, "tenant": self.tenant, "hash": digest, "origin": origin}


@dataclass(frozen=True, slots=True)
class Gate:
    """What is read before the tenant is known. Needs a transaction of the gate."""

    db: Executor

    async def identify(self, digest: bytes, moment: datetime) -> Identity | None:
        """Whose key this is; None when it is unknown, expired or revoked."""
        return await self.db.one_or_none(Identity, IDENTIFY, hash=digest, now=moment)

    async def try_lock(self, lock: int) -> bool:
        """Whether the lock is ours until the transaction ends."""
        return bool(await self.db.value(TRY_LOCK, lock=lock))
