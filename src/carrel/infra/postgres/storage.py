"""Turn what the file system refuses into problems that say what to do."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from carrel.infra.postgres.errors import DiskFull, FolderUnusable

FULL = {errno.ENOSPC, errno.EDQUOT}
FULL_SENTENCES = ("No space left on device", "Disk quota exceeded")
LEAST_FREE = 1 << 20
"""With less than this a server that could not even write its log is taken to have failed for want of space."""


@contextmanager
def storage_problems(folder: Path) -> Iterator[None]:
    """Failures of the file system inside the block become `DiskFull` or `FolderUnusable`."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(folder) from error
        raise FolderUnusable(
            f"The database folder {folder} cannot be used: {error.strerror}.",
            hint=f"Make {error.filename or folder} readable and writable for user {os.geteuid()}, "
            "or choose another data folder.",
            folder=str(folder),
        ) from error


def disk_full(folder: Path) -> DiskFull:
    return DiskFull(
        f"The disk that holds {folder} is full.",
        hint="Free some space or enlarge the disk, then start again; what was committed before is not lost.",
        folder=str(folder),
    )


def says_disk_full(folder: Path, output: str) -> bool:
    """Whether a program that failed with this output failed for want of space."""
    return any(sentence in output for sentence in FULL_SENTENCES) or shutil.disk_usage(folder).free < LEAST_FREE


def sync_folder(folder: Path) -> None:
    """A file's new name survives a power cut only when its folder was synced too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
