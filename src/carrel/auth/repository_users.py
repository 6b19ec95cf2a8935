"""All SQL over users and the links that were sent to them. Users are global: membership carries the tenant."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from carrel.auth.records import Account, Link
from carrel.auth.schemas_users import UserId
from carrel.infra.db import Executor

Purpose = Literal["registration", "reset"]

ACCOUNT = "id, email, name, enabled, password_hash"
BY_EMAIL = f"SELECT {ACCOUNT} FROM users WHERE email_key = %(key)s"
BY_ID = f"SELECT {ACCOUNT} FROM users WHERE id = %(id)s"
# Held, so that a session and a change of the password it was begun with come one after the other.
HOLD = f"SELECT {ACCOUNT} FROM users WHERE id = %(id)s AND password_hash = %(hash)s FOR NO KEY UPDATE"
HOLD_BY_ID = f"{BY_ID} FOR NO KEY UPDATE"
# Held, so that a session that is begun now is seen by whoever ends all of them next.
HOLD_ENABLED = "SELECT enabled FROM users WHERE id = %(id)s FOR NO KEY UPDATE"
ADD = """
    INSERT INTO users (id, email, email_key, name, password_hash, created_at, email_verified_at)
    VALUES (%(id)s, %(email)s, %(key)s, %(name)s, %(hash)s, %(now)s,
            CASE WHEN %(verified)s THEN %(now)s::timestamptz END)
    ON CONFLICT (email_key) DO NOTHING
"""
CHANGE_HASH = "UPDATE users SET password_hash = %(new)s WHERE id = %(id)s AND password_hash = %(old)s"
RESET_HASH = """
    UPDATE users SET password_hash = %(new)s, email_verified_at = coalesce(email_verified_at, %(now)s)
    WHERE email_key = %(key)s RETURNING id
"""
RENAME = "UPDATE users SET name = %(name)s WHERE id = %(id)s"
VERIFY = "UPDATE users SET email_verified_at = coalesce(email_verified_at, %(now)s) WHERE id = %(id)s"

ADD_LINK = """
    INSERT INTO user_tokens (hash, purpose, email_key, created_at, expires_at, email, password_hash, name,
                             organization)
    VALUES (%(hash)s, %(purpose)s, %(email_key)s, %(now)s, %(expires_at)s, %(email)s, %(password_hash)s, %(name)s,
            %(organization)s)
"""
LINK = """
    SELECT email_key, email, password_hash, name, organization FROM user_tokens
    WHERE hash = %(hash)s AND purpose = %(purpose)s AND expires_at > %(now)s
"""
SPEND = "DELETE FROM user_tokens WHERE hash = %(hash)s AND purpose = %(purpose)s AND expires_at > %(now)s"
DROP = "DELETE FROM user_tokens WHERE email_key = %(key)s AND purpose = %(purpose)s"
SWEEP = """
    DELETE FROM user_tokens WHERE hash IN (
        SELECT hash FROM user_tokens WHERE expires_at < %(now)s LIMIT 20 FOR UPDATE SKIP LOCKED
    )
"""


@dataclass(frozen=True, slots=True)
class UserRows:
    """People, whichever organisations they belong to. Needs a transaction of the gate."""

    db: Executor

    async def by_email(self, key: str) -> Account | None:
        return await self.db.one_or_none(Account, BY_EMAIL, key=key)

    async def by_id(self, user: UserId) -> Account | None:
        return await self.db.one_or_none(Account, BY_ID, id=user)

    async def hold(self, user: UserId, password_hash: str | None) -> Account | None:
        """The account, which nobody else changes before this transaction ends; None when its password is another."""
        return await self.db.one_or_none(Account, HOLD, id=user, hash=password_hash)

    async def hold_by_id(self, user: UserId) -> Account | None:
        """The account, which nobody else changes before this transaction ends."""
        return await self.db.one_or_none(Account, HOLD_BY_ID, id=user)

    async def hold_enabled(self, user: UserId) -> bool:
        """Whether the account is enabled; nobody else changes it before this transaction ends."""
        return bool(await self.db.value(HOLD_ENABLED, id=user))

    async def add(self, account: Account, key: str, moment: datetime, *, verified: bool) -> bool:
        """Whether the person was added; False when the address is taken."""
        added = await self.db.execute(
            ADD,
            id=account.id,
            email=account.email,
            key=key,
            name=account.name,
            hash=account.password_hash,
            now=moment,
            verified=verified,
        )
        return added == 1

    async def change_password(self, user: UserId, old: str | None, new: str) -> bool:
        """Whether the password was still `old`, and is `new` now."""
        return await self.db.execute(CHANGE_HASH, id=user, old=old, new=new) == 1

    async def reset_password(self, key: str, new: str, moment: datetime) -> UserId | None:
        """Whose password is `new` now. The address is verified by that: the link came there."""
        found = await self.db.value(RESET_HASH, key=key, new=new, now=moment)
        return None if found is None else UserId(found)

    async def rename(self, user: UserId, name: str) -> None:
        await self.db.execute(RENAME, id=user, name=name)

    async def verify(self, user: UserId, moment: datetime) -> None:
        await self.db.execute(VERIFY, id=user, now=moment)


@dataclass(frozen=True, slots=True)
class LinkRows:
    """Links that were sent and not yet used. Needs a transaction of the gate."""

    db: Executor

    async def add(self, digest: bytes, purpose: Purpose, link: Link, moment: datetime, expires_at: datetime) -> None:
        names = ("email_key", "email", "password_hash", "name", "organization")
        values = {name: getattr(link, name) for name in names}
        await self.db.execute(ADD_LINK, hash=digest, purpose=purpose, now=moment, expires_at=expires_at, **values)

    async def find(self, digest: bytes, purpose: Purpose, moment: datetime) -> Link | None:
        return await self.db.one_or_none(Link, LINK, hash=digest, purpose=purpose, now=moment)

    async def spend(self, digest: bytes, purpose: Purpose, moment: datetime) -> bool:
        """Whether the link was good, and was ours to use up: no other transaction has it too."""
        return await self.db.execute(SPEND, hash=digest, purpose=purpose, now=moment) == 1

    async def drop(self, key: str, purpose: Purpose) -> None:
        """Make all links of this kind to an address worthless."""
        await self.db.execute(DROP, key=key, purpose=purpose)

    async def sweep(self, moment: datetime) -> None:
        await self.db.execute(SWEEP, now=moment)
