"""From a password that was right to a session: at once, or by a second step where the account asks for one."""

import hmac
from dataclasses import dataclass
from datetime import timedelta

from carrel.auth import throttle
from carrel.auth.audit import Event, Target, record_all, user_subject
from carrel.auth.audit_actions import Action
from carrel.auth.desk import Desk, standing_of
from carrel.auth.errors_factors import InvalidTicket, SecondFactorRequired, WrongCode
from carrel.auth.errors_users import UserDisabled
from carrel.auth.keys import digest
from carrel.auth.opaque import new_link_token
from carrel.auth.records import Account, Ticket
from carrel.auth.repository_factors import FactorRows, TicketRows
from carrel.auth.repository_users import UserRows
from carrel.auth.schemas_factors import Proof, SecondStep
from carrel.auth.schemas_users import Device, SignedIn, UserId
from carrel.auth.totp import recovery_digest, step_that_fits
from carrel.auth.vault import Vault
from carrel.core.clock import now
from carrel.core.ids import TenantId
from carrel.infra.db import Executor

TICKET_LIFE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Halfway:
    """A login whose first step is done. The ticket is for the second one."""

    ticket: str

    def problem(self) -> SecondFactorRequired:
        return SecondFactorRequired(
            "The account asks for a code of its second factor.",
            hint="Send `ticket` and `code` to POST /api/auth/login/totp.",
            ticket=self.ticket,
            expires_in=int(TICKET_LIFE.total_seconds()),
        )


@dataclass(frozen=True, slots=True)
class Threshold:
    """The last thing before a session. Makes its own short transactions where it is not given one."""

    desk: Desk
    device: Device

    async def cross(
        self, db: Executor, user: UserId, password_hash: str | None, organization: TenantId | None
    ) -> SignedIn | Halfway:
        """A session, or a ticket for the second step; give `settled` the outcome once the transaction is over."""
        if not await FactorRows(db, user).is_on():
            return await self.desk.sessions.begin(db, await standing_of(db, user, organization), self.device)
        ticket, moment, rows = new_link_token(), now(), TicketRows(db)
        waiting = Ticket(user, _stamp(password_hash), organization)
        await rows.add(digest(ticket.encode()), waiting, moment + TICKET_LIFE)
        await rows.sweep(moment)
        return Halfway(ticket)

    async def finish(self, wanted: SecondStep) -> SignedIn:
        """The session, for a ticket and a code. Raises `InvalidTicket`, `WrongCode`, `TooManyAttempts`, `UserDisabled`.

        A ticket outlives wrong codes, of which few are allowed, and ends with the right one.
        """
        hashed = digest(wanted.ticket.encode())
        await self.desk.throttle.take(throttle.of_tickets(self.device.address))
        async with self.desk.transaction() as db:
            ticket = await TicketRows(db).find(hashed, now())
        if ticket is None:
            raise _invalid_ticket()
        limits = throttle.of_second_steps(str(ticket.user_id))
        await self.desk.throttle.take(limits)
        async with self.desk.transaction() as db:
            _require_same(ticket, await UserRows(db).hold_by_id(ticket.user_id))
            await spend(db, self.desk.vault, ticket.user_id, wanted)
            if not await TicketRows(db).spend(hashed, now()):
                raise _invalid_ticket()
            await throttle.give_back(db, [*limits, *throttle.of_tickets(self.device.address)])
            standing = await standing_of(db, ticket.user_id, ticket.organization)
            begun = await self.desk.sessions.begin(db, standing, self.device)
            told = [signed_in(begun)]
            if wanted.recovery_code is not None:
                told.insert(0, recovery_code_used(begun.organization.id, ticket.user_id))
            await record_all(db, told)
            return begun


async def spend(db: Executor, vault: Vault, user: UserId, proof: Proof) -> None:
    """Use up a code. Raises `WrongCode`, also for one that was used before."""
    rows = FactorRows(db, user)
    if proof.recovery_code is not None:
        good = await rows.spend_code(recovery_digest(user, proof.recovery_code))
    else:
        good = await _spend_step(rows, vault, proof.code or "")
    if not good:
        raise WrongCode(
            "The code is wrong, too old, or was used before.",
            hint="Take the present code; if none is accepted, set the clock of the device, or use a recovery code.",
        )


async def _spend_step(rows: FactorRows, vault: Vault, code: str) -> bool:
    factor = await rows.get()
    if factor is None or not factor.confirmed:
        return False
    secret = await vault.open(factor.secret, str(rows.user))
    step = step_that_fits(secret, code, now(), after=factor.last_step)
    if step is None or not await rows.spend_step(step):
        return False
    if await vault.is_stale(factor.secret):
        await rows.reseal(factor.secret, await vault.seal(secret, str(rows.user)))
    return True


def signed_in(begun: SignedIn) -> Event:
    """What the audit log says of a session that has begun by a login."""
    return Event(begun.organization.id, Action.LOGIN_SUCCEEDED, user_subject(begun.user.id))


def recovery_code_used(home: TenantId, user: UserId) -> Event:
    """What the audit log of an organisation says of a recovery code that was used up."""
    return Event(home, Action.RECOVERY_CODE_USED, user_subject(user), Target("user", user))


def settled(outcome: SignedIn | Halfway) -> SignedIn:
    """The session. Raises `SecondFactorRequired`; the transaction must be over, so that the ticket is good."""
    if isinstance(outcome, Halfway):
        raise outcome.problem()
    return outcome


def _require_same(ticket: Ticket, account: Account | None) -> None:
    if account is None or not hmac.compare_digest(bytes(ticket.stamp), _stamp(account.password_hash)):
        raise _invalid_ticket()
    if not account.enabled:
        raise UserDisabled("The account is disabled.", hint="Ask the operator of this server to enable it.")


def _stamp(password_hash: str | None) -> bytes:
    return digest((password_hash or "").encode())


def _invalid_ticket() -> InvalidTicket:
    return InvalidTicket(
        "The ticket is unknown, was used, or has expired.", hint="Begin again with POST /api/auth/login."
    )
