"""What a search is made of, without HTTP and framework."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.server import Server
from carrel.core.access import EVERYTHING
from carrel.core.ids import TenantId
from carrel.entry.wiring import Tools
from carrel.index.schemas import Filters, Recipe
from carrel.index.service import Lookup
from carrel.infra import models
from carrel.infra.db import Database, Role
from carrel.infra.models import AsyncEmbedder, Embedder
from carrel.infra.postgres import read_dsn
from carrel.infra.settings import Settings
from carrel.search.service import DEPTH

HITS = 10


@dataclass(frozen=True, slots=True)
class Parts:
    """What a search is made of, without HTTP and framework: the model and the index, in this process."""

    embedder: Embedder
    database: Database
    tenant: TenantId
    recipe: Recipe

    @classmethod
    @asynccontextmanager
    async def of(cls, server: Server, cache: Path) -> AsyncIterator["Parts"]:
        """The parts of a running server: its database, and its model once more in this process."""
        settings = Settings()
        embedder = models.load(models.resolve(settings.model.path, data_dir=cache), cache=cache)
        database = Database.at(read_dsn(server.data_dir / "postgres"), settings.database, purpose="bench")
        await database.open()
        encoder = AsyncEmbedder(embedder)
        try:
            async with database.transaction(Role.GATE) as db:
                tenant = await db.value("SELECT id FROM organizations WHERE slug = 'default'")
            yield cls(embedder, database, TenantId(tenant), Tools(encoder).recipe)
        finally:
            encoder.close()
            await database.close()

    async def statements(self, text: str, vector: NDArray[np.float32]) -> None:
        """Ask both legs and read ten passages, in a transaction of its own as a request has it."""
        snapshot = self.database.snapshot(Role.APP, self.tenant)
        try:
            lookup = Lookup.of(snapshot, self.tenant, self.recipe, EVERYTHING)
            found = await lookup.candidates(text, vector, Filters(), depth=DEPTH)
            await lookup.passages(found.build, found.by_vector[:HITS])
            await snapshot.finish()
        finally:
            await snapshot.abandon()
