"""The write river: a stored document becomes chunks with words and vectors. Nothing flows back."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from carrel.core.ids import TenantId
from carrel.core.language import detect
from carrel.documents.events import DocumentIndexed
from carrel.documents.schemas import Source
from carrel.documents.service import Documents
from carrel.index.schemas import ChunkWords, Entry, NewChunk
from carrel.index.service import Index, words_of
from carrel.infra.db import Transaction
from carrel.ingestion.chunking import Piece, Splitter
from carrel.ingestion.extraction.model import Extracted
from carrel.ingestion.sandbox import Sandbox
from carrel.jobs.service import Queue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TITLE_TOKENS = 48
"""At most so many tokens of a title go before each chunk; a longer one would crowd out the chunk itself."""

Report = Callable[[int, int], Coroutine[Any, Any, None]]


class Store(Protocol):
    """Where the bytes of documents are."""

    async def local_path(self, key: str) -> Path | None: ...
    async def get(self, key: str) -> AsyncIterator[bytes]: ...


class Encoder(Protocol):
    """Turns texts into vectors, each alone."""

    async def passages(
        self, texts: Sequence[str], *, on_progress: Callable[[int, int], None] | None = None
    ) -> "NDArray[np.float32]": ...


class Tokens(Protocol):
    """The model's own idea of words."""

    def starts(self, text: str) -> list[int]: ...


class Rooms(Protocol):
    """The rooms a document passes through, bound to one transaction and tenant."""

    def documents(self, db: Transaction, tenant: TenantId) -> Documents: ...
    def queue(self, db: Transaction, tenant: TenantId) -> Queue: ...


class Tools(Protocol):
    """The model, and the index that is made with it."""

    @property
    def tokens(self) -> Tokens: ...
    @property
    def encoder(self) -> Encoder: ...
    def index(self, db: Transaction, tenant: TenantId) -> Index: ...


@dataclass(frozen=True, slots=True)
class Cut:
    """A document in pieces, with the words of each; its vectors are still to come."""

    pieces: Sequence[Piece]
    languages: Sequence[str]
    words: Sequence[ChunkWords]
    passages: Sequence[str]
    """What is encoded: the title, then the text of the piece."""


@dataclass(frozen=True, slots=True)
class Ingestion:
    """Reads, cuts and embeds documents of any tenant. Holds no transaction while it works."""

    store: Store
    sandbox: Sandbox
    splitter: Splitter
    rooms: Rooms
    tools: Callable[[], Awaitable[Tools]]
    """Loads the model at the first call: a worker without work holds no model."""

    async def extract(self, source: Source) -> Extracted:
        """The text of a document, read in a process of its own. Raises a Problem that says why it cannot be read."""
        async with self._file(source.object_key) as path:
            return await self.sandbox.extract(path, filename=source.filename, declared_type=source.mime_type)

    async def cut(self, source: Source, extracted: Extracted) -> Cut:
        """Pieces with their words. Computed in a thread: a book must not hold up the heartbeat of other jobs."""
        tools = await self.tools()
        return await asyncio.to_thread(self._cut, tools.tokens, _title(source, extracted), extracted)

    async def embed(self, cut: Cut, report: Report) -> "NDArray[np.float32]":
        """The vectors of the pieces; `report` hears how far it is. What it raises ends the work."""
        telling: asyncio.Task[None] | None = None

        def tell(done: int, total: int) -> None:
            nonlocal telling
            if telling is not None and not telling.done():
                return  # the number before is still being written; the next is as good
            if telling is not None:
                telling.result()
            telling = asyncio.create_task(report(done, total))

        tools = await self.tools()
        try:
            vectors = await tools.encoder.passages(cut.passages, on_progress=tell)
            if telling is not None:
                await telling
            await report(len(vectors), len(vectors))
        finally:
            if telling is not None:
                telling.cancel()
        return vectors

    async def publish(
        self, db: Transaction, tenant: TenantId, source: Source, extracted: Extracted, chunks: Sequence[NewChunk]
    ) -> None:
        """Switch readers to this version: text, chunks and state together, or nothing of it."""
        tools = await self.tools()
        row = await self.rooms.documents(db, tenant).publish(
            source.document_id,
            source.version,
            text=extracted.text,
            doc_type=extracted.doc_type,
            mime_type=extracted.mime_type,
            language=extracted.language,
            chunk_count=len(chunks),
            title=extracted.title,
        )
        entry = Entry(
            document_id=row.id,
            version=source.version,
            title=row.title,
            external_id=row.external_id,
            filename=row.filename,
            doc_type=row.doc_type,
            language=row.language,
            tags=row.tags,
            size_bytes=row.size_bytes,
            created_at=row.created_at,
            collection_id=row.collection_id,
            readers=row.readers,
        )
        await tools.index(db, tenant).replace(entry, chunks)
        await self.rooms.queue(db, tenant).publish(DocumentIndexed(source.document_id, source.version))

    @asynccontextmanager
    async def _file(self, key: str) -> AsyncIterator[Path]:
        if (path := await self.store.local_path(key)) is not None:
            yield path
            return
        with tempfile.NamedTemporaryFile(prefix="carrel-") as copy:
            async for part in await self.store.get(key):
                copy.write(part)
            copy.flush()
            yield Path(copy.name)

    def _cut(self, tokens: Tokens, title: str, extracted: Extracted) -> Cut:
        text = extracted.text
        starts = tokens.starts(title)
        shown = title[: starts[TITLE_TOKENS]] if len(starts) > TITLE_TOKENS else title
        room = self.splitter.limit - min(len(starts), TITLE_TOKENS)
        splitter = Splitter(room, self.splitter.cap, self.splitter.overlap)
        starts = tokens.starts(text)
        pieces = splitter.split(text, starts, kind=extracted.kind, headings=extracted.headings, pages=extracted.pages)
        texts = [text[piece.start : piece.end] for piece in pieces]
        languages = [_language(one, extracted.language) for one in texts]
        words = [words_of(title, one, language) for one, language in zip(texts, languages, strict=True)]
        return Cut(pieces, languages, words, [f"{shown}\n{one}" if shown else one for one in texts])


def assemble(extracted: Extracted, cut: Cut, vectors: "NDArray[np.float32]") -> list[NewChunk]:
    """The chunks as the index takes them: each with its exact place, words and vector."""
    return [
        NewChunk(
            text=extracted.text[piece.start : piece.end],
            start=piece.start,
            end=piece.end,
            page=extracted.page_at(_first_read(extracted.text, piece)),
            heading_path=piece.heading_path,
            language=language,
            words=words,
            vector=vector,
        )
        for piece, language, words, vector in zip(cut.pieces, cut.languages, cut.words, vectors, strict=True)
    ]


def _first_read(text: str, piece: Piece) -> int:
    # A piece may begin with the blank lines at the end of the page before.
    return piece.end - len(text[piece.start : piece.end].lstrip())


def _title(source: Source, extracted: Extracted) -> str:
    # A title that was only made up from the first line would count those words three times.
    return source.title if source.title_given else extracted.title or ""


def _language(text: str, whole: str) -> str:
    """The language of a piece where it can be told, else that of the document."""
    found = detect(text)
    return whole if found == "und" else found
