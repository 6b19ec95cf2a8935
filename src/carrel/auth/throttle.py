"""How often somebody may try. Counted in PostgreSQL: all instances count together, and a restart forgets nothing.

Next to a password check of 40 ms the one statement costs nothing, and a limit in the memory of each process would be
as many limits as there are processes.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from carrel.auth.errors_users import TooManyAttempts
from carrel.auth.repository_attempts import AttemptRows
from carrel.core.clock import now
from carrel.infra.db import Database, Executor, Role

WINDOW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries of one kind, by or at one thing, within a time that begins with the first."""

    kind: str
    about: str
    most: int
    window: timedelta = WINDOW

    @property
    def key(self) -> bytes:
        return hashlib.sha256(f"{self.kind}\0{self.about}".encode()).digest()


def of_logins(email_key: str, address: str) -> list[Limit]:
    """The limits of password checks.

    The strict one is for an account as seen from one address, so that nobody locks the owner out from elsewhere; the
    other two hold those back who use many addresses, or try many accounts.
    """
    return [
        Limit("login", f"{email_key}\0{address}", 10),
        Limit("account", email_key, 100),
        Limit("address", address, 100),
    ]


def of_mails(email_key: str, address: str) -> list[Limit]:
    """The limits of asking for mails."""
    hour = timedelta(hours=1)
    return [Limit("mail", email_key, 5, hour), Limit("mails", address, 30, hour)]


def of_registrations(address: str) -> list[Limit]:
    return [Limit("registration", address, 20, timedelta(hours=1))]


def of_links(address: str) -> list[Limit]:
    """The limits of opening links: their tokens cannot be guessed, but each try may cost a password check."""
    return [Limit("link", address, 30)]


def of_tickets(address: str) -> list[Limit]:
    """The limits of bringing tickets, which cannot be guessed."""
    return [Limit("ticket", address, 100)]


def of_second_steps(user: str) -> list[Limit]:
    """The limits of codes. Three of a million are good at any moment, so 20 tries find one on 1 of 16,000 days.

    Only who knows the password gets here, so nobody else can lock the owner out.
    """
    return [Limit("code", user, 5), Limit("codes", user, 20, timedelta(days=1))]


def of_arrivals(address: str) -> list[Limit]:
    """The limits of coming back from a provider of identities, which is asked for each."""
    return [Limit("arrival", address, 100)]


@dataclass(frozen=True, slots=True)
class Throttle:
    """Counts before the work is done, so that many tries at once are not more than many one by one."""

    database: Database

    async def take(self, limits: Sequence[Limit]) -> None:
        """Count one try. Raises `TooManyAttempts` when it is one too many; then it is not counted anywhere."""
        moment = now()
        async with self.database.transaction(Role.GATE) as db:
            rows = AttemptRows(db)
            found = await rows.count({limit.key: moment + limit.window for limit in limits}, moment)
            most = {limit.key: limit.most for limit in limits}
            if over := [tried.until for tried in found if tried.count > most[bytes(tried.key)]]:
                raise TooManyAttempts(
                    "There were too many attempts.",
                    hint="Wait as Retry-After says.",
                    retry_after=max(1, round((max(over) - moment).total_seconds())),
                )
            await rows.sweep(moment)

    async def is_first(self, kind: str, about: str, window: timedelta) -> bool:
        """Whether this has not come before, within a time that begins with the first."""
        moment, limit = now(), Limit(kind, about, 1, window)
        async with self.database.transaction(Role.GATE) as db:
            rows = AttemptRows(db)
            [tried] = await rows.count({limit.key: moment + window}, moment)
            await rows.sweep(moment)
        return tried.count == 1


async def give_back(db: Executor, limits: Sequence[Limit]) -> None:
    """Uncount a try that was right."""
    await AttemptRows(db).give_back([limit.key for limit in limits])
