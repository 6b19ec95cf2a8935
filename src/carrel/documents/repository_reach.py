"""Which rows a caller reaches, as conditions of SQL: the one place that says so.

A caller who reaches everything has no condition at all, so that its statements are what they were without it.
"""

from dataclasses import dataclass
from typing import Any

from carrel.core.access import EVERYTHING, Access
from carrel.jobs.service import Sight

# Whom a collection names is asked of its one row. The list of those that are closed to the caller is made once for a
# statement, and is empty for most.
READABLE = """
    AND ({d}readers IS NULL OR {d}readers && %(access_readers)s::text[])
    AND ({d}collection_id IS NULL OR {d}collection_id NOT IN (
        SELECT id FROM collections
        WHERE tenant_id = %(tenant)s AND readers IS NOT NULL AND NOT readers && %(access_readers)s::text[]
    ))
"""
READABLE_COLLECTION = "AND (c.readers IS NULL OR c.readers && %(access_readers)s::text[])"
HOLDS_SOMETHING_SEEN = """
    AND EXISTS (SELECT FROM documents d WHERE d.tenant_id = %(tenant)s AND d.collection_id = c.id {reached})
"""
ABOUT_SOMETHING_SEEN = """
    AND EXISTS (
        SELECT FROM documents d
        WHERE d.tenant_id = %(tenant)s AND d.id = (arguments ->> 'document_id')::uuid {reached}
    )
"""


@dataclass(frozen=True, slots=True)
class Reach:
    """What `access` asks of a row that has the columns `tags`, `collection_id` and `readers`."""

    access: Access = EVERYTHING

    def of_documents(self, table: str = "", document: str = "id") -> str:
        """Conditions to go after others; `table` is `alias.` or nothing, `document` the column with a document's id."""
        access, wanted = self.access, []
        if access.documents is not None:
            wanted.append(f"AND {table}{document} = ANY(%(access_documents)s::uuid[])")
        if access.collections is not None:
            wanted.append(f"AND {table}collection_id = ANY(%(access_collections)s::uuid[])")
        wanted += [f"AND {table}tags && %(access_tags_{n})s::text[]" for n in range(len(access.tags))]
        if access.readers is not None:
            wanted.append(READABLE.format(d=table))
        return " ".join(wanted)

    def of_collections(self) -> str:
        """Conditions on `collections c`. Whoever is narrowed to some documents sees the collections that hold one."""
        access, wanted = self.access, []
        if access.collections is not None:
            wanted.append("AND c.id = ANY(%(access_collections)s::uuid[])")
        if access.readers is not None:
            wanted.append(READABLE_COLLECTION)
        if access.tags or access.documents is not None:
            wanted.append(HOLDS_SOMETHING_SEEN.format(reached=self.of_documents("d.")))
        return " ".join(wanted)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the conditions name."""
        access = self.access
        named: dict[str, Any] = {f"access_tags_{n}": sorted(one) for n, one in enumerate(access.tags)}
        for name in ("documents", "collections", "readers"):
            if (given := getattr(access, name)) is not None:
                named[f"access_{name}"] = sorted(given)
        return named


def sight_of_jobs(access: Access) -> Sight:
    """The jobs about documents that a caller sees; whoever reaches everything sees those about nothing as well."""
    if not access.is_limited:
        return Sight()
    reach = Reach(access)
    return Sight(ABOUT_SOMETHING_SEEN.format(reached=reach.of_documents("d.")), reach.parameters)
