"""All SQL over what people are called by providers of identities. Needs transactions of the gate."""

from dataclasses import dataclass
from datetime import datetime

from carrel.auth.schemas_users import UserId
from carrel.infra.db import Executor

USER = "SELECT user_id FROM user_identities WHERE issuer = %(issuer)s AND subject = %(subject)s"
ADD = """
    INSERT INTO user_identities (issuer, subject, user_id, created_at)
    VALUES (%(issuer)s, %(subject)s, %(user)s, %(now)s) ON CONFLICT (issuer, subject) DO NOTHING
"""
HAS = "SELECT EXISTS (SELECT FROM user_identities WHERE user_id = %(user)s)"


@dataclass(frozen=True, slots=True)
class IdentityRows:
    db: Executor

    async def user(self, issuer: str, subject: str) -> UserId | None:
        found = await self.db.value(USER, issuer=issuer, subject=subject)
        return None if found is None else UserId(found)

    async def add(self, issuer: str, subject: str, user: UserId, moment: datetime) -> bool:
        """False when somebody else was faster."""
        return await self.db.execute(ADD, issuer=issuer, subject=subject, user=user, now=moment) == 1

    async def has(self, user: UserId) -> bool:
        """Whether a provider knows the person."""
        return bool(await self.db.value(HAS, user=user))
