"""The program that reads documents for the sandbox: `python -m carrel.ingestion.child MEMORY CPU PARENT`.

It takes bytes from standard input and answers on standard output until its input ends. Before the first document
it gives up everything that reading bytes does not need.
"""

import codecs
import ctypes
import encodings
import math
import os
import pkgutil
import resource
import sys
import time
import traceback
from contextlib import suppress
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import BinaryIO, Protocol

from carrel.core.errors import Problem
from carrel.infra.processes import die_with
from carrel.ingestion import wire
from carrel.ingestion.extraction import Extracted, extract
from carrel.ingestion.extraction.registry import preload

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_NO_NEW_PRIVS = 38


class Reader(Protocol):
    def __call__(self, data: bytes, *, filename: str | None, declared_type: str | None) -> Extracted: ...


def serve(read: Reader) -> None:
    """Answer requests one after another. Ends when the input ends, and after an answer that leaves doubts."""
    memory, cpu, parent = map(int, sys.argv[1:4])
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", buffering=0)
    # Whatever a library prints must not end up between two answers.
    os.dup2(2, 1)
    _import_everything()
    _confine(memory, parent)
    _send(answers, wire.READY)
    while True:
        try:
            header, size = wire.read_header(requests)
        except EOFError:
            return
        _allow_processor_time(cpu)
        answer, payload = _answer(read, requests, header, size)
        _send(answers, wire.head(answer, len(payload)))
        _send(answers, payload)
        if not {"extracted", "problem"} & answer.keys():
            return


def _import_everything() -> None:
    """Once confined, this process can open no file: whatever is imported later must be told that it is not there."""
    # No reader decodes pictures; where these packages happen to be installed, pypdf would load them.
    for name in ("PIL", "fontTools"):
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own way to say that there is none
    preload()
    import charset_normalizer  # noqa: F401 - unused here, wanted by the first text in an old encoding

    # Not only those that we would choose: what a PDF or a message names is looked up by the library that reads it.
    for module in pkgutil.iter_modules(encodings.__path__):
        with suppress(LookupError):
            codecs.lookup(module.name)
    sys.meta_path[:] = [_NothingMore()]


class _NothingMore(MetaPathFinder):
    """Finds no module. Without it an import would end in an error about descriptors, which nobody expects there."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        return None


def _answer(read: Reader, requests: BinaryIO, header: wire.Header, size: int) -> tuple[wire.Header, bytes]:
    filename, declared_type = (str(header[key]) if header.get(key) else None for key in ("filename", "declared_type"))
    try:
        return wire.extracted(read(_receive(requests, size), filename=filename, declared_type=declared_type))
    except Problem as refusal:
        return wire.problem(refusal)
    except MemoryError:
        return wire.out_of_memory()
    except Exception as bug:  # noqa: BLE001 - nothing is hidden: the parent is told, and this process ends
        return wire.failure(_place(bug))


def _receive(requests: BinaryIO, size: int) -> bytes:
    try:
        return requests.read(size)
    except MemoryError:
        # The sender still writes; hanging up on it would look like a crash.
        while size and (block := requests.read(min(size, 1 << 16))):
            size -= len(block)
        raise


def _send(answers: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[answers.write(rest) :]


def _place(bug: Exception) -> str:
    *_, (frame, line) = traceback.walk_tb(bug.__traceback__)
    return f"{type(bug).__name__} at {Path(frame.f_code.co_filename).name}:{line}"


def _confine(memory: int, parent: int) -> None:
    if sys.platform == "linux":
        base = int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()
        _leave_the_network()
        _limit(resource.RLIMIT_AS, base + memory)
        _limit(resource.RLIMIT_NPROC, 0)
    die_with(parent)  # after the namespaces: with its old credentials, a process loses the signal it asked for
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    # No descriptor beyond those that are open: neither a file nor a socket, wherever namespaces are forbidden.
    _limit(resource.RLIMIT_NOFILE, 0)


def _leave_the_network() -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # A user namespace makes the network namespace permitted to everybody, and takes a root process's powers over
    # files. Where a host forbids the first, root may still have the second; where it forbids both, what is left
    # is that no socket can be opened.
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
        libc.unshare(_CLONE_NEWNET)


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _allow_processor_time(seconds: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    until = math.ceil(time.process_time()) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (until if hard == resource.RLIM_INFINITY else min(until, hard), hard))


if __name__ == "__main__":
    serve(extract)
