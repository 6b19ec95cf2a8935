"""A name server for tests, on a real socket."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any


def answer_of(question: bytes, texts: Sequence[str], *, code: int = 0, flags: int = 0x8180) -> bytes:
    """The packet that answers a question with these texts."""
    head = question[:2] + struct.pack("!5H", flags | code, 1, len(texts), 0, 0)
    return head + question[12:] + b"".join(map(_record, texts))


def _record(text: str) -> bytes:
    pieces = [text[at : at + 255].encode() for at in range(0, len(text), 255)]
    data = b"".join(bytes([len(piece)]) + piece for piece in pieces)
    return b"\xc0\x0c" + struct.pack("!2HIH", 16, 1, 60, len(data)) + data


def _name(question: bytes) -> str:
    at, labels = 12, []
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels)


class _Answering(asyncio.DatagramProtocol):
    def __init__(self, zone: Mapping[str, Sequence[str]] | None) -> None:
        self.zone = zone
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.zone is not None:
            texts = self.zone.get(_name(data))
            self.transport.sendto(answer_of(data, texts or [], code=0 if texts else 3), addr)


@asynccontextmanager
async def nameserver(zone: Mapping[str, Sequence[str]] | None) -> AsyncIterator[tuple[str, int]]:
    """The address of a server that knows these texts; with None one that never answers."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Answering(zone), local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")
    finally:
        transport.close()
