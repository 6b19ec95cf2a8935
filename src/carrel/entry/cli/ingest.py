"""`carrel ingest`: files and folders into the running server."""

from pathlib import Path
from typing import Annotated

import typer

from carrel.entry.cli import configuration
from carrel.entry.cli.screen import problems_in_words


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files, and folders with all that is in them.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the number of files and stop.")] = False,
    tag: Annotated[list[str] | None, typer.Option(help="A tag for every document; repeat it for several.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until every document is indexed or has failed.")] = True,
) -> None:
    """Add files to the running server. Run it again at any time: what is there already is left as it is.

    A document is known by its path below the given folder. Hidden files are left out and links are not followed.
    """
    # Only here: the supervisor is a command, too, and must not carry a client of HTTP.
    from carrel.entry.cli import sending
    from carrel.entry.cli.files import gather

    with problems_in_words():
        found = gather(paths)
        if dry_run:
            typer.echo(len(found.items))
            return
        everything_went_well = sending.send(configuration.read(), found, tags=tag or [], wait=wait)
    if not everything_went_well:
        raise typer.Exit(1)
