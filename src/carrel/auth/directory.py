"""Who can be named as a reader. What other rooms may ask of the gate about groups and members."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from carrel.auth.repository_groups import GroupRows
from carrel.core.ids import TenantId
from carrel.infra.db import Database, Role


@dataclass(frozen=True, slots=True)
class Directory:
    """The groups and members of one organisation."""

    database: Database
    tenant: TenantId

    async def unknown(self, readers: Collection[str]) -> set[str]:
        """Which of `readers` (`user:<id>`, `group:<id>`) are no member and no group of the organisation.

        Asked in a short transaction of the gate: one that is removed a moment later is named in vain, which lets
        nobody in.
        """
        groups = [UUID(one.removeprefix("group:")) for one in readers if one.startswith("group:")]
        users = [UUID(one.removeprefix("user:")) for one in readers if one.startswith("user:")]
        async with self.database.transaction(Role.GATE) as db:
            return set(readers) - await GroupRows(db, self.tenant).known(groups, users)
