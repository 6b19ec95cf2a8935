"""What is done about documents later."""

from datetime import timedelta

from carrel.infra.blobs import Blobs
from carrel.jobs.service import Job, task


@task("documents.discard", queue="default", timeout=timedelta(minutes=10))
async def discard(job: Job, object_keys: list[str]) -> None:
    """Delete the bytes of a document that is gone. Running it twice is the same as running it once."""
    blobs = job.provide(Blobs)
    for done, key in enumerate(object_keys, start=1):
        await blobs.delete(key)
        await job.progress(done, len(object_keys))
