"""`carrel migrate`: bring the schema to this release, or say what is missing."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from carrel.entry.cli import configuration
from carrel.entry.cli.database import is_created, joined
from carrel.entry.cli.screen import problems_in_words, say
from carrel.infra.settings import Settings

if TYPE_CHECKING:
    from carrel.infra.db.migrate import Migration


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 1 if something is missing.")
    ] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Change nothing; print what is missing as SQL.")] = False,
) -> None:
    """Bring the schema of the database to this release. Safe to repeat, also while the server runs."""
    with problems_in_words():
        settings = configuration.read()
        if check or sql:
            _look(settings, sql=sql)
        else:
            _apply(settings)


def _look(settings: Settings, *, sql: bool) -> None:
    from carrel.infra.db.migrate import script  # The driver, which the supervisor must not carry.

    missing = _missing(settings)
    if sql:
        typer.echo(script(missing) if missing else "-- The schema is up to date.")
        return
    for migration in missing:
        typer.echo(_line(migration))
    if missing:
        say(f"{_counted(missing)} missing. Run `carrel migrate`.")
        raise typer.Exit(1)
    say("The schema is up to date.")


def _missing(settings: Settings) -> "list[Migration]":
    from carrel.infra.db.migrate import available, pending  # The driver, which the supervisor must not carry.

    if not is_created(settings):
        return available()
    with joined(settings) as dsn:
        return asyncio.run(pending(dsn))


def _apply(settings: Settings) -> None:
    from carrel.infra.db.migrate import migrate as apply  # The driver, which the supervisor must not carry.

    with joined(settings) as dsn:
        applied = asyncio.run(apply(dsn))
    for migration in applied:
        typer.echo(_line(migration))
    say(f"{_counted(applied)} applied." if applied else "The schema is up to date.")


def _line(migration: "Migration") -> str:
    return f"{migration.version:04} {migration.name}"


def _counted(migrations: "list[Migration]") -> str:
    return "1 migration" if len(migrations) == 1 else f"{len(migrations)} migrations"
