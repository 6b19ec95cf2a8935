"""What the checks have in common: the files of the checkout, and how a finding is told."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "dist", "data"})


@dataclass(frozen=True, order=True, slots=True)
class Finding:
    """One sentence about one line. Printed as `path:line: sentence`, which editors turn into a link."""

    path: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.sentence}"


def report(findings: Iterable[Finding]) -> int:
    """Print every finding in order and return the exit code: 1 when there was one."""
    found = sorted(set(findings))
    for finding in found:
        print(finding)
    return 1 if found else 0


def files(root: Path, *suffixes: str) -> Iterator[Path]:
    """Every file of the checkout at `root` whose name ends in one of `suffixes`; without any, all of them.

    In a git checkout these are the tracked files and the new ones that are not ignored, elsewhere (an
    unpacked archive) all but hidden folders and build results. Links are left out: their target counts.
    """
    for path in sorted(_tracked(root) or _walked(root)):
        if path.is_file() and not path.is_symlink() and (not suffixes or path.suffix in suffixes):
            yield path


def _tracked(root: Path) -> list[Path]:
    # A hook of git sets GIT_DIR and its kin for the repository it runs in, which need not be this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, env=environment, check=False)
    except FileNotFoundError:
        return []
    if listed.returncode != 0:
        return []
    return [root / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]


def _walked(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS and not name.startswith(".")]
        found.extend(Path(folder, name) for name in names)
    return found
