"""Writing into the audit log: `record`, in the transaction of what an event tells of."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from carrel.auth.audit_actions import Action
from carrel.auth.audit_chain import Detail, Entry, Outcome, digest_of
from carrel.auth.repository_audit import ChainRows
from carrel.auth.repository_members import Standings
from carrel.auth.schemas_users import UserId
from carrel.core.clock import now
from carrel.core.ids import TenantId
from carrel.infra.db import Executor
from carrel.infra.web.whence import whence

SERVER = TenantId(UUID(int=0))
"""Stands for the server, where an event belongs to no organisation."""
SYSTEM, ANONYMOUS = "system", "anonymous"
LONGEST, MOST_DETAILS = 500, 20
# What the database cannot keep as it is: it would have another hash when it is read again.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Target:
    """What an event is about."""

    kind: str
    id: object


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. Never with a password, key or token in it, nor with text of queries or documents.

    `tenant` is the organisation whose log it goes into, or `SERVER`; `actor` is the `subject` of a caller, `SYSTEM`
    or `ANONYMOUS`.
    """

    tenant: TenantId
    action: Action
    actor: str
    target: Target | None = None
    details: Mapping[str, Detail] = field(default_factory=dict)
    outcome: Outcome = "success"


async def record(db: Executor, event: Event) -> None:
    """Write an event, so that it is there if and only if the transaction of `db` is committed.

    Call it last: the end of the chain is locked until then, after every other lock. Who writes into the chains of an
    organisation and of the server takes that of the server last. `db` may be of the application for its own
    organisation, of the gate, or of an operator.
    """
    rows, place = ChainRows(db, event.tenant), whence()
    head = await rows.hold()
    entry = Entry(
        tenant=event.tenant,
        sequence=head.sequence + 1,
        at=now(),
        actor=_storable(event.actor),
        action=event.action.value,
        target_kind=None if event.target is None else _storable(event.target.kind),
        target_id=None if event.target is None else _storable(str(event.target.id)),
        outcome=event.outcome,
        address=None if place.address is None else _storable(place.address),
        request_id=place.request_id,
        details=_kept(event.details),
        previous=head.hash,
    )
    await rows.add(entry, digest_of(entry))


async def record_all(db: Executor, events: Iterable[Event]) -> None:
    """Write events into the logs of several organisations, and into that of the server at last."""
    # In one order, so that two who write into the same logs never wait for each other in a circle.
    for event in sorted(events, key=lambda event: (event.tenant == SERVER, event.tenant)):
        await record(db, event)


async def record_of_person(db: Executor, user: UserId, event: Event) -> None:
    """Write an event about a person into the log of `event` and those of all their organisations.

    Needs a transaction of the gate.
    """
    await record_all(db, await of_person(db, user, event))


async def of_person(db: Executor, user: UserId, event: Event) -> list[Event]:
    """An event as it goes into its own log and those of all organisations of a person. Needs one of the gate."""
    homes = {one.tenant for one in await Standings(db).of(user)} | {event.tenant}
    return [replace(event, tenant=tenant) for tenant in homes]


def also_of_server(event: Event) -> list[Event]:
    """An event as it goes into the log of its organisation, and into that of the server."""
    return [event, replace(event, tenant=SERVER)]


def user_subject(user: UserId) -> str:
    """A person as an actor."""
    return f"user:{user}"


def _kept(details: Mapping[str, Detail]) -> dict[str, Detail]:
    if len(details) > MOST_DETAILS:
        raise ValueError(f"An event has at most {MOST_DETAILS} details.")
    return {_storable(name): _detail(value) for name, value in details.items()}


def _detail(value: Detail) -> Detail:
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, Sequence):
        return [_storable(one) for one in value[:MOST_DETAILS]]
    return value


def _storable(text: str) -> str:
    return UNSTORABLE.sub("\ufffd", text[:LONGEST])
