"""Logging in."""

from dataclasses import dataclass

from carrel.auth.audit import record
from carrel.auth.desk import Desk
from carrel.auth.emails import key_of
from carrel.auth.schemas_users import Device, Login, SignedIn
from carrel.auth.second_step import Threshold, settled, signed_in
from carrel.auth.sessions import Check


@dataclass(frozen=True, slots=True)
class Logins:
    """Makes its own short transactions: a try counts although it fails, and none is open while a hash is computed."""

    desk: Desk
    device: Device

    async def login(self, wanted: Login) -> SignedIn:
        """Begin a session. Raises `InvalidLogin`, `TooManyAttempts`, `UserDisabled`, `NoOrganization`.

        Raises `SecondFactorRequired` with a ticket where the account asks for more.
        """
        someone = await self.desk.recognise(key_of(wanted.email), wanted.password, self.device)
        async with self.desk.transaction() as db:
            await self.desk.admit(db, someone)
            threshold = Threshold(self.desk, self.device)
            outcome = await threshold.cross(db, someone.account.id, someone.password_hash, wanted.organization)
            if isinstance(outcome, SignedIn):
                await record(db, signed_in(outcome))
        return settled(outcome)

    async def refresh(self, token: str, check: Check | None = None) -> SignedIn:
        """Let a session go on, with new tokens, unless `check` refuses it."""
        return await self.desk.sessions.refresh(token, check)
