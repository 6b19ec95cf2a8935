"""All SQL over sessions and their refresh tokens. Needs transactions of the gate."""

from dataclasses import dataclass
from datetime import datetime

from carrel.auth.records import Family, LivingSession
from carrel.auth.schemas_users import Device, Session, SessionId, UserId
from carrel.core.ids import TenantId
from carrel.infra.db import Executor

ADD = """
    INSERT INTO sessions (tenant_id, id, user_id, created_at, last_used_at, expires_at, address, user_agent,
                          generation, nonce, rotated_at)
    VALUES (%(tenant)s, %(id)s, %(user)s, %(now)s, %(now)s, %(expires_at)s, %(address)s, %(user_agent)s,
            1, %(nonce)s, %(now)s)
"""
ADD_REFRESH = """
    INSERT INTO refresh_tokens (tenant_id, session_id, generation, hash)
    VALUES (%(tenant)s, %(id)s, %(generation)s, %(hash)s)
"""
ROTATE = """
    UPDATE sessions SET generation = %(generation)s, nonce = %(nonce)s, rotated_at = %(now)s, last_used_at = %(now)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s
"""
LIVING = """
    SELECT u.email, u.name, u.tier, u.operator, m.role, o.enabled, s.expires_at,
           o.rate_limit_per_minute AS tenant_rate,
           ARRAY(SELECT g.group_id FROM group_members g
                 WHERE g.tenant_id = s.tenant_id AND g.user_id = s.user_id) AS groups
    FROM sessions s
    JOIN memberships m ON m.tenant_id = s.tenant_id AND m.user_id = s.user_id
    JOIN users u ON u.id = s.user_id
    JOIN organizations o ON o.id = s.tenant_id
    WHERE s.tenant_id = %(tenant)s AND s.id = %(id)s AND s.user_id = %(user)s
      AND s.revoked_at IS NULL AND s.expires_at > %(now)s AND u.enabled
"""
REVOKE = "UPDATE sessions SET revoked_at = %(now)s WHERE tenant_id = %(tenant)s AND id = %(id)s AND revoked_at IS NULL"

# The tenant is what is being asked for; the digest of the token stands in for it. The session is held, so that of
# many who come with the same token one is first; its row is read anew after the wait, and a token's never changes.
FAMILY = """
    SELECT s.tenant_id AS tenant, s.id, s.user_id, s.expires_at, s.revoked_at IS NOT NULL AS revoked,
           s.generation, s.nonce, s.rotated_at, t.generation AS shown
    FROM refresh_tokens t JOIN sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id
    WHERE t.hash = %(hash)s FOR UPDATE OF s
"""
# A person's own sessions, in whichever of their organisations.
PAGE = """
    SELECT id, tenant_id AS organization_id, created_at, last_used_at, expires_at, address, user_agent,
           id = %(current)s AS current
    FROM sessions
    WHERE user_id = %(user)s AND revoked_at IS NULL AND expires_at > %(now)s
      AND (%(after)s::uuid IS NULL OR id < %(after)s)
    ORDER BY id DESC
    LIMIT %(limit)s OFFSET %(offset)s
"""
COUNT = """
    SELECT count(*) FROM sessions WHERE user_id = %(user)s AND revoked_at IS NULL AND expires_at > %(now)s
"""
EXPIRY = """
    SELECT expires_at FROM sessions
    WHERE user_id = %(user)s AND id = %(id)s AND revoked_at IS NULL AND expires_at > %(now)s
"""
REVOKE_OWN = """
    UPDATE sessions SET revoked_at = %(now)s
    WHERE user_id = %(user)s AND id = %(id)s AND revoked_at IS NULL AND expires_at > %(now)s
"""
REVOKE_ALL = """
    UPDATE sessions SET revoked_at = %(now)s
    WHERE user_id = %(user)s AND id IS DISTINCT FROM %(kept)s AND revoked_at IS NULL
"""
SWEEP = """
    DELETE FROM sessions WHERE (tenant_id, id) IN (
        SELECT tenant_id, id FROM sessions WHERE expires_at < %(now)s LIMIT 20 FOR UPDATE SKIP LOCKED
    )
"""


@dataclass(frozen=True, slots=True)
class SessionRows:
    """The sessions in one organisation."""

    db: Executor
    tenant: TenantId

    async def add(self, session: SessionId, user: UserId, device: Device, moment: datetime, end: datetime) -> None:
        await self.db.execute(
            ADD,
            tenant=self.tenant,
            id=session,
            user=user,
            now=moment,
            expires_at=end,
            address=device.address,
            user_agent=device.user_agent,
            nonce=b"",
        )

    async def add_token(self, session: SessionId, generation: int, digest: bytes) -> None:
        await self.db.execute(ADD_REFRESH, tenant=self.tenant, id=session, generation=generation, hash=digest)

    async def rotate(self, session: SessionId, generation: int, nonce: bytes, moment: datetime) -> None:
        await self.db.execute(ROTATE, tenant=self.tenant, id=session, generation=generation, nonce=nonce, now=moment)

    async def living(self, session: SessionId, user: UserId, moment: datetime) -> LivingSession | None:
        """What the session may do now; None when it is over, or its person is no member any more."""
        return await self.db.one_or_none(LivingSession, LIVING, tenant=self.tenant, id=session, user=user, now=moment)

    async def revoke(self, session: SessionId, moment: datetime) -> None:
        await self.db.execute(REVOKE, tenant=self.tenant, id=session, now=moment)


@dataclass(frozen=True, slots=True)
class PersonalSessions:
    """All sessions of one person."""

    db: Executor
    user: UserId

    async def page(
        self, current: SessionId, moment: datetime, *, after: SessionId | None, offset: int, limit: int
    ) -> list[Session]:
        place = {"after": after, "offset": offset, "limit": limit}
        return await self.db.all(Session, PAGE, user=self.user, current=current, now=moment, **place)

    async def count(self, moment: datetime) -> int:
        return int(await self.db.value(COUNT, user=self.user, now=moment))

    async def expiry(self, session: SessionId, moment: datetime) -> datetime | None:
        """When the session will end; None when it has."""
        found: datetime | None = await self.db.value(EXPIRY, user=self.user, id=session, now=moment)
        return found

    async def revoke(self, session: SessionId, moment: datetime) -> bool:
        return await self.db.execute(REVOKE_OWN, user=self.user, id=session, now=moment) == 1

    async def revoke_all(self, moment: datetime, *, kept: SessionId | None = None) -> None:
        await self.db.execute(REVOKE_ALL, user=self.user, kept=kept, now=moment)


@dataclass(frozen=True, slots=True)
class Families:
    """Sessions as they are found by a refresh token, before anybody is known."""

    db: Executor

    async def hold(self, digest: bytes) -> Family | None:
        """The session of a refresh token, which nobody else changes before this transaction ends."""
        return await self.db.one_or_none(Family, FAMILY, hash=digest)

    async def sweep(self, moment: datetime) -> None:
        """Remove some that have expired."""
        await self.db.execute(SWEEP, now=moment)
