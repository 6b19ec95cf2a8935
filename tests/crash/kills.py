"""Kill -9, at random moments, while documents are on their way."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from carrel.infra.postgres import read_dsn
from tests.server import Server

CHILDREN = ("worker", "postgres", "api")
GONE_WITHIN = 3.0
MET_WITHIN = 120.0
LONGEST_WAIT = 0.6
IMPATIENCE = 1.0
POLL = 0.02

# What a stopped worker was about to have carried out still is: only then is it known what it has in hand.
# (What waits for a row, or for more of a statement, may wait for the worker itself.)
BUSY = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'carrel worker' AND state = 'active'
      AND coalesce(wait_event_type, '') NOT IN ('Lock', 'Client')
"""
IN_HAND = "SELECT count(*) FROM jobs WHERE state = 'running' AND worker LIKE %(worker)s"

UNFINISHED = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')"


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of an attempt to strike; `idle` when there is nothing to do that a worker could be met over."""

    struck: bool = False
    idle: bool = False


@dataclass(slots=True)
class Killer:
    """Ends processes of a server without a word, and starts it again when it was the parent of all.

    Workers are killed over their work, by themselves or with their parent, whatever it is. `feed` sends more of it.
    """

    server: Server
    chance: random.Random
    feed: Callable[[], None]
    kills: Counter[str] = field(default_factory=Counter)
    orphans: list[str] = field(default_factory=list)
    """Processes that were still there a while after their parent was killed."""

    def strike(self, role: str) -> None:
        """Kill whoever has this role now. A killed parent is started again."""
        self.server.pid(role)
        time.sleep(self.chance.uniform(0, LONGEST_WAIT))
        if role in {"worker", "parent"}:
            self._strike_over_work(role)
        else:
            os.kill(self.server.pid(role), signal.SIGKILL)
        self.kills[role] += 1

    def _strike_over_work(self, role: str) -> None:
        end, hungry_at = time.monotonic() + MET_WITHIN, time.monotonic()
        while not (seen := self._strike_if_busy(role)).struck:
            assert time.monotonic() < end, f"the worker was not met over its work: {self.server.said()}"
            if seen.idle and time.monotonic() > hungry_at:
                self.feed()
                hungry_at = time.monotonic() + IMPATIENCE
            time.sleep(POLL)

    def _strike_if_busy(self, role: str) -> "Seen":
        worker = self.server.pid("worker")
        # It may have ended by itself because the database was away.
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGSTOP)
            in_hand, unfinished = self._look(worker)
            if in_hand:
                self._strike(role, worker)
                return Seen(struck=True)
            os.kill(worker, signal.SIGCONT)
            return Seen(idle=unfinished == 0)
        return Seen()

    def _strike(self, role: str, worker: int) -> None:
        if role == "parent":
            self.server.kill()
            self.orphans += self.server.wait_for_end_of_all(GONE_WITHIN)
            self.server.start()
        else:
            os.kill(worker, signal.SIGKILL)

    def _look(self, worker: int) -> tuple[int, int | None]:
        """How many jobs this stopped worker has in hand, and how many are unfinished altogether."""
        dsn = read_dsn(self.server.data_dir / "postgres")
        try:
            with psycopg.connect(dsn, autocommit=True, connect_timeout=2) as connection:
                while connection.execute(BUSY).fetchone() != (0,):
                    time.sleep(POLL)
                (in_hand,) = connection.execute(IN_HAND, {"worker": f"%:{worker}/%"}).fetchone() or (0,)
                (unfinished,) = connection.execute(UNFINISHED).fetchone() or (None,)
                return in_hand, unfinished
        except psycopg.OperationalError:
            return 0, None

    def plan(self, each: int, parents: int) -> list[str]:
        planned = [*(role for role in CHILDREN for _ in range(each)), *["parent"] * parents]
        self.chance.shuffle(planned)
        return planned
