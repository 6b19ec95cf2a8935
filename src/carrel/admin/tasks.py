"""What is done about organisations later."""

from datetime import timedelta

from carrel.admin.erasing import Erasing
from carrel.core.clock import now
from carrel.core.ids import TenantId
from carrel.jobs.service import Job, task

AGAIN_AFTER = timedelta(hours=1)
"""By then every upload that was on its way has ended, even where its process was killed in the middle."""


@task("admin.erase", queue="default", lock="erase:{organization}", timeout=timedelta(hours=6))
async def erase(job: Job, organization: TenantId, look_again: bool = True) -> None:
    """Erase an organisation and count what is left, and do so once more later. May be repeated and cut off anywhere."""
    erasing = job.provide(Erasing)
    await erasing.run(organization, job.progress)
    async with job.last_step("counted") as db:
        if look_again:
            await erasing.queue(db, job.tenant).enqueue(
                erase,
                run_at=now() + AGAIN_AFTER,
                unique=f"erase-again:{organization}",
                organization=organization,
                look_again=False,
            )
