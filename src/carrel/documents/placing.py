"""Where documents lie and whom they name: what of that may be asked for, and by whom."""

from collections.abc import Collection as Some
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol
from uuid import UUID

from carrel.auth.service import Detail
from carrel.core.access import Access, Labels
from carrel.core.ids import DocumentId, TenantId
from carrel.documents.errors import OutOfReach, ReadersWithoutYou
from carrel.documents.repository_collections import PlaceRows
from carrel.documents.schemas import Draft
from carrel.infra.db import Executor
from carrel.infra.web.errors import Invalid


class Directory(Protocol):
    """The groups and members of the tenant. Asked in a transaction of its own, so ask before another is open."""

    async def unknown(self, readers: Some[str]) -> Some[str]: ...


@dataclass(frozen=True, slots=True)
class Places:
    """What one caller may say of where documents lie and who reads them."""

    db: Executor
    tenant: TenantId
    access: Access
    directory: Directory

    async def require_known(self, readers: Sequence[str] | None) -> None:
        """Raises `Invalid` unless all of them are groups and members. Call it before the unit of work is open."""
        unknown = sorted(await self.directory.unknown(readers)) if readers else []
        if unknown:
            _refuse("readers", "unknown_reader", f"No group or member of the organization is {unknown[0]}")

    async def settle(self, document_id: DocumentId, draft: Draft) -> UUID | None:
        """The id of the collection that a new document goes into, which stays there until the transaction ends.

        Raises `Invalid` when there is none, and `OutOfReach` or `ReadersWithoutYou` unless the caller will see it.
        """
        collection = await self.held(draft.collection)
        self.require_seen(Labels(document_id, draft.tags, collection, draft.readers))
        return collection

    async def held(self, reference: str | None) -> UUID | None:
        """The collection with this id or slug, which nobody removes before the transaction ends. Raises `Invalid`."""
        if reference is None:
            return None
        found = await PlaceRows(self.db, self.tenant, self.access).hold(reference)
        if found is None:
            _refuse("collection", "unknown_collection", "No collection has this id or slug")
        return found.id

    def require_seen(self, labels: Labels) -> None:
        """Raises `OutOfReach` or `ReadersWithoutYou` unless the caller sees such a document. It sees the collection."""
        if not self.access.reaches(labels):
            raise OutOfReach(
                "These credentials reach only some documents, and this would not be one of them.",
                hint="Give it a tag and a collection that they reach.",
            )
        self.require_readable(labels.readers)

    def require_readable(self, readers: Some[str] | None) -> None:
        """Raises `ReadersWithoutYou` unless the caller is among them."""
        if not self.access.may_read(readers):
            raise ReadersWithoutYou(
                "The readers that you name do not include you.",
                hint="Add yourself or one of your groups (GET /api/auth/me), or ask an administrator.",
            )


def told(readers: Sequence[str] | None) -> dict[str, Detail]:
    """Readers as the audit log keeps them: how many there are, because of long lists it takes the beginning."""
    return {"readers": readers, "reader_count": None if readers is None else len(readers)}


def _refuse(field: str, code: str, message: str) -> NoReturn:
    raise Invalid(
        f"body.{field}: {message}.",
        hint="See `errors` for each field.",
        errors=[{"field": f"body.{field}", "code": code, "message": message}],
    )
