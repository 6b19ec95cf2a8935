"""Which documents a caller reaches. Pure: rights in, an `Access` out."""

from collections.abc import Collection
from uuid import UUID

from carrel.auth.schemas import ADMIN
from carrel.core.access import EVERYTHING, Access, group_reader, user_reader


def of_person(scopes: Collection[str], user: UUID, groups: Collection[UUID]) -> Access:
    """Who administers an organisation sees all of it; others what names nobody, them, or a group of theirs."""
    if ADMIN in scopes:
        return EVERYTHING
    return Access(readers=frozenset({user_reader(user), *map(group_reader, groups)}))
