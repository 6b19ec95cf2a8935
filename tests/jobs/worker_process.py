"""A worker in a process of its own, to be stopped and killed: `python worker_process.py DSN QUEUE LEASE`."""

import asyncio
import sys
from datetime import timedelta

from carrel.infra.db import Database
from carrel.infra.settings import Database as DatabaseSettings
from carrel.infra.settings import Jobs as JobSettings
from carrel.jobs.backoff import Backoff
from carrel.jobs.errors import JobLost
from carrel.jobs.service import Job, Registry, task
from carrel.jobs.worker import Worker


def tell(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(dsn: str, line: str, lease: float) -> None:
    @task("work", queue=line, timeout=timedelta(minutes=1))
    async def work(job: Job) -> None:
        tell("begun")
        # Whoever runs this process says when it goes on; it is usually stopped or killed before.
        await asyncio.to_thread(sys.stdin.readline)
        try:
            async with job.last_step("count") as db:
                await db.execute("UPDATE tenant_usage SET documents = documents + 1")
        except JobLost:
            tell("lost")
            raise

    database = Database.at(dsn, DatabaseSettings(pool_size=4), purpose="test")
    await database.open()
    quick = Backoff(base=timedelta(milliseconds=5))
    settings = JobSettings(lease=timedelta(seconds=lease))
    worker = Worker(database, Registry([work]), {}, settings, name="child", queues=(line,), backoff=quick)
    tell("ready")
    await worker.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
