"""The worker process: `python -m carrel.entry.worker PARENT`, started by the supervisor."""

import asyncio
import os
import signal
import socket
import sys

import structlog

from carrel.auth.audit_retention import Retention
from carrel.core.errors import Problem
from carrel.entry.house import LazyModel, opened
from carrel.entry.running import run
from carrel.entry.wiring import for_jobs, registry
from carrel.infra.blobs import Blobs
from carrel.infra.processes import die_with
from carrel.infra.settings import Settings
from carrel.infra.telemetry import logs
from carrel.ingestion.sandbox import Sandbox
from carrel.jobs.worker import Worker

SWEEP_EVERY = 3600.0
log = structlog.get_logger("carrel.worker")


async def work(settings: Settings) -> None:
    """Do jobs until SIGTERM; what is unfinished then goes back to the queue."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with opened(settings, purpose="worker") as house:
        model = LazyModel(settings, house.data_dir)
        limits = settings.extraction
        sandbox = Sandbox(wall=limits.timeout.total_seconds(), memory=limits.memory_mb * 2**20)
        sweeping = asyncio.create_task(_sweep(house.blobs))
        forgetting = asyncio.create_task(_forget(Retention(house.database, settings.audit.retention_days)))
        try:
            worker = Worker(
                house.database,
                registry(settings.jobs.max_attempts),
                for_jobs(house, model, sandbox),
                settings.jobs,
                name=settings.server.instance_id or f"{socket.gethostname()}:{os.getpid()}",
                prepare=model.get,
            )
            await worker.run(stop)
        finally:
            sweeping.cancel()
            forgetting.cancel()
            await sandbox.close()
            model.close()


async def _sweep(blobs: Blobs) -> None:
    """Remove what uploads left behind that were killed on their way in, now and then."""
    while True:
        try:
            swept = await blobs.sweep()
        except Problem as problem:
            log.warning("nothing swept", reason=problem.detail)
        else:
            log.info("swept", pieces=swept)
        await asyncio.sleep(SWEEP_EVERY)


async def _forget(retention: Retention) -> None:
    """Remove from the audit log what is older than it is kept, now and then."""
    while True:
        try:
            forgotten = await retention.run()
        except Problem as problem:
            log.warning("no audit events forgotten", reason=problem.detail)
        else:
            log.info("audit events forgotten", events=forgotten)
        await asyncio.sleep(SWEEP_EVERY)


def main(parent: int) -> int:
    """Run the worker; the exit status tells the supervisor whether another try makes sense."""
    die_with(parent)
    settings = Settings()
    logs.configure(settings.log_level, process="worker")
    return run(work(settings))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
