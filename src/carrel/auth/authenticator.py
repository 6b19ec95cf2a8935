"""Who is asking: keys and tokens in, callers out."""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import structlog

from carrel.auth import grants, reaching
from carrel.auth.credentials import BOTH_FORMS, Headers, presented
from carrel.auth.errors import InvalidCredentials
from carrel.auth.grants import Grant
from carrel.auth.holders import bearer_of, holder_of
from carrel.auth.keys import digest
from carrel.auth.recent import Recent
from carrel.auth.repository_keys import Gate, KeyRows
from carrel.auth.repository_sessions import SessionRows
from carrel.auth.roles import scopes_of
from carrel.auth.schemas import Identity
from carrel.auth.schemas_users import Person, SessionId, UserId
from carrel.auth.signing import Claims, Ring
from carrel.auth.tiers import MULTIPLIERS
from carrel.core.clock import now
from carrel.core.errors import Problem
from carrel.core.ids import KeyId
from carrel.infra.db import Database, Role
from carrel.infra.web import Caller
from carrel.tenants.errors import OrganizationDisabled

Refusal = Callable[[], Problem]
Verdict = Caller | Refusal

log = structlog.get_logger("carrel.auth")


class Authenticator:
    """Knows callers by their keys, and by the tokens of `ring`. One per process; close it before the database.

    A key that was good a moment ago is good without asking the database: for 2 s at most and never past its expiry,
    so a revoked key is dead everywhere within that time. A key that was refused is refused for 1 s. The same holds for
    tokens, whose session or key, role and organisation are read as they are and not as they were when they were made.
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
        """The holder of a key or a token. Raises `InvalidCredentials` or `OrganizationDisabled`."""
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
            task = self._asking[hashed] = asyncio.create_task(self._judge(hashed, credential))
            task.add_done_callback(lambda _: self._asking.pop(hashed))
        # Shielded: the others who wait for the same key must not fail because the first of them went away.
        return await asyncio.shield(task)

    def _judge(self, hashed: bytes, credential: bytes) -> Coroutine[Any, Any, Verdict]:
        if self._ring is not None:
            if (session := self._ring.read(credential)) is not None:
                return self._judge_session(hashed, *session)
            if (granted := grants.read(self._ring, credential)) is not None:
                return self._judge_grant(hashed, *granted)
        return self._judge_key(hashed)

    async def _judge_key(self, hashed: bytes) -> Verdict:
        asked, moment = self._clock(), now()
        async with self._database.transaction(Role.GATE) as db:
            found = await Gate(db).identify(hashed, moment)
        if found is None or not found.enabled:
            return self._refuse(hashed, asked, known=found is not None)
        self._note_use(found, moment)
        return self._accept(hashed, asked, holder_of(found), _left(moment, found.expires_at))

    async def _judge_grant(self, hashed: bytes, grant: Grant, token_end: datetime) -> Verdict:
        asked, moment = self._clock(), now()
        async with self._database.transaction(Role.GATE) as db:
            found = await KeyRows(db, grant.tenant).identity(grant.key, moment)
        if found is None or not found.enabled:
            return self._refuse(hashed, asked, known=found is not None)
        self._note_use(found, moment)
        caller = bearer_of(holder_of(found), grant)
        return self._accept(hashed, asked, caller, _left(moment, found.expires_at, token_end))

    async def _judge_session(self, hashed: bytes, claims: Claims, token_end: datetime) -> Verdict:
        asked, moment = self._clock(), now()
        user, session = UserId(claims.user), SessionId(claims.session)
        async with self._database.transaction(Role.GATE) as db:
            found = await SessionRows(db, claims.tenant).living(session, user, moment)
        if found is None or not found.enabled:
            return self._refuse(hashed, asked, known=found is not None)
        scopes = scopes_of(found.role, operator=found.operator)
        caller = Person(
            claims.tenant,
            f"user:{user}",
            found.name or found.email,
            scopes,
            user=user,
            session=session,
            role=found.role,
            tier=found.tier,
            multiplier=MULTIPLIERS[found.tier],
            tenant_rate=found.tenant_rate,
            access=reaching.of_person(scopes, user, found.groups),
        )
        return self._accept(hashed, asked, caller, _left(moment, found.expires_at, token_end))

    def _accept(self, hashed: bytes, asked: float, caller: Caller, left: float) -> Caller:
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


def _left(moment: datetime, *ends: datetime | None) -> float:
    """The seconds until the first of the ends."""
    return min(((end - moment).total_seconds() for end in ends if end is not None), default=math.inf)


def _invalid() -> Problem:
    return InvalidCredentials(
        "The credentials are unknown, expired or revoked.",
        hint=f"{BOTH_FORMS} An administrator makes keys with POST /api/admin/api-keys; people log in for a token.",
    )


def _disabled() -> Problem:
    return OrganizationDisabled(
        "The organization of these credentials is disabled.", hint="Ask the operator of this server to enable it."
    )
