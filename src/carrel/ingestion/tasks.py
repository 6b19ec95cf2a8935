"""The job that makes a document searchable."""

from datetime import timedelta

from carrel.core.access import EVERYTHING
from carrel.core.ids import DocumentId
from carrel.documents.service import Documents
from carrel.infra.db import Transaction
from carrel.ingestion.service import Ingestion, assemble
from carrel.jobs.service import Ended, Job, task


@task("ingestion.ingest", queue="ingestion", lock="document:{document_id}", timeout=timedelta(minutes=30))
async def ingest(job: Job, document_id: DocumentId, version: int) -> None:
    """Make one version searchable. Running it twice leaves the same index as running it once."""
    ingestion = job.provide(Ingestion)
    async with job.step("open") as db:
        source = await ingestion.rooms.documents(db, job.tenant).start(document_id, version)
    if source is None:
        return

    extracted = await ingestion.extract(source)
    cut = await ingestion.cut(source, extracted)
    async with job.step("embed"):
        await job.progress(0, len(cut.pieces))
    vectors = await ingestion.embed(cut, job.progress)

    chunks = assemble(extracted, cut, vectors)
    async with job.last_step("publish") as db:
        await ingestion.publish(db, job.tenant, source, extracted, chunks)


@ingest.when_failed
async def note_failure(
    ended: Ended, db: Transaction, code: str, detail: str, document_id: DocumentId, version: int
) -> None:
    """A document fails exactly when its job does, with the same reason."""
    await Documents(db, ended.tenant, EVERYTHING).fail(document_id, version, code, detail)
