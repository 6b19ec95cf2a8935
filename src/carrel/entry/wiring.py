"""Who is given what, and which job listens to which event. The one place where rooms are put together."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta

from carrel.admin.billing import Billing
from carrel.admin.erasing import Erasing
from carrel.admin.service import Operation
from carrel.admin.tasks import erase
from carrel.auth.account import Accounts, person_of
from carrel.auth.audit import SERVER
from carrel.auth.audit_reading import AuditCheck, AuditExport, AuditLog, ServerLog
from carrel.auth.audit_sampling import Sampler
from carrel.auth.desk import Desk
from carrel.auth.domains import AllDomains, Domains, Verification
from carrel.auth.entrance import Entrance
from carrel.auth.factors import Factors
from carrel.auth.groups import Groups
from carrel.auth.holders import holder_behind
from carrel.auth.members import AfterCommit, Invitations, Members
from carrel.auth.people import People
from carrel.auth.service import Keys
from carrel.auth.signing import Ring
from carrel.auth.tenant_tokens import NOTED, Notes, TenantTokens
from carrel.core.access import EVERYTHING
from carrel.core.clock import now
from carrel.core.ids import JobId, TenantId
from carrel.documents.events import DocumentAccepted, DocumentDeleted
from carrel.documents.service import Documents
from carrel.documents.tasks import discard
from carrel.entry.house import House, LazyModel
from carrel.entry.reached import Reached
from carrel.index.analysis import ANALYSER
from carrel.index.schemas import Recipe
from carrel.index.service import Index, Lookup, numbers
from carrel.infra.blobs import Blobs
from carrel.infra.db import Role, Transaction
from carrel.infra.dns import Resolver, servers_of
from carrel.infra.models import AsyncEmbedder, Tokenizer
from carrel.infra.web import Scope
from carrel.infra.web.scope import OPERATOR, Provider, require
from carrel.ingestion.chunking import Splitter
from carrel.ingestion.sandbox import Sandbox
from carrel.ingestion.service import Ingestion
from carrel.ingestion.tasks import ingest
from carrel.jobs.following import Followers
from carrel.jobs.service import Job, Queue, Registry
from carrel.ops.service import Health, Overview
from carrel.search.service import Search
from carrel.tenants.branding import Brandings, OwnBranding
from carrel.tenants.service import Home, Usage, UsageReports
from carrel.tenants.stock import Allowance, SearchStock

SPLITTER = Splitter()
TASKS = [ingest, discard, erase]
LISTENERS = {
    DocumentAccepted: [ingest],
    DocumentDeleted: [discard],
}


ERASE_AFTER = timedelta(seconds=5)
"""By then no process takes the credentials of a disabled organisation any more."""


def registry(max_attempts: int) -> Registry:
    return Registry(TASKS, LISTENERS, max_attempts=max_attempts)


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms a document passes through, for one transaction and tenant. Whoever works there sees all documents."""

    tasks: Registry

    def documents(self, db: Transaction, tenant: TenantId) -> Documents:
        return Documents(db, tenant, EVERYTHING)

    def queue(self, db: Transaction, tenant: TenantId) -> Queue:
        return Queue(db, tenant, self.tasks)


@dataclass(frozen=True, slots=True)
class Tools:
    """The model, and the index that is made with it."""

    encoder: AsyncEmbedder

    @property
    def tokens(self) -> Tokenizer:
        return self.encoder.embedder.tokenizer

    @property
    def recipe(self) -> Recipe:
        model = self.encoder.embedder
        return Recipe(SPLITTER.identifier, ANALYSER, model.model, model.dimension)

    def index(self, db: Transaction, tenant: TenantId) -> Index:
        return Index.of(db, tenant, self.recipe)


def for_requests(house: House, encoder: AsyncEmbedder, desk: Desk, searches: SearchStock) -> Mapping[type, Provider]:
    """What an endpoint can ask for with `provided(...)`."""
    rooms, tools = Rooms(registry(house.settings.jobs.max_attempts)), Tools(encoder)
    reached = Reached(house, rooms, tools, Followers())
    health = Health(
        needed={"database": house.database_check, "disk": house.disk_check},
        wanted={"cache": house.cache_check, "vector_index": house.reads_check},
    )

    def overview(scope: Scope) -> Overview:
        db, tenant, access = scope.db, scope.tenant, scope.caller.access

        async def jobs() -> Mapping[str, int]:
            return asdict(await reached.queue(scope).counts())

        async def storage() -> int:
            return (
                await reached.documents(scope).size()
                if access.is_limited
                else (await Usage(db, tenant).current()).storage_bytes
            )

        return Overview(
            documents=reached.documents(scope),
            storage=storage,
            index=lambda: numbers(db, tenant, access),
            jobs=jobs,
            redis=house.cache_check,
        )

    return {
        Health: lambda scope: health,
        Overview: overview,
        **for_keys(desk.ring),
        **for_people(desk),
        **for_auditors(),
        **for_organizations(rooms, searches),
        **for_domains(house),
        **reached.providers(),
        Search: lambda scope: Search(
            Lookup.of(scope.snapshot, scope.tenant, tools.recipe, scope.caller.access),
            encoder,
            Allowance(searches, scope.tenant),
        ),
    }


def for_organizations(rooms: Rooms, searches: SearchStock) -> Mapping[type, Provider]:
    """What endpoints about organisations ask for: one's own in the usual unit of work, all of them in an operator's."""

    def operation(scope: Scope) -> Operation:
        db = scope.operator

        async def begin(home: TenantId, organization: TenantId) -> JobId:
            return await rooms.queue(db, home).enqueue(
                erase, run_at=now() + ERASE_AFTER, unique=f"erase:{organization}", organization=organization
            )

        return Operation(db, scope.caller, begin, searches.unused)

    def billing(scope: Scope) -> Billing:
        require(scope.caller, OPERATOR)
        return Billing(scope.database)

    return {
        Home: lambda scope: Home(scope.db, scope.tenant),
        UsageReports: lambda scope: UsageReports(scope.db, scope.tenant, searches.unused),
        Operation: operation,
        Billing: billing,
    }


def for_domains(house: House) -> Mapping[type, Provider]:
    """What endpoints for names and looks of organisations ask for."""
    own, resolver = house.settings.own_hosts, Resolver(servers_of(house.settings.domains.dns_servers))
    return {
        Domains: lambda scope: Domains(scope.gate, scope.tenant, scope.caller.subject, own),
        AllDomains: lambda scope: AllDomains(scope.gate, scope.caller.subject, own),
        Verification: lambda scope: Verification(
            scope.database, scope.tenant, scope.caller.subject, own, resolver.texts
        ),
        OwnBranding: lambda scope: OwnBranding(scope.db, scope.tenant),
        Brandings: lambda scope: Brandings(scope.database),
    }


def for_keys(ring: Ring) -> Mapping[type, Provider]:
    """What endpoints for API keys and the tokens made from them ask for."""
    noted = Sampler(most=NOTED)

    def tokens(scope: Scope) -> TenantTokens:
        holder = holder_behind(scope.caller)
        return TenantTokens(ring, holder, Notes(scope.db, noted))

    return {
        Keys: lambda scope: Keys(scope.db, scope.caller),
        TenantTokens: tokens,
    }


def for_people(desk: Desk) -> Mapping[type, Provider]:
    """What endpoints for people ask for: they see beyond one organisation, so their unit of work is the gate's."""

    def invitations(scope: Scope) -> Invitations:
        def after_commit(action: AfterCommit) -> None:
            scope.after_commit = action

        return Invitations(scope.gate, desk, scope.caller, after_commit)

    return {
        Ring: lambda scope: desk.ring,
        Entrance: lambda scope: Entrance(desk),
        Accounts: lambda scope: Accounts(scope.gate, desk, person_of(scope.caller)),
        Groups: lambda scope: Groups(scope.gate, scope.tenant, scope.caller.subject),
        Members: lambda scope: Members(scope.gate, desk, scope.caller),
        Invitations: invitations,
        Factors: lambda scope: Factors(scope.gate, desk, person_of(scope.caller)),
        People: lambda scope: People(scope.gate, scope.caller.subject),
    }


def for_auditors() -> Mapping[type, Provider]:
    """What endpoints of the audit log ask for."""

    def export(scope: Scope) -> AuditExport:
        database, tenant = scope.database, scope.tenant
        return AuditExport(lambda: database.transaction(Role.APP, tenant), tenant)

    return {
        AuditLog: lambda scope: AuditLog(scope.db, scope.tenant),
        AuditCheck: lambda scope: AuditCheck(scope.snapshot, scope.tenant),
        AuditExport: export,
        ServerLog: lambda scope: ServerLog(scope.gate, SERVER),
    }


def for_jobs(house: House, model: LazyModel, sandbox: Sandbox) -> Mapping[type, Callable[[Job], object]]:
    """What a task can ask for with `job.provide(...)`."""
    rooms = Rooms(registry(house.settings.jobs.max_attempts))

    async def tools() -> Tools:
        return Tools(await model.get())

    ingestion = Ingestion(house.blobs, sandbox, SPLITTER, rooms, tools)
    erasing = Erasing(house.database, house.blobs, house.cache, rooms.queue)
    return {Ingestion: lambda job: ingestion, Blobs: lambda job: house.blobs, Erasing: lambda job: erasing}
