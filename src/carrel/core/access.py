"""Which documents of an organisation somebody may see. Pure: what a caller was given, in one value."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Labels:
    """What about a document decides who sees it. No readers: it is not restricted."""

    document: UUID
    tags: Collection[str]
    collection: UUID | None = None
    readers: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What a document must be for somebody to see it. All of it must hold; whoever is given nothing sees everything."""

    tags: tuple[frozenset[str], ...] = ()
    """The document has at least one tag of each set."""
    collections: frozenset[UUID] | None = None
    """The document lies in one of these."""
    documents: frozenset[UUID] | None = None
    """The document is one of these."""
    readers: frozenset[str] | None = None
    """What restricted documents may name, as `user:<id>` and `group:<id>`; None: restrictions do not count."""

    @property
    def is_limited(self) -> bool:
        return self != EVERYTHING

    @property
    def is_narrowed(self) -> bool:
        """Whether something other than readers holds documents back, as it does for some keys and tokens."""
        return bool(self.tags) or self.collections is not None or self.documents is not None

    def reaches(self, labels: Labels) -> bool:
        """Whether somebody sees a document with these labels, by everything but its readers."""
        return (
            all(not one.isdisjoint(labels.tags) for one in self.tags)
            and (self.collections is None or labels.collection in self.collections)
            and (self.documents is None or labels.document in self.documents)
        )

    def may_read(self, readers: Collection[str] | None) -> bool:
        """Whether somebody is among the readers that a document or a collection names."""
        return self.readers is None or readers is None or not self.readers.isdisjoint(readers)

    def narrowed(self, other: "Access") -> "Access":
        """What both allow. Never more than either does."""
        return Access(
            tags=self.tags + tuple(one for one in other.tags if one not in self.tags),
            collections=_both(self.collections, other.collections),
            documents=_both(self.documents, other.documents),
            readers=_both(self.readers, other.readers),
        )

    def is_within(self, other: "Access") -> bool:
        """Whether it never allows what `other` does not."""
        return (
            all(any(one <= wanted for one in self.tags) for wanted in other.tags)
            and _within(self.collections, other.collections)
            and _within(self.documents, other.documents)
            and _within(self.readers, other.readers)
        )


EVERYTHING = Access()


def user_reader(user: UUID) -> str:
    """How a restricted document names a person."""
    return f"user:{user}"


def group_reader(group: UUID) -> str:
    """How a restricted document names a group."""
    return f"group:{group}"


def _both(one: frozenset[T] | None, other: frozenset[T] | None) -> frozenset[T] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _within(one: frozenset[T] | None, other: frozenset[T] | None) -> bool:
    return other is None or (one is not None and one <= other)
