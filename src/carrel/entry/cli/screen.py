"""What people see: prose and progress on stderr, data alone on stdout."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.text import Text

from carrel.core.errors import Problem

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

screen = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def plain(text: str) -> str:
    """`text` without what would steer a terminal: names and passages come from strangers."""
    return STEERING.sub("\ufffd", text)


def say(line: str) -> None:
    screen.print(plain(line))


def show(problem: Problem) -> None:
    """Say what is wrong and what to do."""
    screen.print(Text.assemble(("error", "red"), f": {plain(problem.detail)}"))
    if problem.hint:
        screen.print(Text.assemble(("hint", "cyan"), f": {plain(problem.hint)}"))


@contextmanager
def problems_in_words() -> Iterator[None]:
    """Failures that a person can mend end the command with a sentence, not with a trace."""
    try:
        yield
    except Problem as problem:
        show(problem)
        raise typer.Exit(1) from problem
