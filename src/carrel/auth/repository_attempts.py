"""All SQL over attempts. They are counted before anybody is known, so they belong to no organisation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from carrel.auth.records import Tried
from carrel.infra.db import Executor

# Rows are taken in the order of their keys, so that two who count the same ones never wait for each other in a circle.
COUNT = """
    INSERT INTO login_attempts AS a (key, count, until)
    SELECT key, 1, until FROM unnest(%(keys)s::bytea[], %(untils)s::timestamptz[]) AS wanted (key, until)
    ON CONFLICT (key) DO UPDATE
        SET count = CASE WHEN a.until <= %(now)s THEN 1 ELSE a.count + 1 END,
            until = CASE WHEN a.until <= %(now)s THEN excluded.until ELSE a.until END
    RETURNING key, count, until
"""
GIVE_BACK = """
    WITH held AS (SELECT key FROM login_attempts WHERE key = ANY(%(keys)s::bytea[]) ORDER BY key FOR UPDATE)
    UPDATE login_attempts a SET count = greatest(0, a.count - 1) FROM held WHERE a.key = held.key
"""
SWEEP = """
    DELETE FROM login_attempts WHERE key IN (
        SELECT key FROM login_attempts WHERE until < %(now)s LIMIT 20 FOR UPDATE SKIP LOCKED
    )
"""


@dataclass(frozen=True, slots=True)
class AttemptRows:
    """Counters that begin anew when their time is over."""

    db: Executor

    async def count(self, untils: Mapping[bytes, datetime], moment: datetime) -> list[Tried]:
        """Count one attempt at each key, and return the counts; `untils` says how long a new counter lives."""
        keys = sorted(untils)
        return await self.db.all(Tried, COUNT, keys=keys, untils=[untils[key] for key in keys], now=moment)

    async def give_back(self, keys: list[bytes]) -> None:
        await self.db.execute(GIVE_BACK, keys=keys)

    async def sweep(self, moment: datetime) -> None:
        """Remove some that are over. Call it last: it waits for nobody."""
        await self.db.execute(SWEEP, now=moment)
