"""Run a command on a small disk. Usage: small_disk.py FOLDER COMMAND [ARGUMENT ...]"""

import os
import sys
from pathlib import Path

from tests.infra.postgres import sandbox

NOT_ALLOWED = 77


def main(folder, *command):
    try:
        sandbox.mount_tmpfs(Path(folder), "50m")
    except OSError:
        sys.exit(NOT_ALLOWED)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
