"""What a process holds while it lives: connections, the object store, the model."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from carrel.infra import models
from carrel.infra.blobs import Blobs
from carrel.infra.db import Database
from carrel.infra.db.migrate import migrate
from carrel.infra.models import AsyncEmbedder, Embedder
from carrel.infra.settings import Settings
from carrel.infra.shared_cache import SharedCache

LOW_DISK_BYTES = 100 * 2**20
log = structlog.get_logger("carrel")


@dataclass(frozen=True, slots=True)
class House:
    settings: Settings
    data_dir: Path
    database: Database
    blobs: Blobs
    cache: SharedCache

    async def database_check(self) -> str:
        await self.database.ping()
        return "ok"

    async def reads_check(self) -> str:
        await self.database.ping_reads()
        return "ok"

    async def disk_check(self) -> str:
        try:
            free = shutil.disk_usage(self.data_dir).free
        except OSError as error:
            return f"the data directory cannot be read: {error.strerror}"
        return "ok" if free >= LOW_DISK_BYTES else f"only {free // 2**20} MB are free in the data directory"

    async def cache_check(self) -> str:
        return await self.cache.state()


@asynccontextmanager
async def opened(settings: Settings, *, purpose: str) -> AsyncIterator[House]:
    """A house with its doors open: the schema is current, connections are made. All is closed at the end."""
    dsn = settings.database.url
    if dsn is None:
        raise RuntimeError("A process of the server needs DATABASE_URL; `carrel serve` gives it that of its own.")
    data_dir = settings.data_dir.expanduser().absolute()
    if applied := await migrate(dsn):
        log.info("migrated", first=applied[0].version, last=applied[-1].version)
    async with AsyncExitStack() as stack:
        database = Database.at(dsn, settings.database, purpose=purpose)
        await database.open()
        stack.push_async_callback(database.close)
        cache = SharedCache.of(settings.redis)
        stack.push_async_callback(cache.close)
        await cache.state()
        yield House(settings, data_dir, database, Blobs.at(settings.objects.object_store_url, data_dir), cache)


def load_model(settings: Settings, data_dir: Path) -> Embedder:
    """The embedding model, converted first where that has not been done. Blocks while it loads."""
    return models.load(
        models.resolve(settings.model.path, data_dir=data_dir),
        cache=models.cache_folder(data_dir),
        precision=settings.model.precision,
        threads=settings.model.threads,
        progress=lambda line: log.info("model", step=line),
    )


@dataclass(slots=True)
class LazyModel:
    """The model of a process that may never need it: loaded once, when first asked for."""

    settings: Settings
    data_dir: Path
    _loading: asyncio.Task[Embedder] | None = None
    _encoder: AsyncEmbedder | None = None

    async def get(self) -> AsyncEmbedder:
        if self._encoder is None:
            if self._loading is None or self._loading.done():
                self._loading = asyncio.create_task(asyncio.to_thread(load_model, self.settings, self.data_dir))
            return self._made(await asyncio.shield(self._loading))
        return self._encoder

    def _made(self, embedder: Embedder) -> AsyncEmbedder:
        # Whoever comes back first makes it; the others find it made.
        if self._encoder is None:
            self._encoder = AsyncEmbedder(embedder)
        return self._encoder

    def close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()
