"""A process that owns a database folder: says what became of its start in one JSON line, then waits to be told to stop.

Usage: owner.py FOLDER OPTIONS, with OPTIONS a JSON object.
"""

import json
import os
import sys
from pathlib import Path

from carrel.core.errors import Problem
from carrel.infra.postgres import EmbeddedPostgres
from tests.infra.postgres import sandbox


def main(folder: Path, options: dict[str, str]) -> None:
    if options.get("sandbox") == "no namespaces":
        sandbox.forbid_user_namespaces()
    if options.get("sandbox") == "other user":
        become(int(options["uid"]), folder)
    postgres = EmbeddedPostgres(folder, account=options.get("account"), settings={"fsync": "off"})
    try:
        postgres.start()
    except Problem as problem:
        say(code=problem.code, detail=problem.detail, hint=problem.hint)
        return
    say(code=None, pid=postgres.pid, dsn=postgres.dsn())
    sys.stdin.read()
    postgres.stop()


def become(uid: int, folder: Path) -> None:
    sandbox.enter_user_namespace(uid)
    # Who enters a namespace may do everything in it, until a new program is started.
    os.execv(sys.executable, [sys.executable, __file__, str(folder), "{}"])


def say(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
