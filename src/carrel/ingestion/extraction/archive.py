"""A ZIP archive that is looked at before it is opened: no bomb is inflated and no name is trusted."""

import io
import posixpath
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence

from carrel.core.errors import Problem
from carrel.ingestion.extraction.errors import damaged, encrypted, over_limit, unsafe

MOST_ENTRIES = 10_000
MOST_UNPACKED = 256 * 2**20
HIGHEST_RATIO = 200
"""Deflate reaches about 1,000. Text that people write stays under 20; the repetitive XML of large sheets, under 100."""

_SMALL = 1 << 20
"""An entry that unpacks to less than this may have any ratio: a page of zeros does no harm."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LOCAL_HEADER = 30
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, ValueError, OSError, RuntimeError),
    *(NotImplementedError, OverflowError, IndexError),
)
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")


class Archive:
    """The entries of an archive. Nothing is ever written anywhere, and what is inflated is counted.

    Opening raises `Damaged`, `OverLimit`, `Encrypted` or `Unsafe` for what the directory of the archive admits.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._file = zipfile.ZipFile(io.BytesIO(data))
        except _BROKEN as error:
            raise damaged("The archive") from error
        entries = self._file.infolist()
        _check_amount(entries)
        for entry in entries:
            _check(entry)
        _check_overlaps(entries)
        self._entries = {entry.filename: entry for entry in entries}
        if len(self._entries) < len(entries):
            raise unsafe("The archive has two entries of one name.")
        self._unpacked = 0

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """The names of files, in the order of the archive's directory."""
        return (name for name, entry in self._entries.items() if not entry.is_dir())

    def read(self, name: str) -> bytes:
        """The bytes of an entry. Raises `Damaged` when it is missing or broken."""
        try:
            entry = self._entries[name]
            self._count(entry.file_size)
            return self._file.read(entry)
        except _BROKEN as error:
            raise damaged("The archive") from error

    def _count(self, size: int) -> None:
        # The reader of entries never gives more than the directory says; but one entry may be asked for often.
        self._unpacked += size
        if self._unpacked > MOST_UNPACKED:
            raise _too_large()


def names_in(data: bytes) -> Sequence[str] | None:
    """The names in the directory of an archive, unchecked; None when these bytes are none, or a broken one."""
    if not data.startswith(_MAGIC):
        return None
    try:
        return zipfile.ZipFile(io.BytesIO(data)).namelist()
    except _BROKEN:
        return None


def beginning_of(data: bytes, name: str, size: int = 200) -> bytes:
    """The first bytes of an entry of an archive that is not yet checked; nothing when it has none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)).open(name) as entry:
            return entry.read(size)
    except _BROKEN:
        return b""


def _check_amount(entries: Sequence[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_ENTRIES:
        raise over_limit(f"The archive has more than {MOST_ENTRIES} entries.", "entries")
    if sum(entry.file_size for entry in entries) > MOST_UNPACKED:
        raise _too_large()


def _check(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & 0x1:
        raise encrypted("The archive")
    if entry.compress_type not in _METHODS:
        raise damaged("The archive")
    if entry.file_size > _SMALL and entry.file_size > HIGHEST_RATIO * entry.compress_size:
        raise over_limit(f"The archive unpacks to more than {HIGHEST_RATIO} times its size.", "ratio")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise unsafe("The archive has links or devices in it.")
    _check_name(entry.orig_filename)


def _check_name(name: str) -> None:
    parts = posixpath.normpath(name.replace("\\", "/")).split("/")
    if ".." in parts or name.startswith(("/", "\\")) or name[1:2] == ":" or "\x00" in name:
        raise unsafe("The archive has names in it that lead out of it.")


def _check_overlaps(entries: Sequence[zipfile.ZipInfo]) -> None:
    """Entries that share their bytes make a small archive unpack to anything without any odd ratio."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise unsafe("The archive has entries that overlap.")
        end = entry.header_offset + _LOCAL_HEADER + entry.compress_size


def _too_large() -> Problem:
    return over_limit(f"The archive unpacks to more than {MOST_UNPACKED // 2**20} MiB.", "size")
