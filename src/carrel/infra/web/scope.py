"""What one request may use: who asks, the unit of work, and objects made for it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar, cast

from fastapi import Depends, Request
from pydantic import BaseModel

from carrel.core.errors import Problem
from carrel.core.ids import TenantId
from carrel.infra.db import Database, Role, Transaction
from carrel.infra.limits import Limiter
from carrel.infra.web.caller import Caller
from carrel.infra.web.errors import Forbidden, WrongOrganization

if TYPE_CHECKING:
    from carrel.infra.web.paging import Cursors

T = TypeVar("T")
Provider = Callable[["Scope"], object]
OPERATOR = "operator"
Identify = Callable[[Request], Awaitable[Caller]]
HomeOf = Callable[[str], Awaitable[TenantId | None]]
"""Whose a host is: the organisation's that was verified for it, or None."""
AfterCommit = Callable[[], Awaitable[tuple[int, BaseModel]]]
"""Run once the work is committed; gives the status and the body of the answer."""


class Observer(Protocol):
    """Hears of every refusal before it is answered. The answer waits for it, so it only looks and begins work."""

    def refused(self, request: Request, problem: Problem) -> None: ...


class Count(Protocol):
    """Told of each call of somebody known: what it needed, and whether it was refused at the edge."""

    def __call__(self, caller: Caller, scope: str, *, refused: bool) -> None: ...


def uncounted(caller: Caller, scope: str, *, refused: bool) -> None:
    """Counts nothing."""


@dataclass(slots=True)
class Kit:
    """What the process gives to every request; made once, at start."""

    database: Database
    identify: Identify
    providers: Mapping[type, Provider]
    cursors: "Cursors"
    json_max_bytes: int
    upload_max_bytes: int
    limiter: Limiter | None = None
    """None: everybody may call as often as they like."""
    observer: Observer | None = None
    count: Count = uncounted
    home_of: HomeOf | None = None
    """None: no host belongs to an organisation."""


class Scope:
    """One request. Its transactions open at their first statement and are ended by the route, not by anyone else."""

    def __init__(self, kit: Kit, caller: Caller | None) -> None:
        self.kit, self._caller = kit, caller
        self._db: Transaction | None = None
        self._role = Role.APP
        self._snapshot: Transaction | None = None
        self.after_commit: AfterCommit | None = None

    @property
    def caller(self) -> Caller:
        if self._caller is None:
            raise RuntimeError("This route is open to everybody and has no caller; declare requires(...).")
        return self._caller

    @property
    def tenant(self) -> TenantId:
        return self.caller.tenant

    @property
    def database(self) -> Database:
        return self.kit.database

    @property
    def db(self) -> Transaction:
        """The request's unit of work, for the caller's tenant."""
        if self._db is None:
            self._db = self.kit.database.unit(Role.APP, self.tenant)
        return self._db

    @property
    def gate(self) -> Transaction:
        """The request's unit of work as the gate, which sees more than the caller's tenant. Ask for it before `db`.

        It takes the place of `db`, so that whatever else belongs to the request commits with it.
        """
        return self._wider(Role.GATE)

    @property
    def operator(self) -> Transaction:
        """The request's unit of work as an operator, who sees all organisations. Ask for it before `db`.

        It takes the place of `db` too. Raises `Forbidden` unless the caller is an operator, whatever the route asks.
        """
        require(self.caller, OPERATOR)
        return self._wider(Role.OPERATOR)

    @property
    def snapshot(self) -> Transaction:
        """A read-only view of one moment, for the caller's tenant."""
        if self._snapshot is None:
            self._snapshot = self.kit.database.snapshot(Role.APP, self.tenant)
        return self._snapshot

    def _wider(self, role: Role) -> Transaction:
        if self._db is None:
            self._db, self._role = self.kit.database.unit(role, self.tenant), role
        if self._role != role:
            raise RuntimeError(f"This request has a unit of work already, under another role than {role}.")
        return self._db

    def provide(self, kind: type[T]) -> T:
        return cast("T", self.kit.providers[kind](self))

    async def finish(self) -> None:
        """Commit, and give back what was borrowed."""
        # What was only read ends first: once the work is committed, nothing must fail any more.
        if self._snapshot is not None:
            await self._snapshot.finish()
        if self._db is not None:
            await self._db.finish()

    async def abandon(self) -> None:
        """Undo, and give back what was borrowed."""
        for transaction in (self._snapshot, self._db):
            if transaction is not None:
                await transaction.abandon()


class Requirement:
    """Marks a route with the scope that its caller needs; the route checks it before it reads the body.

    It is checked again where it stands, so that a requirement that the route did not see refuses everybody instead of
    nobody.
    """

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> None:
        require(current(request).caller, self.scope)


class CarriesSecret:
    """Marks a route whose answer shows a secret once, so that no replay may repeat it."""

    async def __call__(self) -> None:
        return None


def require(caller: Caller, scope: str) -> None:
    """Raises `Forbidden` unless `caller` may use what `scope` stands for."""
    if not caller.may(scope):
        raise Forbidden(
            f"This needs the scope `{scope}`, which these credentials lack.",
            hint="Use credentials with that scope: a key from POST /api/admin/api-keys, or a login with more rights.",
            scope=scope,
        )


def home_of(request: Request) -> TenantId | None:
    """The organisation that the name belongs to which the request was sent to; None: it is the server's own."""
    home: TenantId | None = getattr(request.state, "home", None)
    return home


def require_home(request: Request, caller: Caller) -> None:
    """Raises `WrongOrganization` for credentials of one organisation at a host of another."""
    if home_of(request) not in {None, caller.tenant}:
        raise WrongOrganization(
            "These credentials belong to another organization than this host.",
            hint="Call your organization's own host, or the name of the server itself.",
        )


def requires(scope: str) -> Any:
    """Only callers whose credentials hold `scope` (or `admin`) may use this route."""
    return Depends(Requirement(scope))


def carries_secret() -> Any:
    """The answer of this route is never stored, not even under an Idempotency-Key."""
    return Depends(CarriesSecret())


def current(request: Request) -> Scope:
    """The scope of this request."""
    found: Scope = request.state.scope
    return found


def provided(kind: type[T]) -> Any:
    """An object of this kind, made for this request: bound to its caller's tenant and unit of work."""

    # Asynchronous, although nothing is awaited: the framework would run a plain function in a thread.
    async def provide(request: Request) -> T:
        return current(request).provide(kind)

    return Depends(provide)


# Asynchronous, although nothing is awaited: the framework would run a plain function in a thread.
async def _meant(request: Request) -> TenantId | None:
    return home_of(request)


Meant = Annotated[TenantId | None, Depends(_meant)]
"""The organisation that a request means by the host that it was sent to, be its sender known or not."""
