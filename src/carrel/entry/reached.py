"""What endpoints about documents are given: always as far as the caller reaches, and no further."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from carrel.auth.directory import Directory
from carrel.core.ids import TenantId
from carrel.documents.changing import Changes
from carrel.documents.collections import Collections
from carrel.documents.deposits import Deposits
from carrel.documents.placing import Places
from carrel.documents.service import Documents, Holdings, sight_of_jobs
from carrel.entry.house import House
from carrel.index.service import Chunks, Index
from carrel.infra.db import Transaction
from carrel.infra.web import Scope
from carrel.infra.web.scope import Provider
from carrel.jobs.following import Followers, Stream
from carrel.jobs.service import Queue, Registry
from carrel.tenants.service import Usage


class Rooms(Protocol):
    """Makes the queue of a tenant."""

    @property
    def tasks(self) -> Registry: ...
    def queue(self, db: Transaction, tenant: TenantId) -> Queue: ...


class Tools(Protocol):
    """Makes the index of a tenant."""

    def index(self, db: Transaction, tenant: TenantId) -> Index: ...


@dataclass(frozen=True, slots=True)
class Reached:
    """Makes what a request works with. The caller's `Access` enters the rooms here."""

    house: House
    rooms: Rooms
    tools: Tools
    followers: Followers

    def providers(self) -> Mapping[type, Provider]:
        """What an endpoint can ask for."""
        return {
            Queue: self.queue,
            Stream: self.stream,
            Documents: self.documents,
            Holdings: self.holdings,
            Changes: self._changes,
            Collections: self._collections,
            Chunks: lambda scope: Chunks.of(scope.db, scope.tenant, scope.caller.access),
        }

    def documents(self, scope: Scope) -> Documents:
        return Documents(scope.db, scope.tenant, scope.caller.access)

    def queue(self, scope: Scope) -> Queue:
        return replace(self.rooms.queue(scope.db, scope.tenant), sight=sight_of_jobs(scope.caller.access))

    def stream(self, scope: Scope) -> Stream:
        sight = sight_of_jobs(scope.caller.access)
        return Stream(scope.database, scope.tenant, self.rooms.tasks, sight, self.followers)

    def holdings(self, scope: Scope) -> Holdings:
        db, tenant, house = scope.db, scope.tenant, self.house
        return Holdings(
            db=db,
            tenant=tenant,
            store=Deposits(house.blobs, house.database, tenant, house.settings.objects.upload_max_bytes),
            # Sees all jobs: that of a document which is deleted is cancelled when the document is gone already.
            queue=self.rooms.queue(db, tenant),
            usage=Usage(db, tenant),
            shelf=self._index(scope),
            places=self._places(scope),
        )

    def _changes(self, scope: Scope) -> Changes:
        return Changes(self.documents(scope), self._places(scope), self._index(scope), scope.caller.subject)

    def _collections(self, scope: Scope) -> Collections:
        return Collections(scope.db, scope.tenant, self._places(scope), self._index(scope), scope.caller.subject)

    def _places(self, scope: Scope) -> Places:
        return Places(scope.db, scope.tenant, scope.caller.access, Directory(self.house.database, scope.tenant))

    def _index(self, scope: Scope) -> Index:
        return self.tools.index(scope.db, scope.tenant)
