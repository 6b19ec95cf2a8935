"""The files of the database: made whole or not at all, and opened only by the version that made them."""

import shutil
import subprocess
import time
from collections.abc import Mapping

from carrel.infra.postgres.address import SUPERUSER, create_password, give
from carrel.infra.postgres.binaries import MAJOR
from carrel.infra.postgres.errors import FolderDamaged, StartFailed, StartTimeout, WrongVersion
from carrel.infra.postgres.identity import ENVIRONMENT, Runner
from carrel.infra.postgres.layout import Layout
from carrel.infra.postgres.storage import disk_full, says_disk_full, sync_folder

OPTIONS = (
    f"--username={SUPERUSER}",
    "--encoding=UTF8",
    # The built-in provider sorts and folds alike on every system; the system's own C.UTF-8 may be missing or differ.
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--auth=scram-sha-256",
    "--data-checksums",
    "--no-instructions",
)


def exists(layout: Layout) -> bool:
    """Whether there is a cluster of our version. Anything else but nothing at all is refused and left as it is."""
    if not layout.cluster.is_dir() or not any(layout.cluster.iterdir()):
        return False
    version = layout.cluster / "PG_VERSION"
    found = version.read_text(encoding="ascii", errors="replace").strip() if version.exists() else ""
    if not found.isdecimal():
        raise FolderDamaged(
            f"{layout.cluster} is not empty, but holds no database that can be recognised.",
            hint="Restore it from a backup, or move it away to begin with an empty database.",
            folder=str(layout.folder),
        )
    if int(found) != MAJOR:
        raise _wrong_version(layout, int(found))
    return True


def create(runner: Runner, settings: Mapping[str, str], lock: int, deadline: float) -> None:
    """Make a new cluster. It appears under its name only when complete; a failure leaves nothing that blocks a retry.

    `lock` is inherited by the programs, so that a later owner can wait for those of an owner that was killed.
    """
    layout, owner = runner.layout, runner.identity.file_owner
    if layout.unfinished.exists():
        shutil.rmtree(layout.unfinished)
    create_password(layout, owner)
    try:
        layout.unfinished.mkdir(mode=0o700)
        give(layout.unfinished, owner)
        _run_initdb(runner, settings, lock, deadline)
        layout.unfinished.rename(layout.cluster)
        sync_folder(layout.folder)
    except BaseException:
        # What went wrong first is what the caller must hear; the next start removes what could not be removed now.
        shutil.rmtree(layout.unfinished, ignore_errors=True)
        raise


def _run_initdb(runner: Runner, settings: Mapping[str, str], lock: int, deadline: float) -> None:
    layout = runner.layout
    options = [f"--pgdata={layout.unfinished}", f"--pwfile={layout.password}", *OPTIONS]
    # Whoever gives up durability for the server, as tests do, need not wait for it here either.
    if settings.get("fsync") == "off":
        options.append("--no-sync")
    try:
        made = subprocess.run(
            runner.command("initdb", *options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=ENVIRONMENT,
            pass_fds=[lock],
            start_new_session=True,
            timeout=max(0.0, deadline - time.monotonic()),
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise StartTimeout(
            f"The database in {layout.folder} could not be created in time.",
            hint="Start again with more time; nothing half made was left behind.",
            log=[],
        ) from late
    if made.returncode != 0:
        raise _failure(layout, made.returncode, made.stdout)


def _failure(layout: Layout, status: int, output: str) -> Exception:
    if says_disk_full(layout.folder, output):
        return disk_full(layout.folder)
    log = output.splitlines()[-10:]
    return StartFailed(
        f"The database in {layout.folder} could not be created (initdb ended with {status}): {' / '.join(log)}",
        hint="Remove the cause named in these lines and start again; nothing half made was left behind.",
        log=log,
    )


def _wrong_version(layout: Layout, found: int) -> WrongVersion:
    age = "older" if found < MAJOR else "newer"
    return WrongVersion(
        f"The database in {layout.cluster} was made by PostgreSQL {found}, {age} than {MAJOR}, the one installed here.",
        hint=f"Run the programs of PostgreSQL {found} on it and write a dump (pg_dumpall), move {layout.cluster} away, "
        f"start again and restore the dump with psql. Nothing was changed.",
        folder=str(layout.folder),
        found=found,
        needed=MAJOR,
    )
