"""Showing how far something is: a bar on a terminal, else a line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from carrel.entry.cli.screen import say, screen

PAUSE = 5.0
"""Seconds between two lines where there is no terminal: often enough to see life, rare enough for a log."""


@contextmanager
def stage(name: str, total: int) -> Iterator[Callable[[], None]]:
    """Shows `total` steps under `name`; call what it gives after each step."""
    if screen.is_terminal:
        columns = (TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=screen) as progress:
            bar = progress.add_task(name, total=total)
            yield lambda: progress.advance(bar)
    else:
        yield lines(name, total, say)


def lines(
    name: str, total: int, tell: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic
) -> Callable[[], None]:
    """Progress for a log: a line at the last step, and before it at most one in `PAUSE` seconds."""
    done, told = 0, clock()

    def advance() -> None:
        nonlocal done, told
        done += 1
        if done == total or clock() - told >= PAUSE:
            told = clock()
            tell(f"{name} {done} of {total}")

    return advance
