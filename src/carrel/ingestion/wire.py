"""What the sandbox and its child say to each other.

A message is two lengths, a header in JSON and a payload. Nothing that comes from the child can be more than
values: it has read hostile bytes, and whatever it sends is checked like any other input.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict
from typing import BinaryIO

from carrel.core.errors import Problem
from carrel.ingestion.extraction.model import Extracted

LENGTHS = struct.Struct(">IQ")
READY = b"ready\n"

Header = Mapping[str, object]


def head(header: Header, payload_size: int) -> bytes:
    """All of a message but its payload."""
    encoded = json.dumps(header).encode()
    return LENGTHS.pack(len(encoded), payload_size) + encoded


def read_header(stream: BinaryIO) -> tuple[dict[str, object], int]:
    """The header of the next message and the size of the payload that follows. Raises `EOFError` at the end."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        raise EOFError
    header_size, payload_size = LENGTHS.unpack(lengths)
    header: dict[str, object] = json.loads(stream.read(header_size))
    return header, payload_size


def extracted(found: Extracted) -> tuple[Header, bytes]:
    header = asdict(found)
    return {"extracted": header}, header.pop("text").encode()


def problem(refusal: Problem) -> tuple[Header, bytes]:
    return {
        "problem": {
            "code": refusal.code,
            "detail": refusal.detail,
            "hint": refusal.hint,
            "facts": {name: str(fact) for name, fact in refusal.facts.items()},
        }
    }, b""


def out_of_memory() -> tuple[Header, bytes]:
    return {"out_of_memory": True}, b""


def failure(reason: str) -> tuple[Header, bytes]:
    """A bug in a reader: the kind of error and its place, never its message, which may quote the document."""
    return {"failure": reason}, b""
