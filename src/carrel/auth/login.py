"""Logging in."""

from dataclasses import dataclass

from carrel.auth.audit import Event, record, user_subject
from carrel.auth.audit_actions import Action
from carrel.auth.desk import Desk, standing_of
from carrel.auth.emails import key_of
from carrel.auth.schemas_users import Device, Login, SignedIn
from carrel.auth.sessions import Check


@dataclass(frozen=True, slots=True)
class Logins:
    """Makes its own short transactions: a try counts although it fails, and none is open while a hash is computed."""

    desk: Desk
    device: Device

    async def login(self, wanted: Login) -> SignedIn:
        """Begin a session. Raises `InvalidLogin`, `TooManyAttempts`, `UserDisabled`, `NoOrganization`."""
        someone = await self.desk.recognise(key_of(wanted.email), wanted.password, self.device)
        async with self.desk.transaction() as db:
            await self.desk.admit(db, someone)
            standing = await standing_of(db, someone.account.id, wanted.organization)
            signed_in = await self.desk.sessions.begin(db, standing, self.device)
            await record(db, Event(standing.tenant, Action.LOGIN_SUCCEEDED, user_subject(standing.user_id)))
            return signed_in

    async def refresh(self, token: str, check: Check | None = None) -> SignedIn:
        """Let a session go on, with new tokens, unless `check` refuses it."""
        return await self.desk.sessions.refresh(token, check)
