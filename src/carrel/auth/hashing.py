"""Keeping and checking passwords: Argon2id, away from the event loop and never more than two at once."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import Type

from carrel.auth.passwords import normalised
from carrel.infra.web.errors import Unavailable

Result = TypeVar("Result")
AT_ONCE = 2
"""Each takes 19 MiB and a whole core: more of them would only keep searches waiting."""
LONGEST_QUEUE = 100
TIME_COST, MEMORY_KIB, LANES = 2, 19 * 1024, 1


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a password was right, and its hash by today's parameters when the stored one is of older ones."""

    right: bool
    better: str | None = None


class Passwords:
    """Hashes and checks passwords. One per process; close it at the end."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(TIME_COST, MEMORY_KIB, LANES, type=Type.ID)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._waiting = 0
        # Nobody has this password. Checking it costs what checking a real one costs.
        self._nobody = self._hasher.hash(secrets.token_hex(32))

    async def hash(self, password: str) -> str:
        return await self._aside(lambda: self._hasher.hash(normalised(password)))

    async def check(self, password: str, stored: str | None) -> Checked:
        """Whether the password is the stored one. With nothing stored the answer is no, after the same work."""
        return await self._aside(lambda: self._check(normalised(password), stored))

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)

    def _check(self, password: str, stored: str | None) -> Checked:
        try:
            self._hasher.verify(stored or self._nobody, password)
        except VerifyMismatchError:
            return Checked(right=False)
        if stored is None:
            return Checked(right=False)
        stale = self._hasher.check_needs_rehash(stored)
        return Checked(right=True, better=self._hasher.hash(password) if stale else None)

    async def _aside(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= LONGEST_QUEUE:
            raise Unavailable("Too many people log in at this moment.", hint="Try again in a moment.", retry_after=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
