"""Idempotency-Key: a request that is repeated is carried out once.

The answer is stored in the transaction of the work itself: either both exist or neither.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import structlog
from fastapi import Request, Response
from psycopg.types.json import Jsonb
from python_multipart.multipart import parse_options_header
from starlette.types import Message, Receive

from carrel.core.clock import now
from carrel.core.errors import Problem
from carrel.core.ids import uuid7
from carrel.infra.db import Database, Role, Transaction
from carrel.infra.web.caller import Caller
from carrel.infra.web.errors import BadRequest, IdempotencyConflict, IdempotencyMismatch, SecretNotRepeatable

log = structlog.get_logger("carrel.web")
HEADER = "idempotency-key"
LIFE = timedelta(hours=24)
LEASE = timedelta(seconds=9)
"""Renewed while the request runs, so only a killed process loses it. A repetition of its request waits this long."""
STORED_HEADERS = ("content-type", "location", "etag")

CLAIM = """
    INSERT INTO idempotency_keys AS k (tenant_id, caller, key, owner, lease_until, expires_at)
    VALUES (%(tenant)s, %(caller)s, %(key)s, %(owner)s, %(lease_until)s, %(expires_at)s)
    ON CONFLICT (tenant_id, caller, key) DO UPDATE
        SET owner = excluded.owner, lease_until = excluded.lease_until, expires_at = excluded.expires_at,
            fingerprint = NULL, status = NULL, headers = NULL, body = NULL
        WHERE k.expires_at < %(now)s OR (k.status IS NULL AND k.lease_until < %(now)s)
"""

READ = """
    SELECT owner, fingerprint, status, headers, body FROM idempotency_keys
    WHERE tenant_id = %(tenant)s AND caller = %(caller)s AND key = %(key)s
"""

STORE = """
    UPDATE idempotency_keys
    SET fingerprint = %(fingerprint)s, status = %(status)s, headers = %(headers)s, body = %(body)s
    WHERE tenant_id = %(tenant)s AND caller = %(caller)s AND key = %(key)s AND owner = %(owner)s
"""

RENEW = """
    UPDATE idempotency_keys SET lease_until = %(lease_until)s
    WHERE tenant_id = %(tenant)s AND caller = %(caller)s AND key = %(key)s AND owner = %(owner)s AND status IS NULL
"""

RELEASE = """
    DELETE FROM idempotency_keys
    WHERE tenant_id = %(tenant)s AND caller = %(caller)s AND key = %(key)s AND owner = %(owner)s AND status IS NULL
"""

# A few at a time and never waiting: two requests that sweep the same keys must not stand in each other's way.
SWEEP = """
    DELETE FROM idempotency_keys
    WHERE tenant_id = %(tenant)s AND (caller, key) IN (
        SELECT caller, key FROM idempotency_keys
        WHERE tenant_id = %(tenant)s AND expires_at < %(now)s
        LIMIT 100 FOR UPDATE SKIP LOCKED
    )
"""


@dataclass(frozen=True, slots=True)
class Stored:
    owner: UUID
    fingerprint: bytes | None
    status: int | None
    headers: dict[str, str] | None
    body: bytes | None


class Fingerprint:
    """A running digest of a request: method, path, media type and body, but not the boundary of a multipart body."""

    def __init__(self, request: Request, receive: Receive) -> None:
        self._receive = receive
        kind, options = parse_options_header(request.headers.get("content-type"))
        boundary = options.get(b"boundary", b"") if kind.startswith(b"multipart/") else b""
        self._body = Digest(b"--" + boundary if boundary else b"")
        self._head = [request.method.encode(), request.scope["path"].encode(), request.scope["query_string"], kind]
        self._ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._body.add(message.get("body", b""))
            self._ended = not message.get("more_body", False)
        else:
            self._ended = True
        return message

    async def read_to_the_end(self) -> bytes:
        while not self._ended:
            await self.receive()
        return _digest_of(*self._head, self._body.value())


class Digest:
    """A digest of bytes that come in pieces, however they are cut; `delimiter` counts as a cut and not by its bytes."""

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter, self._carry = delimiter, b""
        self._whole, self._part = hashlib.sha256(), hashlib.sha256()

    def add(self, data: bytes) -> None:
        if not self._delimiter:
            self._part.update(data)
            return
        *ended, rest = (self._carry + data).split(self._delimiter)
        for part in ended:
            self._part.update(part)
            self._end_part()
        # A delimiter may lie across two pieces, so as much as could begin one waits for the next.
        sure = max(0, len(rest) - len(self._delimiter) + 1)
        self._part.update(rest[:sure])
        self._carry = rest[sure:]

    def value(self) -> bytes:
        """The digest of all that was added. Call it once, at the end."""
        self._part.update(self._carry)
        self._end_part()
        return self._whole.digest()

    def _end_part(self) -> None:
        self._whole.update(self._part.digest())
        self._part = hashlib.sha256()


def _digest_of(*fields: bytes) -> bytes:
    whole = hashlib.sha256()
    for field in fields:
        whole.update(len(field).to_bytes(8, "big") + field)
    return whole.digest()


@dataclass(frozen=True, slots=True)
class Ledger:
    """The keys of one caller."""

    database: Database
    caller: Caller
    key: str
    owner: UUID

    @classmethod
    def of(cls, request: Request, database: Database, caller: Caller) -> "Ledger | None":
        key = request.headers.get(HEADER)
        if key is None:
            return None
        if not 1 <= len(key) <= 255 or not key.isprintable():
            raise BadRequest("The Idempotency-Key must have 1 to 255 printable characters.", hint="Use a random UUID.")
        return cls(database, caller, key, uuid7())

    async def claim(self) -> Stored | None:
        """None when the work is ours to do; else what was stored. Raises when it is running elsewhere."""
        moment = now()
        async with self.database.transaction(Role.APP, self.caller.tenant) as db:
            await db.execute(SWEEP, tenant=self.caller.tenant, now=moment)
            claimed = await db.execute(
                CLAIM, **self._at(), lease_until=moment + LEASE, expires_at=moment + LIFE, now=moment
            )
            stored = None if claimed else await db.one_or_none(Stored, READ, **self._place())
        if stored is not None and stored.status is None:
            raise IdempotencyConflict(
                "A request with this Idempotency-Key is still running.",
                hint="Wait for its answer, then repeat the request to read it again.",
                retry_after=1,
            )
        return stored

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep the claim for as long as the block runs, be it a long upload."""
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])

    async def store(self, db: Transaction, response: Response, fingerprint: bytes, *, secret: bool) -> None:
        """Keep the answer, in the transaction of the work."""
        headers = {name: response.headers[name] for name in STORED_HEADERS if name in response.headers}
        stored = await db.execute(
            STORE,
            **self._at(),
            fingerprint=fingerprint,
            status=response.status_code,
            headers=Jsonb({} if secret else headers),
            body=b"" if secret else bytes(response.body),
        )
        if not stored:
            raise IdempotencyConflict(
                "The request took longer than its claim on the Idempotency-Key.",
                hint="Repeat it: the other request with this key answers now.",
            )

    async def release(self) -> None:
        """Let a repetition run: this one changed nothing."""
        async with self.database.transaction(Role.APP, self.caller.tenant) as db:
            await db.execute(RELEASE, **self._at())

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            try:
                async with self.database.transaction(Role.APP, self.caller.tenant) as db:
                    await db.execute(RENEW, **self._at(), lease_until=now() + LEASE)
            except Problem as problem:
                # Should the claim be lost by that, `store` refuses and nothing is done twice.
                log.warning("the claim on an idempotency key was not renewed", code=problem.code)

    def _place(self) -> dict[str, Any]:
        return {"tenant": self.caller.tenant, "caller": self.caller.subject, "key": self.key}

    def _at(self) -> dict[str, Any]:
        return {**self._place(), "owner": self.owner}


def replay(stored: Stored, fingerprint: bytes, *, secret: bool) -> Response:
    """The stored answer, if the repetition is the same request."""
    if stored.fingerprint != fingerprint:
        raise IdempotencyMismatch(
            "This Idempotency-Key was used with another request.", hint="Use a new key for a new request."
        )
    if secret:
        raise SecretNotRepeatable(
            "This request was carried out before, and its answer held a secret.",
            hint="If the secret is lost, delete what was made and make it again with a new key.",
        )
    answer = Response(stored.body, cast("int", stored.status), headers=stored.headers)
    answer.headers["Idempotent-Replayed"] = "true"
    return answer
