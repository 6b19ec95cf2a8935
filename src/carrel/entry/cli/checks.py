"""What `carrel doctor` looks at. Nothing is created that was not there; a database that does not run is started."""

import asyncio
import os
import platform
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
import psycopg
from psycopg.types import TypeInfo

from carrel import __version__
from carrel.core.errors import Problem
from carrel.core.ids import uuid7
from carrel.entry.cli.database import is_created, joined
from carrel.entry.supervisor import LEAST_FREE_BYTES, prepare_folder, read_run_file
from carrel.infra import models
from carrel.infra.blobs import Blobs
from carrel.infra.db.migrate import OLDEST_POSTGRES, pending
from carrel.infra.models import layout
from carrel.infra.models.files import sha256_of
from carrel.infra.settings import Settings
from carrel.infra.shared_cache import SharedCache
from carrel.infra.telemetry import logs

COMFORTABLE_BYTES = 1024 * 2**20
PROBE = "doctor"
PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. What to do stands behind what is wrong."""

    level: Literal["ok", "warning", "error"]
    subject: str
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at one thing after the other. A failure of one keeps nothing from being looked at."""
    # What the parts have to say goes into the findings.
    logs.configure("critical", process="doctor")
    checks: Mapping[str, Callable[[Settings], Finding]] = {
        "data directory": data_directory,
        "object store": object_store,
        "model": model,
        "database": database,
        "Redis": redis,
        "mail": mail,
        "server": server,
    }
    yield Finding("ok", "version", f"Carrel {__version__}")
    yield Finding("ok", "Python", platform.python_version())
    for subject, check in checks.items():
        try:
            yield check(settings)
        except Problem as problem:
            yield Finding("error", subject, f"{problem.detail} {problem.hint or ''}")


def data_directory(settings: Settings) -> Finding:
    folder = _folder(settings)
    if not folder.exists():
        return _future_folder(folder)
    prepare_folder(folder)
    free = shutil.disk_usage(folder).free
    if free < COMFORTABLE_BYTES:
        return Finding(
            "warning", "data directory", f"{folder} is writable, but only {free // 2**20} MB are free. Free some space."
        )
    return Finding("ok", "data directory", f"{folder} is writable, {free / 2**30:.1f} GB are free")


def _future_folder(folder: Path) -> Finding:
    parent = next(parent for parent in folder.parents if parent.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        return Finding(
            "error",
            "data directory",
            f"{folder} is not there and cannot be made in {parent}. "
            "Give this user the right to write there, or set DATA_DIR to another folder.",
        )
    if (free := shutil.disk_usage(parent).free) < LEAST_FREE_BYTES:
        return Finding("error", "data directory", f"Only {free // 2**20} MB are free in {parent}. Free some space.")
    return Finding("ok", "data directory", f"{folder} is not there yet; the first start makes it")


def object_store(settings: Settings) -> Finding:
    """Written to and read back, because that is what it must allow."""
    url, folder = settings.objects.object_store_url, _folder(settings)
    if url is None and not folder.exists():
        return Finding("ok", "object store", "the folder objects in the data directory; the first start makes it")
    asyncio.run(_try_out(Blobs.at(url, folder)))
    place = "the folder objects in the data directory" if url is None else "OBJECT_STORE_URL"
    return Finding("ok", "object store", f"{place} takes objects and gives them back")


async def _try_out(blobs: Blobs) -> None:
    key = f"{PROBE}/{uuid7()}"
    await blobs.put(key, _once(b"probe"), limit=None)
    try:
        await blobs.read(key, limit=100)
    finally:
        await blobs.delete(key)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def model(settings: Settings) -> Finding:
    data_dir = _folder(settings)
    folder = models.resolve(settings.model.path, data_dir=data_dir)
    found = layout.read(folder)
    identity = found.identity(sha256_of(found.weights))
    made = models.cache_folder(data_dir).glob(f"{identity}-{settings.model.precision}*.onnx")
    if found.exported or any(made):
        return Finding("ok", "model", f"{folder}, ready to run")
    return Finding("warning", "model", f"{folder}, not converted yet. The first start does that within some seconds.")


def database(settings: Settings) -> Finding:
    if not is_created(settings):
        return Finding("warning", "database", "There is none yet. `carrel serve` or `carrel migrate` creates it.")
    with joined(settings) as dsn:
        return asyncio.run(_ask_database(dsn))


async def _ask_database(dsn: str) -> Finding:
    missing = await pending(dsn)
    async with await psycopg.AsyncConnection.connect(dsn, connect_timeout=5) as connection:
        version, has_vectors = connection.info.server_version, await TypeInfo.fetch(connection, "vector") is not None
    if version < OLDEST_POSTGRES * 10_000:
        return Finding(
            "error", "database", f"PostgreSQL {version // 10_000} is too old. Use {OLDEST_POSTGRES} or newer."
        )
    name = f"PostgreSQL {version // 10_000}.{version % 10_000}"
    if missing:
        return Finding(
            "warning",
            "database",
            f"{name} lacks {len(missing)} migrations. `carrel migrate` or the next start adds them.",
        )
    if not has_vectors:
        return Finding(
            "error", "database", f"{name} has lost pgvector. Run CREATE EXTENSION vector in it, or restore it."
        )
    return Finding("ok", "database", f"{name} with pgvector, schema up to date")


def redis(settings: Settings) -> Finding:
    if settings.redis.url is None:
        return Finding("ok", "Redis", "off; cache and rate limits live in the memory of each process")
    if asyncio.run(_ask_redis(settings)) == "ok":
        return Finding("ok", "Redis", "answers")
    return Finding(
        "warning", "Redis", "does not answer; Carrel runs without it. Start it, or correct or unset REDIS_URL."
    )


def mail(settings: Settings) -> Finding:
    if settings.mail.host is not None:
        return Finding("ok", "mail", f"goes to {settings.mail.host}, port {settings.mail.port}")
    if settings.environment != "production":
        return Finding("ok", "mail", "off; links for people are written to the log")
    if settings.accounts.registration == "closed":
        return Finding("ok", "mail", "off; nobody can ask for a new password")
    return Finding("warning", "mail", "off, so nobody can register or be invited. Set SMTP_HOST and MAIL_FROM.")


async def _ask_redis(settings: Settings) -> str:
    cache = SharedCache.of(settings.redis)
    try:
        return await cache.state()
    finally:
        await cache.close()


def server(settings: Settings) -> Finding:
    running = read_run_file(_folder(settings))
    if running is None:
        return Finding("warning", "server", "does not run. Start it with `carrel serve`.")
    try:
        answer = httpx.get(f"{running.url}/health/ready", timeout=PATIENCE, trust_env=False)
    except httpx.TransportError:
        return _silent(running.pid, running.url)
    if answer.status_code == 200:
        return Finding("ok", "server", f"process {running.pid} is ready at {running.url}")
    return Finding(
        "error", "server", f"process {running.pid} is not ready: {_unwell(answer.json())}. Look into its log."
    )


def _silent(pid: int, url: str) -> Finding:
    if Path(f"/proc/{pid}").exists():
        return Finding("error", "server", f"process {pid} does not answer at {url}. Stop it and start it again.")
    return Finding("warning", "server", f"process {pid} ended without a goodbye. Start it again with `carrel serve`.")


def _unwell(told: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {said}" for name, said in told.get("checks", {}).items() if said != "ok")


def _folder(settings: Settings) -> Path:
    return settings.data_dir.expanduser().absolute()
