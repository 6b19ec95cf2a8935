"""The connection to Redis, which may be away at any time: nothing waits for it and nothing depends on it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from carrel.core.errors import Problem
from carrel.infra.settings import Redis as RedisSettings

T = TypeVar("T")
State = Literal["off", "ok", "unreachable"]
PATIENCE = 0.05
"""Seconds. The client's own defaults stall a request for four seconds when Redis dies."""
TURNS = 10
"""That time passes in so many parts, each of at least one turn of the event loop: an answer on a new connection needs
about ten. Where turns take long it is we who are late, and Redis perhaps is not."""
NEVER = 100
"""The client's own clock runs so much longer: it would take a busy process for a silent Redis."""
REST = 2.0
"""Seconds between two attempts on a Redis that did not answer."""

log = structlog.get_logger("carrel.cache")


class Away(Exception):
    """There is no Redis, or it does not answer. Whoever asks has a way to go on without it."""


class CacheMisconfigured(Problem):
    """`REDIS_URL` cannot be understood. Unset, the server works without Redis."""

    code, title, status = "cache-misconfigured", "The shared cache cannot be used as it is set up", 503


@dataclass(slots=True)
class SharedCache:
    """Knows whether Redis answers. Says once that it is gone and once that it is back."""

    client: "Redis | None"
    patience: float = PATIENCE
    _state: State = "off"
    _heard: float = field(default=-REST)

    @classmethod
    def of(cls, settings: RedisSettings, *, patience: float = PATIENCE) -> "SharedCache":
        """Does not connect yet. Raises `CacheMisconfigured` for an address that is none."""
        if settings.url is None:
            return cls(None)
        try:
            # The ordinary pool fails as soon as one more connection is wanted than it has; this one lets it wait.
            pool = BlockingConnectionPool.from_url(
                settings.url.get_secret_value(),
                max_connections=settings.pool_size,
                timeout=NEVER * patience,
                socket_timeout=NEVER * patience,
                socket_connect_timeout=NEVER * patience,
                retry=Retry(NoBackoff(), 0),
                # With the newer protocol the client does not notice that an idle connection was closed (by a restart
                # or the server's `timeout`), so the next call on each of them would fail.
                protocol=2,
            )
        except ValueError as error:
            raise CacheMisconfigured(
                "REDIS_URL is not an address of Redis.", hint="Write it as redis://host:6379/0, or leave it unset."
            ) from error
        return cls(Redis.from_pool(pool), patience)

    async def ask(self, question: Callable[[Redis], Awaitable[T]]) -> T:
        """What Redis answers. Raises `Away` when that takes over 50 ms, and at once within 2 s of a failure.

        Time in which this process did not come to run does not count.
        """
        if self.client is None or (self._state == "unreachable" and self._is_fresh()):
            raise Away
        # While it is away one caller tries it again, and the others need not wait for that.
        self._heard = time.monotonic()
        try:
            answer = await self._in_time(question(self.client))
        except (RedisError, OSError, TimeoutError) as error:
            await self._lose(error)
            raise Away from error
        self._find()
        return answer

    async def state(self) -> State:
        """`off` without REDIS_URL, else whether it answered when last asked, at most two seconds ago."""
        if self.client is not None and not self._is_fresh():
            try:
                await self.ask(_ping)
            except Away:
                return "unreachable"
        return self._state

    async def close(self) -> None:
        if self.client is not None:
            await self.client.aclose()

    async def _in_time(self, answer: Awaitable[T]) -> T:
        asking = asyncio.ensure_future(answer)
        try:
            for _ in range(TURNS):
                await asyncio.wait({asking}, timeout=self.patience / TURNS)
                if asking.done():
                    return asking.result()
            raise TimeoutError(f"no answer within {self.patience * 1000:.0f} ms")
        finally:
            asking.cancel()

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._heard < REST

    async def _lose(self, error: Exception) -> None:
        before, self._state, self._heard = self._state, "unreachable", time.monotonic()
        if before != "unreachable" and self.client is not None:
            log.warning("redis is unreachable, going on without it", reason=type(error).__name__, detail=str(error))
            # Connections to a machine that is gone would fail one after the other once it is back.
            await self.client.connection_pool.disconnect(inuse_connections=False)

    def _find(self) -> None:
        before, self._state = self._state, "ok"
        if before == "unreachable":
            log.info("redis answers again")


async def _ping(client: Redis) -> None:
    await client.ping()
