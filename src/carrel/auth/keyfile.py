"""The file that holds the administrator's key."""

import os
import secrets
from pathlib import Path

from carrel.auth.errors import AdminKeyUnusable

NAME = "admin.key"


def read(file: Path) -> str | None:
    """The key in the file; None when there is no file or nothing in it."""
    try:
        return file.read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise AdminKeyUnusable(
            f"The administrator's key in {file} cannot be read: {_reason(error)}.",
            hint="Make the file readable for the server's account, or remove it: a new key is made at the next start.",
        ) from error


def write(file: Path, key: str) -> None:
    """Put the key into the file, for its owner's eyes only. The file is the old one or the new one, never a part."""
    beside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_durably(beside, key)
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)
        _sync_folder(file.parent)
    except OSError as error:
        raise AdminKeyUnusable(
            f"The administrator's key cannot be kept in {file}: {_reason(error)}.",
            hint="Let DATA_DIR be a folder with free space that the server's account may write to.",
        ) from error


def _write_durably(path: Path, key: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(key + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "it is not text"
