"""A life on a small disk that fills up, told in one JSON line. Usage: filler.py MOUNT_POINT"""

import json
import os
import sys
from contextlib import closing, suppress
from pathlib import Path

import psycopg

from carrel.core.errors import Problem
from carrel.infra.postgres import EmbeddedPostgres
from tests.infra.postgres import sandbox

NOT_ALLOWED = 77


def main(disk: Path) -> None:
    try:
        sandbox.mount_tmpfs(disk, "20m")
    except OSError:
        sys.exit(NOT_ALLOWED)
    folder = disk / "postgres"
    postgres = EmbeddedPostgres(folder)
    story: dict[str, object] = {"creation": attempt(postgres), "left": sorted(path.name for path in folder.iterdir())}

    sandbox.resize_tmpfs(disk, "110m")
    story["creation with space"] = attempt(postgres)
    execute(postgres, "CREATE TABLE kept AS SELECT g AS n FROM generate_series(1, 1000) g")
    story["commit"] = execute(postgres, "CREATE TABLE big AS SELECT repeat('x', 2000) FROM generate_series(1, 100000)")
    story["after"] = execute(postgres, "SELECT count(*) FROM kept")

    postgres.stop()
    fill(disk)
    story["start"] = attempt(postgres)
    (disk / "filler").unlink()
    story["start with space"] = attempt(postgres)
    story["kept"] = execute(postgres, "SELECT sum(n) FROM kept")

    fill(disk)
    story["write-ahead log"] = execute(postgres, "CREATE TABLE more AS SELECT * FROM generate_series(1, 1000000)")
    (disk / "filler").unlink()
    story["restart"] = attempt(postgres)
    story["still kept"] = execute(postgres, "SELECT sum(n) FROM kept")
    postgres.stop()
    sys.stdout.write(json.dumps(story) + "\n")


def attempt(postgres: EmbeddedPostgres) -> dict[str, str | None] | None:
    try:
        postgres.start()
    except Problem as problem:
        return {"code": problem.code, "detail": problem.detail, "hint": problem.hint}
    return None


def execute(postgres: EmbeddedPostgres, statement: str) -> str:
    try:
        with closing(psycopg.connect(postgres.dsn(), autocommit=True)) as connection:
            cursor = connection.execute(statement)
            return str(cursor.fetchone()) if cursor.description else "done"
    except psycopg.Error as error:
        return f"{error.sqlstate}"


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(os.urandom(1 << 16))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
