"""All SQL over second factors and the logins that wait for them. Needs transactions of the gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from carrel.auth.records import Factor, Ticket
from carrel.auth.schemas_users import UserId
from carrel.infra.db import Executor

ENROL = """
    INSERT INTO second_factors AS f (user_id, secret, created_at) VALUES (%(user)s, %(secret)s, %(now)s)
    ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at
        WHERE f.confirmed_at IS NULL
"""
FACTOR = """
    SELECT secret, confirmed_at IS NOT NULL AS confirmed, last_step FROM second_factors WHERE user_id = %(user)s
"""
IS_ON = "SELECT EXISTS (SELECT FROM second_factors WHERE user_id = %(user)s AND confirmed_at IS NOT NULL)"
# The secret is compared, so that a code confirms the one that it was made with.
CONFIRM = """
    UPDATE second_factors SET confirmed_at = %(now)s, last_step = %(step)s
    WHERE user_id = %(user)s AND confirmed_at IS NULL AND secret = %(secret)s
"""
# One statement, so that of two who bring the same code at once, one is first and the other too late.
SPEND_STEP = """
    UPDATE second_factors SET last_step = %(step)s
    WHERE user_id = %(user)s AND confirmed_at IS NOT NULL AND last_step < %(step)s
"""
RESEAL = "UPDATE second_factors SET secret = %(new)s WHERE user_id = %(user)s AND secret = %(old)s"
REMOVE = "DELETE FROM second_factors WHERE user_id = %(user)s"

ADD_CODES = "INSERT INTO recovery_codes (user_id, hash) SELECT %(user)s, unnest(%(hashes)s::bytea[])"
SPEND_CODE = "DELETE FROM recovery_codes WHERE user_id = %(user)s AND hash = %(hash)s"
DROP_CODES = "DELETE FROM recovery_codes WHERE user_id = %(user)s"
COUNT_CODES = "SELECT count(*) FROM recovery_codes WHERE user_id = %(user)s"

ADD_TICKET = """
    INSERT INTO login_tickets (hash, user_id, stamp, organization, expires_at)
    VALUES (%(hash)s, %(user)s, %(stamp)s, %(organization)s, %(expires_at)s)
"""
TICKET = """
    SELECT user_id, stamp, organization FROM login_tickets WHERE hash = %(hash)s AND expires_at > %(now)s
"""
SPEND_TICKET = "DELETE FROM login_tickets WHERE hash = %(hash)s AND expires_at > %(now)s"
SWEEP_TICKETS = """
    DELETE FROM login_tickets WHERE hash IN (
        SELECT hash FROM login_tickets WHERE expires_at < %(now)s LIMIT 20 FOR UPDATE SKIP LOCKED
    )
"""


@dataclass(frozen=True, slots=True)
class FactorRows:
    """The second factor of one person."""

    db: Executor
    user: UserId

    async def enrol(self, sealed: bytes, moment: datetime) -> bool:
        """Keep a secret that waits to be confirmed; False when one is in force."""
        return await self.db.execute(ENROL, user=self.user, secret=sealed, now=moment) == 1

    async def get(self) -> Factor | None:
        return await self.db.one_or_none(Factor, FACTOR, user=self.user)

    async def is_on(self) -> bool:
        return bool(await self.db.value(IS_ON, user=self.user))

    async def confirm(self, sealed: bytes, step: int, moment: datetime) -> bool:
        return await self.db.execute(CONFIRM, user=self.user, secret=sealed, step=step, now=moment) == 1

    async def spend_step(self, step: int) -> bool:
        """Whether no code of this step or a later one has been used before."""
        return await self.db.execute(SPEND_STEP, user=self.user, step=step) == 1

    async def reseal(self, old: bytes, new: bytes) -> None:
        await self.db.execute(RESEAL, user=self.user, old=old, new=new)

    async def remove(self) -> bool:
        """Whether there was one, be it one that was never confirmed."""
        removed = await self.db.execute(REMOVE, user=self.user) == 1
        await self.db.execute(DROP_CODES, user=self.user)
        return removed

    async def replace_codes(self, hashes: Sequence[bytes]) -> None:
        await self.db.execute(DROP_CODES, user=self.user)
        await self.db.execute(ADD_CODES, user=self.user, hashes=[*hashes])

    async def spend_code(self, hashed: bytes) -> bool:
        return await self.db.execute(SPEND_CODE, user=self.user, hash=hashed) == 1

    async def count_codes(self) -> int:
        return int(await self.db.value(COUNT_CODES, user=self.user))


@dataclass(frozen=True, slots=True)
class TicketRows:
    """Logins between their two steps."""

    db: Executor

    async def add(self, hashed: bytes, ticket: Ticket, expires_at: datetime) -> None:
        await self.db.execute(
            ADD_TICKET,
            hash=hashed,
            user=ticket.user_id,
            stamp=ticket.stamp,
            organization=ticket.organization,
            expires_at=expires_at,
        )

    async def find(self, hashed: bytes, moment: datetime) -> Ticket | None:
        return await self.db.one_or_none(Ticket, TICKET, hash=hashed, now=moment)

    async def spend(self, hashed: bytes, moment: datetime) -> bool:
        return await self.db.execute(SPEND_TICKET, hash=hashed, now=moment) == 1

    async def sweep(self, moment: datetime) -> None:
        await self.db.execute(SWEEP_TICKETS, now=moment)
