"""Documents are read in child processes that can be killed.

Several readers were seen to hang on files of a megabyte, and a hung C call cannot be interrupted in a thread.
So each document is read under limits of time and memory, by a process that has no files and no network.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter

from carrel.core.errors import Problem
from carrel.ingestion import wire
from carrel.ingestion.extraction import Extracted
from carrel.ingestion.extraction.errors import READING, ExtractionCrashed, ExtractionMemory, ExtractionTimeout

PROGRAM = ("-m", "carrel.ingestion.child")

_BLOCK = 1 << 18
_START = 60.0
_LAST_WORDS = 5.0
_SMALLER = "Split it into smaller documents, or send its text."


class Sandbox:
    """Reads documents in up to `size` child processes, started when first needed and used again.

    A child is killed and replaced when it overruns, crashes, runs out of memory or has read `recycle` documents,
    and when a call is cancelled. When this process dies, however it dies, no child survives it (on Linux). Belongs
    to the event loop of its first call, in the thread that lives longest: a child dies with the thread.
    """

    def __init__(
        self,
        *,
        wall: float = 30.0,
        cpu: int = 30,
        memory: int = 512 * 2**20,
        size: int = 1,
        recycle: int = 200,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self._wall, self._cpu, self._memory, self._size, self._recycle = wall, cpu, memory, size, recycle
        self._program = program
        self._slots = asyncio.Semaphore(size)
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._dying: set[asyncio.Task[object]] = set()
        self._closed = False

    async def extract(self, path: Path, *, filename: str | None, declared_type: str | None) -> Extracted:
        """What `extraction.extract` says about the bytes of a file, or its `Problem`.

        Raises `ExtractionTimeout`, `ExtractionMemory` or `ExtractionCrashed` when the document breaks its reader;
        no other document is touched by that. Waiting for a free child does not count as time.
        """
        async with self._slots:
            with await asyncio.to_thread(path.open, "rb") as file:
                child = await self._take()
                answer: Extracted | Problem | None = None
                try:
                    answer = await self._ask(child, file, {"filename": filename, "declared_type": declared_type})
                finally:
                    self._put_back(child, sound=answer is not None and not isinstance(answer, _BROKEN))
        if isinstance(answer, Problem):
            raise answer
        return answer

    async def close(self) -> None:
        """Kill every child and wait until all are gone. Calls that still run fail with `RuntimeError`."""
        if self._closed:
            return
        self._closed = True
        for child in self._busy:
            child.kill()
        while self._idle:
            self._bury(self._idle.pop())
        for _ in range(self._size):
            await self._slots.acquire()
        self._slots.release()  # a later call comes as far as being refused
        await asyncio.gather(*self._dying)

    async def _ask(self, child: "_Child", file: BinaryIO, about: wire.Header) -> Extracted | Problem:
        try:
            async with asyncio.timeout(self._wall):
                header, text = await child.ask(file, about, most=self._memory)
            return self._understand(header, text)
        except TimeoutError:
            return ExtractionTimeout(f"Reading the document took longer than {self._wall:g} s.", hint=_SMALLER)
        except (EOFError, ConnectionError):
            return self._why(await child.last_words())
        except ValueError:
            return _crashed("an answer that makes no sense")

    async def _take(self) -> "_Child":
        if self._closed:
            raise RuntimeError("The sandbox is closed.")
        child = self._idle.pop() if self._idle else await self._start()
        self._busy.add(child)
        return child

    async def _start(self) -> "_Child":
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", "-P", *self._program, str(self._memory), str(self._cpu), str(os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            # Nothing of our own environment, which holds secrets; only where to find the same modules.
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"},
            cwd="/",
            start_new_session=True,
        )
        child = _Child(process)
        ready = False
        try:
            ready = await child.is_ready()
        finally:
            if not ready or self._closed:
                self._bury(child)
        if not ready or self._closed:
            raise RuntimeError("The sandbox is closed." if self._closed else "The reading process did not start.")
        return child

    def _put_back(self, child: "_Child", *, sound: bool) -> None:
        self._busy.discard(child)
        if sound and child.served < self._recycle and not self._closed:
            self._idle.append(child)
        else:
            self._bury(child)

    def _bury(self, child: "_Child") -> None:
        child.kill()
        # Not waited for here: the caller may be cancelled, and a killed process needs nobody to die.
        task: asyncio.Task[object] = asyncio.create_task(child.drain())
        self._dying.add(task)
        task.add_done_callback(self._dying.discard)

    def _understand(self, header: Mapping[str, object], text: str) -> Extracted | Problem:
        match header:
            case {"extracted": {**found}}:
                return _checked(_EXTRACTED.validate_python({**found, "text": text}))
            case {"problem": {"code": str(code), **said}} if code in _READING:
                refusal = _REFUSAL.validate_python(said)
                return _READING[code](refusal.detail, hint=refusal.hint, **refusal.facts)
            case {"out_of_memory": True}:
                megabytes = self._memory // 2**20
                return ExtractionMemory(f"Reading the document needs more than {megabytes} MiB.", hint=_SMALLER)
            case {"failure": str(reason)}:
                return _crashed(reason)
        raise ValueError("no known answer")

    def _why(self, code: int | None) -> Problem:
        if self._closed:
            raise RuntimeError("The sandbox was closed while it read a document.")
        if code == -signal.SIGXCPU:
            detail = f"Reading the document took more than {self._cpu} s of processor time."
            return ExtractionTimeout(detail, hint=_SMALLER)
        return _crashed(signal.Signals(-code).name if code and code < 0 else f"exit code {code}")


@dataclass(frozen=True, slots=True)
class _Refusal:
    detail: str
    hint: str | None
    facts: dict[str, str]


_BROKEN = (ExtractionTimeout, ExtractionMemory, ExtractionCrashed)
_READING = {problem.code: problem for problem in READING}
_EXTRACTED = TypeAdapter(Extracted)
_REFUSAL = TypeAdapter(_Refusal)
_HEADER = TypeAdapter(dict[str, object])


def _checked(found: Extracted) -> Extracted:
    for marks in (found.pages, found.headings):
        starts = [0, *(mark.start for mark in marks), len(found.text)]
        if starts != sorted(starts):
            raise ValueError("places outside the text")
    return found


def _crashed(reason: str) -> ExtractionCrashed:
    return ExtractionCrashed(
        "The reader stopped unexpectedly on this document.",
        hint="The document may be damaged: save it anew in the program it comes from, or send its text.",
        reason=reason,
    )


class _Child:
    """One reading process and the pipes to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("A child is spoken to over pipes.")
        self._process, self._requests, self._answers = process, process.stdin, process.stdout
        self.served = 0

    async def is_ready(self) -> bool:
        try:
            async with asyncio.timeout(_START):
                return await self._answers.readexactly(len(wire.READY)) == wire.READY
        except (TimeoutError, EOFError):
            return False

    async def ask(self, file: BinaryIO, about: wire.Header, *, most: int) -> tuple[dict[str, object], str]:
        """Send a document and wait for the answer: a header and a text.

        Raises `EOFError` or `ConnectionError` when the child is gone, `ValueError` when it talks nonsense.
        """
        self.served += 1
        left = os.fstat(file.fileno()).st_size
        self._requests.write(wire.head(about, left))
        while left:
            block = await asyncio.to_thread(file.read, min(left, _BLOCK))
            if not block:
                raise OSError("The document became shorter while it was read.")
            left -= len(block)
            self._requests.write(block)
            await self._requests.drain()
        header_size, text_size = wire.LENGTHS.unpack(await self._answers.readexactly(wire.LENGTHS.size))
        if max(header_size, text_size) > most:
            raise ValueError("an answer that is larger than the memory it was made in")
        header = await self._answers.readexactly(header_size)
        return _HEADER.validate_json(header), (await self._answers.readexactly(text_size)).decode()

    async def last_words(self) -> int | None:
        """The exit code of a child that has closed its pipes, or None if it lingers."""
        try:
            async with asyncio.timeout(_LAST_WORDS):
                return await self._process.wait()
        except TimeoutError:
            return None

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()

    async def drain(self) -> None:
        """Let go of a killed child: its pipes are emptied, or the end of the process would never be noticed."""
        if not self._requests.transport.is_closing():
            self._requests.transport.abort()
        await self._process.communicate()
