"""Redis may be there or not: whoever asks is told soon, and goes on."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import structlog
from pydantic import SecretStr

from carrel.infra import shared_cache
from carrel.infra.settings import Redis
from carrel.infra.shared_cache import Away, CacheMisconfigured, SharedCache

pytestmark = pytest.mark.anyio
# The machine that runs the tests may be busy; what is slow on purpose is slower than this by far.
PATIENCE = 2.0


@dataclass
class Speaker:
    """A server on a socket that answers to PING as Redis does, or keeps silent."""

    port: int = 0
    silent: bool = False
    pings: int = 0
    server: asyncio.Server | None = None
    lines: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def settings(self) -> Redis:
        return Redis(url=SecretStr(f"redis://127.0.0.1:{self.port}/0?protocol=2"))

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
            for line in self.lines:
                line.close()
            self.server = None

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.append(writer)
        while count := (await reader.readline()).strip():
            words = [(await reader.readline(), await reader.readline())[1].strip() for _ in range(int(count[1:]))]
            self.pings += words[0].upper() == b"PING"
            if not self.silent:
                writer.write(b"+PONG\r\n" if words[0].upper() == b"PING" else b"+OK\r\n")
                await writer.drain()


@pytest.fixture
async def speaker() -> AsyncIterator[Speaker]:
    speaker = Speaker()
    await speaker.start()
    yield speaker
    await speaker.stop()


@pytest.fixture
async def cache(speaker) -> AsyncIterator[SharedCache]:
    cache = SharedCache.of(speaker.settings, patience=PATIENCE)
    yield cache
    await cache.close()


async def test_without_an_address_it_is_off():
    cache = SharedCache.of(Redis(url=None))

    assert await cache.state() == "off"
    with pytest.raises(Away):
        await cache.ask(lambda client: client.ping())
    await cache.close()


async def test_one_that_answers_is_asked_again_only_after_a_while(cache, speaker):
    assert [await cache.state() for _ in range(5)] == ["ok"] * 5
    assert speaker.pings == 1


async def test_going_and_coming_back_are_each_said_once(cache, speaker, monkeypatch):
    monkeypatch.setattr(shared_cache, "REST", 0.0)
    with structlog.testing.capture_logs() as said:
        states = [await cache.state()]
        await speaker.stop()
        states += [await cache.state() for _ in range(3)]
        await speaker.start()
        states += [await cache.state() for _ in range(2)]

    assert states == ["ok", *["unreachable"] * 3, "ok", "ok"]
    assert [event["log_level"] for event in said] == ["warning", "info"]


async def test_one_that_is_away_is_left_alone_for_a_while(cache, speaker):
    await speaker.stop()
    assert await cache.state() == "unreachable"
    await speaker.start()

    with pytest.raises(Away):
        await cache.ask(lambda client: client.ping())

    assert speaker.pings == 0


async def test_silence_is_waited_for_no_longer_than_patience_allows(speaker):
    speaker.silent = True
    cache, began = SharedCache.of(speaker.settings, patience=0.05), time.monotonic()

    state = await cache.state()

    assert state == "unreachable"
    assert time.monotonic() - began < 2.0  # the client's own defaults take four
    await cache.close()


async def test_an_answer_that_waits_for_a_busy_process_is_no_silence(speaker):
    cache = SharedCache.of(speaker.settings, patience=0.05)
    await cache.state()

    speaker.silent = True
    asking = asyncio.create_task(cache.ask(lambda client: client.ping()))
    while speaker.pings < 2:
        await asyncio.sleep(0)
    speaker.lines[-1].write(b"+PONG\r\n")
    time.sleep(0.3)  # noqa: ASYNC251  (nothing else runs here, as when many requests are answered at once)

    assert await asking
    await cache.close()


async def test_an_answer_that_needs_many_turns_of_a_busy_process_is_no_silence(speaker):
    cache = SharedCache.of(speaker.settings, patience=0.05)

    async def answer(client: object) -> bool:
        # A new connection is made in about so many turns, and each is as late as they are under 200 clients.
        for _ in range(12):
            time.sleep(0.06)  # noqa: ASYNC251
            await asyncio.sleep(0)
        return True

    assert await cache.ask(answer)
    await cache.close()


@pytest.mark.parametrize("url", ["cache", "http://cache", "redis://cache:port/0", "redis://u:hidden@[::1/0"])
def test_an_address_that_is_none_is_refused_in_words(url):
    with pytest.raises(CacheMisconfigured) as refused:
        SharedCache.of(Redis(url=SecretStr(url)))

    assert refused.value.hint
    assert "hidden" not in refused.value.detail
