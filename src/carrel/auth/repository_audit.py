"""All SQL over the audit log."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from carrel.auth.audit_chain import Entry, Head, Stored
from carrel.auth.schemas_audit import EVERYTHING, Filter
from carrel.core.ids import TenantId
from carrel.infra.db import Executor

COLUMNS = """tenant_id AS tenant, sequence, at, actor, action, target_kind, target_id, outcome, address, request_id,
           details, previous, hash"""

HEAD = """
    SELECT sequence, hash, anchor_sequence, anchor_hash FROM audit_heads WHERE tenant_id = %(tenant)s
"""
HOLD = f"{HEAD} FOR UPDATE"
BEGIN = "INSERT INTO audit_heads (tenant_id) VALUES (%(tenant)s) ON CONFLICT DO NOTHING"
# The database moves the head with it, and refuses what does not follow.
ADD = """
    INSERT INTO audit_events (tenant_id, sequence, at, actor, action, target_kind, target_id, outcome, address,
                              request_id, details, previous, hash)
    VALUES (%(tenant)s, %(sequence)s, %(at)s, %(actor)s, %(action)s, %(target_kind)s, %(target_id)s, %(outcome)s,
            %(address)s, %(request_id)s, %(details)s, %(previous)s, %(hash)s)
"""
MATCHING = """
    tenant_id = %(tenant)s
      AND (%(action)s::text IS NULL OR action = %(action)s) AND (%(actor)s::text IS NULL OR actor = %(actor)s)
      AND (%(target)s::text IS NULL OR target_id = %(target)s)
      AND (%(since)s::timestamptz IS NULL OR at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
"""
PAGE = f"""
    SELECT {COLUMNS} FROM audit_events
    WHERE {MATCHING} AND (%(before)s::bigint IS NULL OR sequence < %(before)s)
    ORDER BY sequence DESC
    LIMIT %(limit)s OFFSET %(offset)s
"""
COUNT = f"SELECT count(*) FROM audit_events WHERE {MATCHING}"
FOLLOWING = f"""
    SELECT {COLUMNS} FROM audit_events
    WHERE {MATCHING} AND sequence > %(after)s
    ORDER BY sequence
    LIMIT %(limit)s
"""
FIRST_SINCE = """
    SELECT sequence FROM audit_events WHERE tenant_id = %(tenant)s AND at >= %(moment)s ORDER BY sequence LIMIT 1
"""
FORGET = "SELECT audit_forget(%(tenant)s, %(upto)s)"
CHAINS = """
    SELECT h.tenant_id AS tenant, coalesce(o.slug, '') AS slug
    FROM audit_heads h LEFT JOIN organizations o ON o.id = h.tenant_id
    WHERE %(after)s::uuid IS NULL OR h.tenant_id > %(after)s
    ORDER BY h.tenant_id
    LIMIT %(limit)s
"""
CHAIN_OF = """
    SELECT o.id AS tenant, o.slug FROM organizations o LEFT JOIN audit_heads h ON h.tenant_id = o.id
    WHERE o.slug = %(slug)s
"""

OWNERS_OF_CONTENT = """
    SELECT 'document' AS kind, tenant_id AS tenant FROM documents WHERE id = %(id)s
    UNION ALL SELECT 'job', tenant_id FROM jobs WHERE id = %(id)s
    UNION ALL SELECT 'key', tenant_id FROM api_keys WHERE id = %(id)s
    UNION ALL SELECT 'collection', tenant_id FROM collections WHERE id = %(id)s
"""
OWNERS_OF_PEOPLE = """
    SELECT 'organization' AS kind, o.id AS tenant FROM organizations o
    WHERE o.id = %(id)s AND NOT EXISTS (SELECT FROM memberships m WHERE m.tenant_id = o.id AND m.user_id = %(asking)s)
    UNION ALL (SELECT 'member', tenant_id FROM memberships
               WHERE user_id = %(id)s ORDER BY tenant_id = %(tenant)s DESC LIMIT 5)
    UNION ALL SELECT 'session', tenant_id FROM sessions
              WHERE id = %(id)s AND user_id IS DISTINCT FROM %(asking)s::uuid
    UNION ALL SELECT 'invitation', tenant_id FROM invitations WHERE id = %(id)s
    UNION ALL SELECT 'group', tenant_id FROM groups WHERE id = %(id)s
"""


@dataclass(frozen=True, slots=True)
class Chain:
    """Whose a chain is; that of the server has no slug."""

    tenant: TenantId
    slug: str


@dataclass(frozen=True, slots=True)
class Owned:
    """Something, and whose it is."""

    kind: str
    tenant: TenantId


@dataclass(frozen=True, slots=True)
class ChainRows:
    """The chain of one organisation, or of the server."""

    db: Executor
    tenant: TenantId

    async def hold(self) -> Head:
        """The end of the chain, where nobody else appends before this transaction ends."""
        found = await self.db.one_or_none(Head, HOLD, tenant=self.tenant)
        if found is None:
            await self.db.execute(BEGIN, tenant=self.tenant)
            found = await self.db.one(Head, HOLD, tenant=self.tenant)
        return found

    async def add(self, entry: Entry, digest: bytes) -> None:
        values = {**asdict(entry), "details": Jsonb(dict(entry.details))}
        await self.db.execute(ADD, hash=digest, **values)

    async def head(self) -> Head:
        return await self.db.one_or_none(Head, HEAD, tenant=self.tenant) or Head()

    async def page(self, wanted: Filter, *, before: int | None, offset: int, limit: int) -> list[Stored]:
        """Events, newest first."""
        place = {"before": before, "offset": offset, "limit": limit}
        return await self.db.all(Stored, PAGE, **self._matching(wanted), **place)

    async def count(self, wanted: Filter) -> int:
        return int(await self.db.value(COUNT, **self._matching(wanted)))

    async def following(self, after: int, *, limit: int, wanted: Filter = EVERYTHING) -> list[Stored]:
        """Events after one of them, oldest first."""
        return await self.db.all(Stored, FOLLOWING, after=after, limit=limit, **self._matching(wanted))

    async def first_since(self, moment: datetime) -> int | None:
        found: int | None = await self.db.value(FIRST_SINCE, tenant=self.tenant, moment=moment)
        return found

    async def forget(self, upto: int) -> int:
        """Remove the events up to one of them. Needs a transaction of the gate."""
        return int(await self.db.value(FORGET, tenant=self.tenant, upto=upto))

    def _matching(self, wanted: Filter) -> Mapping[str, object]:
        return {"tenant": self.tenant, **asdict(wanted)}


@dataclass(frozen=True, slots=True)
class Chains:
    """All chains. Needs a transaction of the gate."""

    db: Executor

    async def after(self, last: TenantId | None, limit: int) -> list[Chain]:
        """The chains there are, in the order of their ids: some at a time."""
        return await self.db.all(Chain, CHAINS, after=last, limit=limit)

    async def of(self, slug: str) -> Chain | None:
        """That of an organisation, also if nothing has been written into it yet."""
        return await self.db.one_or_none(Chain, CHAIN_OF, slug=slug)


@dataclass(frozen=True, slots=True)
class Owners:
    """Whose something is that one organisation has asked for in vain."""

    db: Executor
    tenant: TenantId

    async def of_content(self, wanted: UUID) -> list[Owned]:
        """Documents, jobs, keys and collections with this id. Needs a transaction of an operator."""
        return await self.db.all(Owned, OWNERS_OF_CONTENT, id=wanted)

    async def of_people(self, wanted: UUID, asking: UUID | None) -> list[Owned]:
        """Organisations, people, sessions, invitations and groups, but not those of who asks. Needs one of the gate."""
        return await self.db.all(Owned, OWNERS_OF_PEOPLE, id=wanted, tenant=self.tenant, asking=asking)
