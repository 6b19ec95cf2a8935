"""Asks the domain name system for texts (TXT, RFC 1035), as far as it takes to know who holds a zone.

Nobody but the resolvers of this machine, or those of the settings, is ever called.
"""

import asyncio
import ipaddress
import random
import struct
from collections.abc import Sequence
from pathlib import Path

from carrel.core.errors import Problem

PORT, PATIENCE = 53, 2.0
TXT, INTERNET = 16, 1
RECURSE, ANSWER, CUT = 0x0100, 0x8000, 0x0200
NO_ERROR, NO_SUCH_NAME = 0, 3
Address = tuple[str, int]


class DnsUnavailable(Problem):
    """No resolver has given a usable answer in time."""

    code, title, status = "dns-unavailable", "The domain name system does not answer", 503


class Resolver:
    """Asks one resolver after the other until one answers."""

    def __init__(self, servers: Sequence[Address], patience: float = PATIENCE) -> None:
        self._servers, self._patience, self._ids = servers, patience, random.SystemRandom()

    async def texts(self, name: str) -> list[str]:
        """The texts at a name; none, if there is no such name. Raises `DnsUnavailable`."""
        for server in self._servers:
            # A new socket for each question: with its random port and the random id, an answer is hard to forge.
            question = question_of(name, self._ids.getrandbits(16))
            try:
                async with asyncio.timeout(self._patience):
                    found = texts_in(await _ask(server, question), question)
            except OSError:  # also when the time is over
                continue
            if found is not None:
                return found
        raise DnsUnavailable(
            "No resolver has given a usable answer.",
            hint="Try again in a minute. The operator of this server names resolvers with DOMAIN_DNS_SERVERS.",
            retry_after=30,
        )


def servers_of(given: Sequence[str], path: Path = Path("/etc/resolv.conf")) -> Sequence[Address]:
    """The resolvers of the settings, or those of the machine."""
    return [address_of(one) for one in given] if given else _of_machine(path)


def address_of(text: str) -> Address:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. Raises `ValueError`."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, port = text, str(PORT)
    host = host.removeprefix("[").removesuffix("]")
    ipaddress.ip_address(host)
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ValueError(f"{port} is no port")
    return host, int(port)


def question_of(name: str, number: int) -> bytes:
    """The packet that asks for the texts at `name`, which is ASCII and has no label above 63 characters."""
    labels = b"".join(struct.pack("B", len(label)) + label.encode("ascii") for label in name.split("."))
    return struct.pack("!6H", number, RECURSE, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", TXT, INTERNET)


def texts_in(answer: bytes, question: bytes) -> list[str] | None:
    """The texts in an answer to `question`; None if it is no whole answer to that."""
    try:
        number, flags, questions, answers, _, _ = struct.unpack_from("!6H", answer)
        asked = answer[12 : len(question)].lower() == question[12:].lower()
        if number != struct.unpack_from("!H", question)[0] or not flags & ANSWER or flags & CUT:
            return None
        if flags & 15 == NO_SUCH_NAME:
            return []
        if flags & 15 != NO_ERROR or questions != 1 or not asked:
            return None
        return _records(answer, len(question), answers)
    except (struct.error, IndexError):
        return None


def _records(answer: bytes, at: int, count: int) -> list[str]:
    found = []
    for _ in range(count):
        at = _after_name(answer, at)
        kind, space, _, length = struct.unpack_from("!2HIH", answer, at)
        at += 10 + length
        if at > len(answer):
            raise IndexError(at)
        if (kind, space) == (TXT, INTERNET):
            found.append(_text(answer[at - length : at]))
    return found


def _after_name(answer: bytes, at: int) -> int:
    while (length := answer[at]) != 0:
        if length >= 0xC0:
            return at + 2  # the rest of the name stands elsewhere
        at += 1 + length
    return at + 1


def _text(data: bytes) -> str:
    """The pieces of one text, put together."""
    at, whole = 0, b""
    while at < len(data):
        whole += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return whole.decode("ascii", "replace")


def _of_machine(path: Path) -> Sequence[Address]:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    parts = [line.split() for line in lines]
    return [(words[1], PORT) for words in parts if len(words) > 1 and words[0] == "nameserver"]


class _Waiting(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


async def _ask(server: Address, question: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    transport, waiting = await loop.create_datagram_endpoint(_Waiting, remote_addr=server)
    try:
        transport.sendto(question)
        return await waiting.answer
    finally:
        transport.close()
