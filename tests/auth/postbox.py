"""A mail server for tests: takes every letter and shows it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import SMTPUTF8

LINK = re.compile(r"#token=([0-9A-Za-z]+)")


@dataclass
class Postbox:
    port: int = 0
    letters: list[Message] = field(default_factory=list)
    refusing: int = 0
    """How many of the next connections are turned away."""

    async def letter(self, number: int) -> Message:
        """The letter with this number, once it is there."""
        async with asyncio.timeout(20):
            while len(self.letters) <= number:
                await asyncio.sleep(0.01)
        return self.letters[number]

    async def token(self, number: int = 0) -> str:
        """The token in the letter with this number."""
        found = LINK.search(text_of(await self.letter(number)))
        assert found is not None
        return found[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.refusing:
                self.refusing -= 1
                writer.write(b"421 later\r\n")
                return
            writer.write(b"220 postbox\r\n")
            while line := await reader.readline():
                verb = line.split()[0].upper() if line.split() else b""
                if verb == b"EHLO":
                    writer.write(b"250-postbox\r\n250-SMTPUTF8\r\n250 8BITMIME\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    raw = await reader.readuntil(b"\r\n.\r\n")
                    self.letters.append(message_from_bytes(raw[:-5], policy=SMTPUTF8))
                    writer.write(b"250 taken\r\n")
                elif verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    return
                else:
                    writer.write(b"250 fine\r\n")
        finally:
            writer.close()


def text_of(letter: Message) -> str:
    body = letter.get_payload(decode=True)
    assert isinstance(body, bytes)
    return body.decode()


@asynccontextmanager
async def opened_postbox() -> AsyncIterator[Postbox]:
    box = Postbox()
    server = await asyncio.start_server(box._serve, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    async with server:
        yield box
