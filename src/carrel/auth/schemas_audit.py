"""The audit log as it is shown."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from carrel.auth.audit_chain import Outcome, Stored

ExportFormat = Literal["ndjson", "csv"]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted: those for which all that is given holds. `until` itself is left out."""

    action: str | None = None
    actor: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that happened. `hash` covers all of it, and `previous_hash`, that of the event before."""

    sequence: int
    at: datetime
    actor: str
    action: str
    target_kind: str | None
    target_id: str | None
    outcome: Outcome
    address: str | None
    request_id: str | None
    details: dict[str, Any]
    previous_hash: str
    hash: str

    @classmethod
    def of(cls, event: Stored) -> "AuditEvent":
        names = ("sequence", "at", "actor", "action", "target_kind", "target_id", "outcome", "address", "request_id")
        return cls(
            **{name: getattr(event, name) for name in names},
            details=dict(event.details),
            previous_hash=event.previous.hex(),
            hash=event.hash.hex(),
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether a chain is as it was written.

    Keep `last_sequence` and `last_hash` somewhere else: a later check of the same event against them also finds out
    whether somebody has written the whole chain anew.
    """

    ok: bool
    events: int
    """How many were checked: those up to the first that is wrong."""
    first_sequence: int
    last_sequence: int
    last_hash: str
    broken_at: int | None = None
    reason: str | None = None
