"""Writes down what was refused: beside the answer, which neither waits for it nor differs by it."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from fastapi import Request

from carrel.auth.audit import ANONYMOUS, SERVER, Event, Target, record, record_of_person, user_subject
from carrel.auth.audit_actions import Action
from carrel.auth.audit_chain import Detail
from carrel.auth.audit_sampling import Sampler
from carrel.auth.background import Background
from carrel.auth.errors_users import Concerning
from carrel.auth.keys import FORM
from carrel.auth.repository_audit import Owned, Owners
from carrel.auth.schemas_users import Person, UserId
from carrel.core.errors import Problem
from carrel.core.ids import TenantId
from carrel.infra.db import Database, Role
from carrel.infra.web import Caller
from carrel.infra.web.errors import InvalidCursor
from carrel.infra.web.whence import whence

ACTIONS: Mapping[str, Action] = {
    "forbidden": Action.PERMISSION_REFUSED,
    "scope-not-held": Action.PERMISSION_REFUSED,
    "role-not-held": Action.PERMISSION_REFUSED,
    "wrong-password": Action.PASSWORD_REFUSED,
    "invalid-login": Action.LOGIN_FAILED,
    "user-disabled": Action.LOGIN_FAILED,
    "no-organization": Action.LOGIN_FAILED,
    "wrong-code": Action.LOGIN_FAILED,
    "oidc-refused": Action.LOGIN_FAILED,
    "oidc-login-failed": Action.CREDENTIALS_REFUSED,
    "invalid-ticket": Action.CREDENTIALS_REFUSED,
    "too-many-attempts": Action.LOGIN_THROTTLED,
    "rate-limited": Action.RATE_REFUSED,
    "invalid-credentials": Action.CREDENTIALS_REFUSED,
    "credentials-conflict": Action.CREDENTIALS_REFUSED,
    "authorization-unsupported": Action.CREDENTIALS_REFUSED,
    "organization-disabled": Action.CREDENTIALS_REFUSED,
    "csrf-failed": Action.CREDENTIALS_REFUSED,
    "invalid-refresh-token": Action.CREDENTIALS_REFUSED,
    "link-not-valid": Action.CREDENTIALS_REFUSED,
    "invalid-cursor": Action.ACCESS_REFUSED,
    "wrong-organization": Action.ACCESS_REFUSED,
}
"""What a refusal is, by the code of its problem."""
UNSAMPLED = frozenset({Action.LOGIN_FAILED})
"""Bounded already: nobody may try more often than the throttle allows."""
MOST_IDS = 2
LOOKED_UP_FOR = 600.0
MOST_LOOKUPS = 300
"""How many ids one caller may have looked up in that time, each once."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was refused, as far as it is written down."""

    action: Action
    code: str
    caller: Caller | None
    user: UserId | None
    """Whose account it was about."""
    route: str
    credential: str
    key_prefix: str | None
    wanted: tuple[UUID, ...]
    """Ids that the request named and did not find."""
    owner: TenantId | None
    """Whose cursor it has shown."""

    @classmethod
    def of(cls, request: Request, problem: Problem) -> "Refusal | None":
        """None for what is of no interest."""
        caller: Caller | None = getattr(request.state, "caller", None)
        wanted = _wanted(request, problem)
        action = Action.ACCESS_REFUSED if wanted and caller is not None else ACTIONS.get(problem.code)
        if action is None:
            return None
        credential = _credential(request)
        found = FORM.fullmatch(credential.decode("latin-1"))
        return cls(
            action=action,
            code=problem.code,
            caller=caller,
            user=_user(problem),
            route=getattr(request.scope.get("route"), "path", ""),
            credential=hashlib.sha256(credential).hexdigest() if credential else "",
            key_prefix=found[1] if found else None,
            wanted=wanted,
            owner=problem.made_for if isinstance(problem, InvalidCursor) else None,
        )

    @property
    def tenant(self) -> TenantId:
        return SERVER if self.caller is None else self.caller.tenant

    @property
    def actor(self) -> str:
        return ANONYMOUS if self.caller is None else self.caller.subject

    @property
    def asking(self) -> str | None:
        """Who is known to have asked, be it only by a password."""
        if self.caller is None:
            return None if self.user is None else user_subject(self.user)
        return self.caller.subject

    @property
    def person(self) -> UUID | None:
        return self.caller.user if isinstance(self.caller, Person) else self.user

    def kinds(self) -> list[str]:
        """What makes it one of many that are alike."""
        if self.caller is not None:
            return [f"{self.action}\0{self.actor}\0{self.route}"]
        address = f"{self.action}\0address\0{whence().address}"
        return [address, f"{self.action}\0{self.credential}"] if self.credential else [address]

    def event(self) -> Event:
        """As it goes into the log. For an organisation's own it is the same whether others have what was asked for."""
        details: dict[str, Detail] = {"code": self.code, "route": self.route}
        if self.key_prefix is not None and self.caller is None:
            details["key_prefix"] = self.key_prefix
        return Event(
            tenant=self.tenant,
            action=self.action,
            actor=self.actor,
            target=None if self.user is None else Target("user", self.user),
            details=details,
            outcome="failure",
        )


class Watch:
    """Hears of every refusal. One per process; close it before the database.

    A flood of refusals is written as a few events. What is being written when the process is killed is lost.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._events, self._lookups = Sampler(clock=clock), Sampler(LOOKED_UP_FOR, MOST_LOOKUPS, clock=clock)
        # Apart, so that looking up what many have asked for in vain keeps nothing from being written.
        self._writing, self._looking = Background(), Background()

    def refused(self, request: Request, problem: Problem) -> None:
        """Begin to write, if it is of interest."""
        refusal = Refusal.of(request, problem)
        if refusal is None:
            return
        if refusal.action in UNSAMPLED or self._events.take(str(refusal.tenant), *refusal.kinds()):
            self._writing.begin(self._write(refusal), "audit")
        if refusal.asking is not None:
            self._look(refusal, refusal.asking)

    async def close(self) -> None:
        """Wait for what is being written."""
        await self._looking.close()
        await self._writing.close()

    def _look(self, refusal: Refusal, asking: str) -> None:
        if refusal.owner is not None and self._lookups.take(asking, f"{asking}\0{refusal.owner}"):
            found = Owned("cursor", refusal.owner)
            self._writing.begin(self._write_crossing(refusal, asking, found, ""), "audit")
        for one in refusal.wanted:
            if self._lookups.take(asking, f"{asking}\0{one}"):
                self._looking.begin(self._seek(refusal, asking, one), "audit")

    async def _write(self, refusal: Refusal) -> None:
        async with self._database.transaction(Role.GATE) as db:
            if refusal.user is None or refusal.caller is not None:
                await record(db, refusal.event())
            else:
                await record_of_person(db, refusal.user, refusal.event())

    async def _seek(self, refusal: Refusal, asking: str, wanted: UUID) -> None:
        async with self._database.transaction(Role.OPERATOR) as db:
            found = await Owners(db, refusal.tenant).of_content(wanted)
        async with self._database.transaction(Role.GATE) as db:
            found += await Owners(db, refusal.tenant).of_people(wanted, refusal.person)
        if found and all(one.tenant != refusal.tenant for one in found):
            await self._write_crossing(refusal, asking, found[0], str(wanted))

    async def _write_crossing(self, refusal: Refusal, asking: str, found: Owned, wanted: str) -> None:
        home = None if refusal.caller is None else str(refusal.caller.tenant)
        event = Event(
            tenant=SERVER,
            action=Action.TENANT_CROSSED,
            actor=asking,
            target=Target(found.kind, wanted),
            details={"organization": home, "other": str(found.tenant), "route": refusal.route},
            outcome="failure",
        )
        async with self._database.transaction(Role.GATE) as db:
            await record(db, event)


def _wanted(request: Request, problem: Problem) -> tuple[UUID, ...]:
    """The ids that were asked for in vain."""
    if isinstance(problem, Concerning) and problem.organization is not None:
        return (problem.organization,)
    if problem.status != 404:
        return ()
    ids = map(_uuid, request.scope.get("path_params", {}).values())
    return tuple(one for one in ids if one is not None)[:MOST_IDS]


def _user(problem: Problem) -> UserId | None:
    return UserId(problem.user) if isinstance(problem, Concerning) and problem.user is not None else None


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _credential(request: Request) -> bytes:
    headers = request.headers
    return (headers.get("x-api-key") or headers.get("authorization", "").partition(" ")[2]).strip().encode("latin-1")
