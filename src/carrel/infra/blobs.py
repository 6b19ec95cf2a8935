"""The object store: the bytes of documents, in a folder or in somebody's cloud. Nothing is ever overwritten."""

import asyncio
import errno
import hashlib
import os
import re
import secrets
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import unquote, urlsplit

import anyio
import obstore
import structlog
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from carrel.core.clock import now
from carrel.core.errors import Problem
from carrel.infra.db.errors import StorageFull

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import ObjectStore

T = TypeVar("T")

INCOMING = ".incoming"
KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
KEY_LENGTH = 512
QUERY = re.compile(r"\?\S*")
MEBIBYTE = 2**20
ONE_REQUEST = 8 * MEBIBYTE  # up to this size an object is sent to a cloud at once, above in parts of this size
PARTS_AT_A_TIME = 2
ABANDONED = timedelta(hours=24)
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
CLIENT = {
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": timedelta(seconds=30),
    "timeout": timedelta(seconds=300),
    # Clouds are spoken to by https; http is only used when the operator names such an address, as for a local MinIO.
    "allow_http": True,
}

log = structlog.get_logger("carrel.blobs")


class ObjectNotFound(Problem):
    """The bytes are not in the object store: their document was deleted meanwhile, or they were lost."""

    code, title, status = "object-not-found", "The stored bytes are not there", 404


class ObjectExists(Problem):
    """Something is stored under this key already; it was left as it is."""

    code, title, status = "object-exists", "The object exists already", 409


class ObjectStoreUnavailable(Problem):
    """The object store did not do what it was asked. Nothing was stored."""

    code, title, status = "object-store-unavailable", "The object store does not answer", 503


class ObjectStoreMisconfigured(Problem):
    """OBJECT_STORE_URL names something that cannot be used."""

    code, title, status = "object-store-misconfigured", "The object store cannot be used as it is", 503


@dataclass(frozen=True, slots=True)
class Stored:
    """What was received: the number of bytes and their SHA-256 in hexadecimal digits."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as a listing shows it."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Blobs:
    """Objects by key. Keys are ours (`<tenant>/<document>/<version>`), never a caller's words.

    What arrives is received into `incoming` first, so a client that goes away costs the store nothing.
    """

    store: "ObjectStore"
    incoming: Path
    root: Path | None = None
    """The folder of a local store; objects are plain files in it."""

    @classmethod
    def at(cls, url: str | None, data_dir: Path) -> Self:
        """The store that OBJECT_STORE_URL names; the folder `objects` in `data_dir` when it names none.

        Raises `ObjectStoreMisconfigured`. The credentials of a cloud come from its own environment variables.
        """
        scheme = urlsplit(url or "").scheme
        try:
            if not url or scheme == "file":
                root = _folder_of(url) if url else data_dir.absolute() / "objects"
                root.mkdir(mode=0o700, parents=True, exist_ok=True)
                _sync_folder(root.parent)
                return cls(LocalStore(root, automatic_cleanup=True), root / INCOMING, root)
            if scheme in {"s3", "gs", "az"}:
                return cls(_cloud(url, scheme), data_dir.absolute() / "incoming")
        except (OSError, ValueError, BaseError) as error:
            raise ObjectStoreMisconfigured(
                f"The object store cannot be opened: {_first_line(error)}",
                hint="Check OBJECT_STORE_URL, that its folder may be written to, and the credentials of the cloud.",
            ) from error
        raise ObjectStoreMisconfigured(
            f"OBJECT_STORE_URL begins with `{scheme}:`, which is no object store that is known here.",
            hint="Use file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix.",
        )

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, limit: int | None) -> Stored:
        """Store what `chunks` bring, holding little of it in memory, and return what it was.

        When this returns, the bytes are durable. When it fails or is cancelled, nothing is left behind. Raises
        `TooLarge` as soon as there is more than `limit`, `StorageFull`, `ObjectExists` or `ObjectStoreUnavailable`;
        what `chunks` raises comes through.
        """
        _require_key(key)
        arrival = _Arrival(self.incoming)
        try:
            await _receive(arrival, chunks, limit)
            await self._keep(arrival, key)
            await _step(arrival.close)
        except BaseException:
            await _to_its_end(self._undo(arrival, key))
            raise
        return Stored(arrival.size, arrival.sha256)

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of an object, in pieces. Raises `ObjectNotFound` before the first piece, not later."""
        return _pieces(await self._open(key))

    async def read(self, key: str, limit: int) -> bytes:
        """All bytes of an object at once. Raises `ObjectNotFound`, and `TooLarge` when there are more than `limit`."""
        found = await self._open(key)
        if found.meta["size"] > limit:
            raise _too_large(limit)
        with _in_words():
            return bytes(await found.bytes_async())

    async def local_path(self, key: str) -> Path | None:
        """Where the object lies as a file; None when this store is no folder. Raises `ObjectNotFound`."""
        _require_key(key)
        if self.root is None:
            return None
        path = self.root / key
        if not await asyncio.to_thread(path.is_file):
            raise _not_found()
        return path

    async def delete(self, key: str) -> None:
        """Remove an object. It is no fault when there is none."""
        _require_key(key)
        await self._remove(key)

    async def list(self, prefix: str = "") -> AsyncIterator[Entry]:
        """The objects below a prefix of whole segments, such as `<tenant>/<document>`; all of them without one."""
        if prefix:
            _require_key(prefix)
        async for entry in self._entries(prefix):
            if not entry.key.startswith(f"{INCOMING}/"):
                yield entry

    async def sweep(self, older_than: timedelta = ABANDONED) -> int:
        """Remove what was on its way in when a process was killed, and return how many pieces there were."""
        before = now() - older_than
        swept = await _step(_sweep_folder, self.incoming, before)
        if self.root is None:
            async for entry in self._entries(INCOMING):
                if entry.modified < before:
                    await self._remove(entry.key)
                    swept += 1
        return swept

    async def _open(self, key: str) -> "GetResult":
        _require_key(key)
        with _in_words():
            try:
                return await obstore.get_async(self.store, key)
            except FileNotFoundError as error:
                raise _not_found() from error

    async def _entries(self, prefix: str) -> AsyncIterator[Entry]:
        with _in_words():
            async for batch in obstore.list(self.store, prefix or None, chunk_size=1000):
                for found in batch:
                    yield Entry(found["path"], found["size"], found["last_modified"])

    async def _remove(self, key: str) -> None:
        try:
            await obstore.delete_async(self.store, key)
        except FileNotFoundError:
            return
        except BaseError as error:
            raise _unavailable(error) from error

    async def _keep(self, arrival: "_Arrival", key: str) -> None:
        if self.root is not None:
            await _step(arrival.link, self.root, key)
            return
        # Not given up half-way when we are cancelled: only a request that has ended tells what there is to undo.
        upload = asyncio.ensure_future(self._upload(arrival, key))
        try:
            await asyncio.shield(upload)
        except asyncio.CancelledError:
            await _to_its_end(asyncio.wait([upload]))
            raise

    async def _upload(self, arrival: "_Arrival", key: str) -> None:
        with _in_words():
            if arrival.size <= ONE_REQUEST:
                await obstore.put_async(self.store, key, arrival.path, mode="create", use_multipart=False)
            else:
                await self._upload_in_parts(arrival, key)
        arrival.uploaded = True

    async def _upload_in_parts(self, arrival: "_Arrival", key: str) -> None:
        # Parts cannot be joined under the condition that the key is free; a copy within the store can be made so.
        passage = f"{INCOMING}/{arrival.path.name}"
        try:
            await obstore.put_async(
                self.store, passage, arrival.path, chunk_size=ONE_REQUEST, max_concurrency=PARTS_AT_A_TIME
            )
            await obstore.copy_async(self.store, passage, key, overwrite=False)
        finally:
            await self._remove(passage)

    async def _undo(self, arrival: "_Arrival", key: str) -> None:
        await asyncio.to_thread(arrival.discard)
        if arrival.uploaded:
            await self._remove(key)


class _Arrival:
    """A file on its way in. Steps run in threads; each waits for the one before, which a cancelled task leaves running.

    Written by ourselves, because the local store of obstore does not fsync: after a power cut its newest files may
    be empty, although their rows are committed.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / secrets.token_hex(16)
        self.size, self.uploaded = 0, False
        self._digest = hashlib.sha256()
        self._linked: Path | None = None
        self._descriptor: int | None = None
        self._given_up = False
        self._lock = threading.Lock()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def open(self) -> None:
        with self._lock:
            self._require_wanted()
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, piece: bytes) -> None:
        with self._lock:
            self._require_wanted()
            self._digest.update(piece)
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(self._opened(), rest) :]
            self.size += len(piece)

    def link(self, root: Path, key: str) -> None:
        """Give the file its name, unless something has it, and make file and name durable."""
        with self._lock:
            self._require_wanted()
            os.fsync(self._opened())
            final = root / key
            _link(self.path, final)
            self._linked = final
            for folder in (final.parent, *final.parent.parents):
                _sync_folder(folder)
                if folder == root:
                    break

    def close(self) -> None:
        with self._lock:
            self._clear()

    def discard(self) -> None:
        """Leave nothing behind, and do nothing more."""
        with self._lock:
            self._given_up = True
            self._clear()
            if self._linked is not None:
                self._linked.unlink(missing_ok=True)

    def _clear(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self.path.unlink(missing_ok=True)

    def _opened(self) -> int:
        if self._descriptor is None:
            raise RuntimeError("The arriving file was closed before it was complete.")
        return self._descriptor

    def _require_wanted(self) -> None:
        if self._given_up:
            raise RuntimeError("The arriving file was given up.")


async def _step(work: Callable[..., T], *arguments: object) -> T:
    with _in_words():
        return await asyncio.to_thread(work, *arguments)


async def _to_its_end(work: Awaitable[object]) -> None:
    """Wait for work that must not be left half done; a second cancellation ends the waiting, not the work."""
    with anyio.CancelScope(shield=True):
        await asyncio.shield(asyncio.ensure_future(work))


async def _receive(arrival: _Arrival, chunks: AsyncIterator[bytes], limit: int | None) -> None:
    await _step(arrival.open)
    async with aclosing(_gathered(chunks)) as pieces:
        async for piece in pieces:
            if limit is not None and arrival.size + len(piece) > limit:
                raise _too_large(limit)
            await _step(arrival.write, piece)


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    # A thread per network packet would cost more than the writing.
    waiting = bytearray()
    async for chunk in chunks:
        if not waiting and len(chunk) >= MEBIBYTE:
            yield chunk
            continue
        waiting += chunk
        if len(waiting) >= MEBIBYTE:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


async def _pieces(found: "GetResult") -> AsyncIterator[bytes]:
    with _in_words():
        async for piece in found.stream(min_chunk_size=MEBIBYTE):
            yield bytes(piece)


def _link(source: Path, final: Path) -> None:
    for attempt in range(10):
        try:
            final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A link fails when the name is taken, where a rename would overwrite.
            os.link(source, final)
        except FileNotFoundError:
            # Someone deleted the last object of that folder, and with it the folder.
            if attempt == 9:
                raise
        else:
            return


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep_folder(folder: Path, before: datetime) -> int:
    if not folder.is_dir():
        return 0
    abandoned = [path for path in folder.iterdir() if path.stat().st_mtime < before.timestamp()]
    for path in abandoned:
        path.unlink(missing_ok=True)
    return len(abandoned)


def _folder_of(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc or not parts.path.startswith("/"):
        raise ValueError("a folder is written as file:///folder, with three slashes.")
    return Path(unquote(parts.path))


def _cloud(url: str, scheme: str) -> "ObjectStore":
    # S3 itself has no conditional copy; completing a multipart upload under a condition does the same.
    extra = {"copy_if_not_exists": "multipart"} if scheme == "s3" else {}
    retries = {"max_retries": 3, "retry_timeout": timedelta(seconds=60)}
    return from_url(url, client_options=CLIENT, retry_config=retries, **extra)  # type: ignore[call-overload,no-any-return]


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn failures of the disk and of the store into Problems."""
    try:
        yield
    except (FileExistsError, AlreadyExistsError) as error:
        raise ObjectExists("Something is stored under this key already.", hint="Store it as a new version.") from error
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull(
                "The object store has no space left.", hint="Free some space and send it again; nothing was stored."
            ) from error
        raise _unavailable(error) from error
    except BaseError as error:
        raise _unavailable(error) from error


def _require_key(key: str) -> None:
    if len(key) > KEY_LENGTH or not KEY.fullmatch(key):
        raise ValueError("An object key is made of plain names and slashes, and begins with neither dot nor slash.")


def _not_found() -> ObjectNotFound:
    return ObjectNotFound("The stored bytes are not there.", hint="Send the document again if it should exist.")


def _unavailable(error: Exception) -> ObjectStoreUnavailable:
    # The query of an address may be a signature, which is a secret.
    log.warning("object store failed", error=QUERY.sub("?", _first_line(error)))
    return ObjectStoreUnavailable(
        "The object store does not answer as it should.",
        hint="Try again in a few seconds. An operator finds the reason in the log.",
        retry_after=2,
    )


def _too_large(limit: int) -> Problem:
    # The web kit costs a worker that answers nobody some start-up time, and this is rare.
    from carrel.infra.web.errors import TooLarge

    return TooLarge(
        f"There are more than {limit:,} bytes.",
        hint="Send less, or raise UPLOAD_MAX_BYTES.",
        limit_bytes=limit,
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
