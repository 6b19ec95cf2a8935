"""`carrel doctor`: what is well, what is not, and what to do about it."""

import typer

from carrel.entry.cli import configuration
from carrel.entry.cli.screen import plain, problems_in_words

COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "error": typer.colors.RED}


def doctor() -> None:
    """Look at everything this installation depends on, one line each. Exits with 1 when anything is an error."""
    # Only here: the supervisor is a command, too, and must not carry drivers and clients.
    from carrel.entry.cli.checks import examine

    failed = False
    with problems_in_words():
        for finding in examine(configuration.read()):
            failed = failed or finding.level == "error"
            level = typer.style(f"{finding.level:<7}", fg=COLOURS[finding.level])
            typer.echo(f"{level}  {finding.subject:<14}  {plain(' '.join(finding.text.split()))}")
    if failed:
        raise typer.Exit(1)
