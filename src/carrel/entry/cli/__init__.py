"""The command `carrel`."""

import sys

OLDEST_PYTHON = (3, 11)

# Before anything else is imported: an older Python would stop at a module that it cannot read, with a trace.
if sys.version_info < OLDEST_PYTHON:
    sys.exit("error: Carrel needs Python 3.11 or newer.\nhint: Install a newer Python and run this again.")

from carrel.entry.cli.app import app, main  # noqa: E402

__all__ = ["app", "main"]
