"""The commands, by name."""

from typing import Annotated

import typer

from carrel import __version__
from carrel.entry.cli.audit import audit
from carrel.entry.cli.doctor import doctor
from carrel.entry.cli.ingest import ingest
from carrel.entry.cli.migrate import migrate
from carrel.entry.cli.models import models
from carrel.entry.cli.search import search
from carrel.entry.cli.serve import serve, worker
from carrel.entry.cli.users import users

app = typer.Typer(
    name="carrel",
    help="Documents go in; passages come out, each with its place in its document.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(serve)
app.command()(worker)
app.command()(ingest)
app.command()(search)
app.command()(migrate)
app.add_typer(models)
app.add_typer(audit)
app.add_typer(users)
app.command()(doctor)


@app.command()
def version() -> None:
    """Show which release this is."""
    typer.echo(f"carrel {__version__}")


def _show_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def carrel(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show which release this is.")
    ] = False,
) -> None:
    """Documents go in; passages come out, each with its place in its document."""


def main() -> None:
    """Run the command line."""
    app()
