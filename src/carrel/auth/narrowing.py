"""What a key is limited to, and what it therefore reaches. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from carrel.core.access import EVERYTHING, Access, group_reader


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The limits of a key; None: not limited in this."""

    tags: list[str] | None = None
    """It reaches documents with at least one of these."""
    collections: list[UUID] | None = None
    """It reaches documents that lie in one of these."""
    groups: list[UUID] | None = None
    """Of documents that are restricted to readers, it reaches those that these groups may read."""


NOTHING = Narrowing()


def access_of(scopes: Collection[str], narrowing: Narrowing) -> Access:
    """What a key with these scopes reaches. An administrator reaches everything; restricted documents need a group."""
    if "admin" in scopes:
        return EVERYTHING
    return Access(
        tags=() if narrowing.tags is None else (frozenset(narrowing.tags),),
        collections=None if narrowing.collections is None else frozenset(narrowing.collections),
        readers=frozenset(map(group_reader, narrowing.groups or ())),
    )
