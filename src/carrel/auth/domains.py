"""Domains of organisations: asking for one, proving that it is theirs, giving it back."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import psycopg

from carrel.auth.audit import Event, Target, record
from carrel.auth.audit_actions import Action
from carrel.auth.errors_domains import DomainExists, DomainNotFound, DomainNotVerified, DomainTaken, TooManyDomains
from carrel.auth.hostnames import host_of, record_of, require_foreign
from carrel.auth.opaque import new_link_token
from carrel.auth.repository_domains import DomainRows
from carrel.auth.schemas_domains import Domain, DomainId, DomainList, DomainRow, NewDomain, Record
from carrel.core.clock import now
from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Database, Executor, Role

MOST = 10
Texts = Callable[[str], Awaitable[Sequence[str]]]
"""The texts that the domain name system has at a name."""


@dataclass(frozen=True, slots=True)
class Domains:
    """The domains of one organisation. `db` is a unit of work of the gate; what changes counts everywhere within 5 s.

    `own` are the server's own names, which nobody else has; `actor` is who the audit log says it was.
    """

    db: Executor
    tenant: TenantId
    actor: str
    own: Sequence[str]

    @property
    def _rows(self) -> DomainRows:
        return DomainRows(self.db, self.tenant)

    async def all(self) -> DomainList:
        return DomainList([shown(row) for row in await self._rows.all()])

    async def get(self, domain: DomainId) -> Domain:
        """Raises `DomainNotFound`."""
        return shown(found(domain, await self._rows.get(domain)))

    async def add(self, wanted: NewDomain) -> Domain:
        """Ask for a host, whoever else does. Raises `InvalidDomain`, `DomainExists`, `TooManyDomains`."""
        host = host_of(wanted.host)
        require_foreign(host, self.own)
        if len(await self._rows.hold()) >= MOST:
            raise TooManyDomains(f"An organization has at most {MOST} domains.", hint="Remove one of them.")
        row = DomainRow(DomainId(uuid7()), host, new_link_token(), now(), None)
        if not await self._rows.add(row):
            raise DomainExists(f"{host} is among your domains.", hint="GET /api/organization/domains lists them.")
        await self._note(Action.DOMAIN_ADDED, row)
        return shown(row)

    async def remove(self, domain: DomainId) -> None:
        """Raises `DomainNotFound`."""
        row = found(domain, await self._rows.get(domain))
        await self._rows.remove(domain)
        await self._note(Action.DOMAIN_REMOVED, row)

    async def decide(self, domain: DomainId, *, verified: bool) -> Domain:
        """Believe that a host is the organisation's, or no more. Raises `DomainNotFound`, `DomainTaken`."""
        row = found(domain, await self._rows.get(domain))
        if verified:
            await self._believe(row)
        else:
            await self._rows.doubt(domain)
        if verified != (row.verified_at is not None):
            await self._note(Action.DOMAIN_VERIFIED if verified else Action.DOMAIN_DOUBTED, row)
        return await self.get(domain)

    async def _believe(self, row: DomainRow) -> None:
        try:
            await self._rows.verify(row.id, now())
        except psycopg.errors.UniqueViolation as error:
            raise DomainTaken(
                f"Another organization of this server has {row.host}.", hint="Ask the operator of this server."
            ) from error

    async def _note(self, action: Action, row: DomainRow) -> None:
        await record(self.db, Event(self.tenant, action, self.actor, Target("domain", row.id), {"host": row.host}))


@dataclass(frozen=True, slots=True)
class AllDomains:
    """The domains of any organisation, for operators."""

    db: Executor
    actor: str
    own: Sequence[str]

    def of(self, tenant: TenantId) -> Domains:
        return Domains(self.db, tenant, self.actor, self.own)


@dataclass(frozen=True, slots=True)
class Verification:
    """Asks the zone of a host whose it is. Its transactions are its own, and none is open meanwhile."""

    database: Database
    tenant: TenantId
    actor: str
    own: Sequence[str]
    texts: Texts

    async def verify(self, domain: DomainId) -> Domain:
        """Raises `DomainNotFound`, `DomainNotVerified`, `DomainTaken` or `DnsUnavailable`."""
        async with self.database.transaction(Role.GATE) as db:
            row = found(domain, await DomainRows(db, self.tenant).get(domain))
        if row.verified_at is not None:
            return shown(row)
        if row.token not in await self.texts(record_of(row.host)):
            raise DomainNotVerified(
                f"There is no record TXT at {record_of(row.host)} with the value that was asked for.",
                hint="Add it to your zone as `record` says, and ask again: a new record may take minutes to be seen.",
                record={"type": "TXT", "name": record_of(row.host), "value": row.token},
            )
        async with self.database.transaction(Role.GATE) as db:
            return await Domains(db, self.tenant, self.actor, self.own).decide(domain, verified=True)


def found(domain: DomainId, row: DomainRow | None) -> DomainRow:
    if row is None:
        raise DomainNotFound("The organization has no domain with this id.", domain_id=str(domain))
    return row


def shown(row: DomainRow) -> Domain:
    return Domain(row.id, row.host, Record(record_of(row.host), row.token), row.created_at, row.verified_at)
