"""The chain of the audit log: how an event is encoded and hashed, and how a chain is followed. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from carrel.core.ids import TenantId

Detail = str | int | bool | None | Sequence[str]
Outcome = Literal["success", "failure"]

VERSION = b"carrel audit 1"
START = bytes(32)
"""The hash before the first event of every chain."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event in its place: everything that its hash covers."""

    tenant: TenantId
    sequence: int
    at: datetime
    actor: str
    action: str
    target_kind: str | None
    target_id: str | None
    outcome: Outcome
    address: str | None
    request_id: str | None
    details: Mapping[str, Detail]
    previous: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(Entry):
    """An event as the database has it, with the hash that it had when it was written."""

    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends, and the last event of it that was forgotten."""

    sequence: int = 0
    hash: bytes = START
    anchor_sequence: int = 0
    anchor_hash: bytes = START


@dataclass(frozen=True, slots=True)
class Fault:
    """The first event of a chain that is not as it was written, and why."""

    sequence: int
    reason: str


def encode(entry: Entry) -> bytes:
    """The one form of an event that is hashed. No two different events have the same.

    Every part says its length first, so that none can pass for a part of its neighbour, and what is missing differs
    from what is empty.
    """
    parts = [
        VERSION,
        entry.tenant.bytes,
        b"%d" % entry.sequence,
        b"%d" % ((entry.at - EPOCH) // timedelta(microseconds=1)),
        entry.actor,
        entry.action,
        entry.target_kind,
        entry.target_id,
        entry.outcome,
        entry.address,
        entry.request_id,
        canonical(entry.details),
        entry.previous,
    ]
    return b"".join(map(_framed, parts))


def canonical(details: Mapping[str, Detail]) -> str:
    """Details as JSON in one form, whatever order they were given in or the database keeps them in."""
    return json.dumps(details, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest_of(entry: Entry) -> bytes:
    return hashlib.sha256(encode(entry)).digest()


@dataclass(slots=True)
class Walk:
    """Follows a chain from its anchor to its head."""

    head: Head
    sequence: int
    hash: bytes
    count: int = 0

    @classmethod
    def of(cls, head: Head) -> "Walk":
        return cls(head, head.anchor_sequence, head.anchor_hash)

    def step(self, event: Stored) -> Fault | None:
        """Take the next event there is. What is wrong with it, if anything is."""
        expected = self.sequence + 1
        if event.sequence != expected:
            return Fault(expected, f"Event {expected} is missing: event {event.sequence} comes after {self.sequence}.")
        if event.previous != self.hash:
            return Fault(expected, f"Event {expected} does not follow the event before it.")
        if event.hash != digest_of(event):
            return Fault(expected, f"Event {expected} was changed: it does not have the hash that it was written with.")
        self.sequence, self.hash, self.count = expected, event.hash, self.count + 1
        return None

    def end(self) -> Fault | None:
        """What is wrong with the end, when there is no event any more."""
        if self.sequence < self.head.sequence:
            lost = self.sequence + 1
            return Fault(lost, f"Event {lost} is missing: the chain should go on to event {self.head.sequence}.")
        if (self.sequence, self.hash) != (self.head.sequence, self.head.hash):
            return Fault(self.sequence, f"Event {self.sequence} is not the one that the chain ended with.")
        return None


def _framed(part: bytes | str | None) -> bytes:
    if part is None:
        return b"-;"
    raw = part.encode() if isinstance(part, str) else part
    return b"%d:%b;" % (len(raw), raw)
