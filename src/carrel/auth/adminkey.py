"""The key of the server's administrator, which comes with the server."""

import asyncio
import time
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from carrel.auth import keyfile
from carrel.auth.audit import SYSTEM, Event, record
from carrel.auth.audit_actions import Action
from carrel.auth.errors import AdminKeyUnusable
from carrel.auth.keys import digest, new_key
from carrel.auth.repository_keys import Gate, KeyRows
from carrel.auth.schemas import ADMIN, AdminKey, ApiKey
from carrel.auth.service import key_event, row_of
from carrel.core.clock import now
from carrel.core.ids import TenantId
from carrel.infra.db import Database, Executor, Role
from carrel.infra.db.errors import DatabaseUnavailable
from carrel.tenants.service import Organizations

LOCK = 0x6361_7272_656C_6B65  # "carrelke": one process at a time settles the administrator's key
LOCK_PATIENCE = 30.0
SHORTEST_GIVEN_KEY = 16


async def ensure_admin_key(database: Database, data_dir: Path, given: SecretStr | None) -> AdminKey:
    """The key of this server's administrator, who belongs to the organisation `default`. Both are made if missing.

    `given` (the setting ADMIN_API_KEY) is taken as it is, and keys that came from the setting before are revoked.
    Else it is the key in `data_dir/admin.key`, or a new one that is written there when that key is not good in this
    database. May run at every start and in several processes at once: they get the same key. Raises
    `AdminKeyUnusable`; nothing is changed in the database then.
    """
    wanted, file = _usable(given), data_dir / keyfile.NAME
    async with database.transaction(Role.GATE) as db:
        await _settle_alone(db)
        home = await Organizations(db).ensure_default()
        if wanted is not None:
            return AdminKey(wanted, await _adopt(db, home.id, wanted), file)
        kept = await asyncio.to_thread(keyfile.read, file)
        if kept is not None and await _is_admin(db, home.id, kept):
            return AdminKey(kept, created=False, file=file)
        key, moment = new_key(), now()
        row = _admin_row(key, moment)
        await KeyRows(db, home.id).add(row, digest(key.encode()), "generated")
        await record(db, key_event(Action.ADMIN_KEY_CREATED, home.id, SYSTEM, row))
        # Before the commit: a key in the file that the database does not know is replaced at the next start, but a
        # key in the database that nobody knows would stay.
        await asyncio.to_thread(keyfile.write, file, key)
        return AdminKey(key, created=True, file=file)


async def _settle_alone(db: Executor) -> None:
    # Polled, because a transaction that waits for a lock would hold up CREATE INDEX CONCURRENTLY.
    end = time.monotonic() + LOCK_PATIENCE
    while not await Gate(db).try_lock(LOCK):
        if time.monotonic() > end:
            raise DatabaseUnavailable(
                f"Another process has been settling the administrator's key for over {LOCK_PATIENCE:.0f} s.",
                hint="Wait for it to end, or find it in pg_locks and stop it.",
            )
        await asyncio.sleep(0.05)


async def _adopt(db: Executor, tenant: TenantId, key: str) -> bool:
    """Make a given key the administrator's and revoke those given before; whether it was not so already."""
    rows, hashed, moment = KeyRows(db, tenant), digest(key.encode()), now()
    created = not await _is_admin(db, tenant, key)
    if created and not await rows.adopt(_admin_row(key, moment), hashed, "setting"):
        raise AdminKeyUnusable(
            "ADMIN_API_KEY is the key of another organization.", hint="Choose another value for ADMIN_API_KEY."
        )
    retired = await rows.retire_settings(hashed, moment)
    if created or retired:
        details = {"adopted": created, "retired": retired}
        await record(db, Event(tenant, Action.ADMIN_KEY_ADOPTED, SYSTEM, details=details))
    return created


async def _is_admin(db: Executor, tenant: TenantId, key: str) -> bool:
    found = await Gate(db).identify(digest(key.encode()), now())
    return found is not None and found.tenant == tenant and ADMIN in found.scopes


def _usable(given: SecretStr | None) -> str | None:
    if given is None:
        return None
    # A header's value loses the spaces around it on its way, so a key that had them would never be recognised.
    key = given.get_secret_value().strip()
    if len(key) < SHORTEST_GIVEN_KEY or not key.isprintable():
        raise AdminKeyUnusable(
            f"ADMIN_API_KEY must have at least {SHORTEST_GIVEN_KEY} printable characters.",
            hint="Set a longer random one, or leave it unset: then a key is generated and kept in DATA_DIR/admin.key.",
        )
    return key


def _admin_row(key: str, moment: datetime) -> ApiKey:
    return row_of(key, "Administrator", "The key of this server's administrator.", [ADMIN], moment, None)
