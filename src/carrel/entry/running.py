"""Running a child process of the server: its event loop, and what its end means."""

import sys
from collections.abc import Coroutine
from typing import Any

import uvloop

from carrel.core.errors import Problem
from carrel.entry.children import DATABASE_AWAY, GIVE_UP
from carrel.infra.db.errors import DatabaseUnavailable, StatementTimeout, StorageFull

PASSING = (DatabaseUnavailable, StatementTimeout, StorageFull)
"""What may be better a moment later, so that the supervisor tries again instead of ending everything."""


def run(work: Coroutine[Any, Any, None]) -> int:
    """Run `work` to its end and return the exit status. What a person can mend is said in words, not as a trace."""
    try:
        uvloop.run(work)
    except PASSING as problem:
        say(problem)
        return DATABASE_AWAY
    except Problem as problem:
        say(problem)
        return GIVE_UP
    return 0


def say(problem: Problem) -> None:
    """Tell a person what is wrong and what to do, on stderr."""
    sys.stderr.write(f"error: {problem.detail}\n")
    if problem.hint:
        sys.stderr.write(f"hint: {problem.hint}\n")
    sys.stderr.flush()
