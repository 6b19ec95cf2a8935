"""SQL over everything that an organisation has, whatever tables there are: the catalogue is asked for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from carrel.core.ids import TenantId
from carrel.infra.db import Database, Role

ROLES = (Role.APP, Role.GATE, Role.QUEUE, Role.OPERATOR)
BATCH = 2_000

# Rights without a policy would show nothing, and nothing would look like an empty table.
BY_ROLE = """
    (SELECT r.name FROM unnest(%(roles)s::text[]) WITH ORDINALITY AS r (name, rank)
     WHERE has_column_privilege(r.name, c.oid, 'tenant_id', 'SELECT') AND {right}
       AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd IN ('*', '{command}')
                   AND r.name::regrole::oid = ANY (p.polroles))
     ORDER BY r.rank LIMIT 1)
"""
READER = BY_ROLE.format(right="true", command="r")
ERASER = BY_ROLE.format(right="has_table_privilege(r.name, c.oid, 'DELETE')", command="d")
TABLES = f"""
    SELECT quote_ident(c.relname) AS name, {READER} AS reader, {ERASER} AS eraser,
           ARRAY(SELECT quote_ident(p.relname) FROM pg_constraint k JOIN pg_class p ON p.oid = k.confrelid
                 WHERE k.conrelid = c.oid AND k.contype = 'f' AND p.oid <> c.oid) AS parents
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
    ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with rows of organisations. None as a role: nobody may do that."""

    name: str
    reader: str | None
    eraser: str | None
    """Without one, rows go with the organisation's own row."""
    parents: list[str]


@dataclass(frozen=True, slots=True)
class RemainsRows:
    """The rows of one organisation, in short transactions of whoever may read or delete them."""

    database: Database
    tenant: TenantId

    async def tables(self) -> Sequence[Table]:
        """All tables that can hold something of an organisation, those that refer to others first."""
        async with self.database.transaction(Role.OPERATOR) as db:
            found = {table.name: table for table in await db.all(Table, TABLES, roles=[role.value for role in ROLES])}
        order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(found, ()))
        for table in found.values():
            for parent in table.parents:
                order.add(parent, table.name)
        return [found[name] for name in order.static_order() if name in found]

    async def count(self, table: Table) -> int:
        """How many rows there are. Raises `LookupError` when nobody may know."""
        if table.reader is None:
            raise LookupError(f"No role may count the rows of {table.name}.")
        # The names of tables come quoted from the catalogue.
        statement = f"SELECT count(*) FROM {table.name} WHERE tenant_id = %(tenant)s"
        async with self.database.transaction(Role(table.reader), self.tenant) as db:
            return int(await db.value(statement, tenant=self.tenant))

    async def empty(self, table: Table) -> None:
        """Delete all rows, some at a time, so that no statement takes long."""
        if table.eraser is None:
            return
        some = f"SELECT ctid FROM {table.name} WHERE tenant_id = %(tenant)s LIMIT {BATCH}"
        statement = f"DELETE FROM {table.name} WHERE tenant_id = %(tenant)s AND ctid = ANY (ARRAY({some}))"
        deleted = BATCH
        while deleted:
            async with self.database.transaction(Role(table.eraser), self.tenant) as db:
                deleted = await db.execute(statement, tenant=self.tenant)
