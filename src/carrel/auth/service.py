"""Who is asking, and the keys by which they are known."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog
from pydantic import SecretStr

from carrel.auth import keyfile
from carrel.auth.audit import SERVER, SYSTEM, Event, Target, record
from carrel.auth.audit_actions import Action
from carrel.auth.credentials import BOTH_FORMS, Headers, presented
from carrel.auth.errors import AdminKeyUnusable, ExpiryInThePast, InvalidCredentials, KeyNotFound, ScopeNotHeld
from carrel.auth.keys import digest, new_key, prefix_of
from carrel.auth.recent import Recent
from carrel.auth.repository import Gate, KeyRows
from carrel.auth.repository_sessions import SessionRows
from carrel.auth.roles import OPERATOR, scopes_of
from carrel.auth.schemas import ADMIN, SCOPES, AdminKey, ApiKey, Identity, NewKey
from carrel.auth.schemas_users import Person, SessionId, UserId
from carrel.auth.signing import Claims, Ring
from carrel.auth.tiers import MULTIPLIERS
from carrel.core.clock import now
from carrel.core.errors import Problem
from carrel.core.ids import KeyId, TenantId, uuid7
from carrel.infra.db import Database, Executor, Role
from carrel.infra.db.errors import DatabaseUnavailable
from carrel.infra.web import Caller, Page, Paging
from carrel.tenants.errors import OrganizationDisabled
from carrel.tenants.service import Organizations

# Writing into the audit log is open to other rooms as well.
__all__ = ["SERVER", "SYSTEM", "Action", "Authenticator", "Event", "Keys", "Target", "ensure_admin_key", "record"]

LOCK = 0x6361_7272_656C_6B65  # "carrelke": one process at a time settles the administrator's key
LOCK_PATIENCE = 30.0
SHORTEST_GIVEN_KEY = 16

Refusal = Callable[[], Problem]
Verdict = Caller | Refusal

log = structlog.get_logger("carrel.auth")


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
        row = _row(key, name, description, scopes, moment, expires_at)
        await KeyRows(self.db, self.creator.tenant).add(row, digest(key.encode()), "api")
        await record(self.db, _key_event(Action.KEY_CREATED, self.creator.tenant, self.creator.subject, row))
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


class Authenticator:
    """Knows callers by their keys, and by the access tokens of `ring`. One per process; close it before the database.

    A key that was good a moment ago is good without asking the database: for 2 s at most and never past its expiry,
    so a revoked key is dead everywhere within that time. A key that was refused is refused for 1 s. The same holds for
    tokens, whose session, role and organisation are read as they are and not as they were when the token was made.
    """

    GOOD_FOR, REFUSED_FOR = 2.0, 1.0
    USE_NOTED_EVERY = timedelta(minutes=1)

    def __init__(
        self, database: Database, ring: Ring | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database, self._ring, self._clock = database, ring, clock
        self._good: Recent[Verdict] = Recent(10_000, clock)
        # Kept apart, so that a flood of wrong keys cannot push the good ones out.
        self._refused: Recent[Verdict] = Recent(2_000, clock)
        self._asking: dict[bytes, asyncio.Task[Verdict]] = {}
        self._noting: dict[KeyId, asyncio.Task[None]] = {}

    async def authenticate(self, headers: Headers) -> Caller:
        """The caller behind the headers of a request. Raises a 401, or `OrganizationDisabled`."""
        return await self.caller_with(presented(headers))

    async def caller_with(self, key: bytes) -> Caller:
        """The holder of a key or an access token. Raises `InvalidCredentials` or `OrganizationDisabled`."""
        hashed = digest(key)
        verdict = self._good.get(hashed) or self._refused.get(hashed) or await self._ask(hashed, key)
        if isinstance(verdict, Caller):
            return verdict
        raise verdict()

    async def close(self) -> None:
        """Wait for what is still being read or written."""
        await asyncio.gather(*self._asking.values(), *self._noting.values(), return_exceptions=True)

    async def _ask(self, hashed: bytes, credential: bytes) -> Verdict:
        task = self._asking.get(hashed)
        if task is None:
            token = self._ring.read(credential) if self._ring is not None else None
            work = self._judge(hashed) if token is None else self._judge_session(hashed, *token)
            task = self._asking[hashed] = asyncio.create_task(work)
            task.add_done_callback(lambda _: self._asking.pop(hashed))
        # Shielded: the others who wait for the same key must not fail because the first of them went away.
        return await asyncio.shield(task)

    async def _judge(self, hashed: bytes) -> Verdict:
        asked, moment = self._clock(), now()
        async with self._database.transaction(Role.GATE) as db:
            found = await Gate(db).identify(hashed, moment)
        if found is None or not found.enabled:
            return self._refuse(hashed, asked, known=found is not None)
        self._note_use(found, moment)
        scopes = frozenset(found.scopes) | (frozenset({OPERATOR}) if found.operator else frozenset())
        caller = Caller(found.tenant, f"key:{found.id}", found.name, scopes)
        left = self.GOOD_FOR if found.expires_at is None else (found.expires_at - moment).total_seconds()
        self._good.put(hashed, caller, until=asked + min(self.GOOD_FOR, left))
        return caller

    async def _judge_session(self, hashed: bytes, claims: Claims, token_end: datetime) -> Verdict:
        asked, moment = self._clock(), now()
        user, session = UserId(claims.user), SessionId(claims.session)
        async with self._database.transaction(Role.GATE) as db:
            found = await SessionRows(db, claims.tenant).living(session, user, moment)
        if found is None or not found.enabled:
            return self._refuse(hashed, asked, known=found is not None)
        caller = Person(
            claims.tenant,
            f"user:{user}",
            found.name or found.email,
            scopes_of(found.role, operator=found.operator),
            user=user,
            session=session,
            role=found.role,
            tier=found.tier,
            multiplier=MULTIPLIERS[found.tier],
        )
        left = (min(found.expires_at, token_end) - moment).total_seconds()
        self._good.put(hashed, caller, until=asked + min(self.GOOD_FOR, left))
        return caller

    def _refuse(self, hashed: bytes, asked: float, *, known: bool) -> Refusal:
        refusal = _disabled if known else _invalid
        self._refused.put(hashed, refusal, until=asked + self.REFUSED_FOR)
        return refusal

    def _note_use(self, key: Identity, moment: datetime) -> None:
        """Begin to write the last use, if it is due. Nobody waits for it, and a failure is only logged."""
        before = moment - self.USE_NOTED_EVERY
        if key.id in self._noting or (key.last_used_at is not None and key.last_used_at >= before):
            return
        task = self._noting[key.id] = asyncio.create_task(self._write_use(key, moment, before))
        task.add_done_callback(lambda done: self._noted(key.id, done))

    async def _write_use(self, key: Identity, moment: datetime, before: datetime) -> None:
        async with self._database.transaction(Role.APP, key.tenant) as db:
            await KeyRows(db, key.tenant).note_use(key.id, moment, before=before)

    def _noted(self, key_id: KeyId, task: asyncio.Task[None]) -> None:
        del self._noting[key_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("last use not written", key_id=str(key_id), error=repr(error))


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
        await record(db, _key_event(Action.ADMIN_KEY_CREATED, home.id, SYSTEM, row))
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
    return _row(key, "Administrator", "The key of this server's administrator.", [ADMIN], moment, None)


def _row(
    key: str, name: str, description: str, scopes: Collection[str], created_at: datetime, expires_at: datetime | None
) -> ApiKey:
    # A given key is a person's own choice: not one of its characters is shown.
    prefix = prefix_of(key) or "setting"
    ordered: list[str] = [scope for scope in SCOPES if scope in scopes]
    return ApiKey(KeyId(uuid7()), prefix, name, description, ordered, created_at, expires_at, last_used_at=None)


def _key_event(action: Action, tenant: TenantId, actor: str, key: ApiKey) -> Event:
    until = None if key.expires_at is None else key.expires_at.isoformat()
    details = {"prefix": key.prefix, "name": key.name, "scopes": key.scopes, "expires_at": until}
    return Event(tenant, action, actor, Target("key", key.id), details)


def _invalid() -> Problem:
    return InvalidCredentials(
        "The credentials are unknown, expired or revoked.",
        hint=f"{BOTH_FORMS} An administrator makes keys with POST /api/admin/api-keys; people log in for a token.",
    )


def _disabled() -> Problem:
    return OrganizationDisabled(
        "The organization of these credentials is disabled.", hint="Ask the operator of this server to enable it."
    )
