"""Which files a person means by the paths that were given."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from carrel.core.errors import Problem


class PathUnusable(Problem):
    """A path on the command line names nothing that could be sent. Nothing was sent."""

    code, title, status = "path-unusable", "The path cannot be used", 422


@dataclass(frozen=True, slots=True)
class Item:
    """A file to be sent, under the name by which it is known again."""

    path: Path
    external_id: str


@dataclass(frozen=True, slots=True)
class Found:
    """The files below the given paths, and what could not be looked at, with the reason."""

    items: list[Item] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def gather(paths: Sequence[Path]) -> Found:
    """Every regular file that is given or lies in a given folder, in order, each once.

    Hidden files and folders are left out and links are not followed, except those that are given themselves. Raises
    `PathUnusable` when a path does not exist, or when two files would be known by the same name.
    """
    found = Found()
    seen: set[Path] = set()
    names: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise PathUnusable(f"There is no file or folder {path}.", hint="Correct the path.")
        for item in _items(path.resolve(), found.unreadable):
            if item.path in seen:
                continue
            seen.add(item.path)
            if (other := names.setdefault(item.external_id, item.path)) != item.path:
                raise _same_name(other, item)
            found.items.append(item)
    return found


def printable(name: str | Path) -> str:
    """A name as it can be sent and shown; bytes of it that are no UTF-8 become escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _items(root: Path, unreadable: list[tuple[str, str]]) -> Iterator[Item]:
    if not root.is_dir():
        yield Item(root, printable(root.name))
        return

    def refused(error: OSError) -> None:
        unreadable.append((printable(error.filename or root), error.strerror or str(error)))

    for folder, folders, files in os.walk(root, onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in files if not name.startswith(".")):
            path = Path(folder, name)
            if _is_regular(path, refused):
                yield Item(path, printable(path.relative_to(root).as_posix()))


def _is_regular(path: Path, refused: Callable[[OSError], None]) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError as error:
        refused(error)
        return False


def _same_name(first: Path, second: Item) -> PathUnusable:
    return PathUnusable(
        f"{printable(first)} and {printable(second.path)} would both be known as {second.external_id}.",
        hint="Give the folder that both lie in: a file is known by its path below the given folder.",
    )
