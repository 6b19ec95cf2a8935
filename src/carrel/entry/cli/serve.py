"""`carrel serve` and `carrel worker`: the long-running commands."""

from pathlib import Path
from typing import Annotated

import typer

from carrel.auth import keyfile
from carrel.entry.cli import configuration
from carrel.entry.cli.screen import problems_in_words, say
from carrel.entry.supervisor import Supervisor, prepare_folder
from carrel.infra.settings import Settings


def serve(
    worker: Annotated[bool, typer.Option(help="Run an ingestion worker beside the API.")] = True,
) -> None:
    """Run everything: PostgreSQL unless DATABASE_URL is set, the API, and a worker. Ctrl-C stops it all."""
    with problems_in_words():
        settings = configuration.read()
        known = keyfile.read(prepare_folder(settings.data_dir) / keyfile.NAME)
        supervisor = Supervisor(settings, tell=say, with_worker=worker)
        status = supervisor.run(lambda url, data_dir: _welcome(settings, url, data_dir, known))
    raise typer.Exit(status)


def worker() -> None:
    """Run a worker alone, for a cluster. Needs DATABASE_URL."""
    with problems_in_words():
        settings = configuration.read()
        if settings.database.url is None:
            raise configuration.SettingInvalid(
                "A worker alone needs the database of a cluster, and DATABASE_URL is not set.",
                hint="Set DATABASE_URL, or run `carrel serve`, which brings a database and a worker along.",
            )
        status = Supervisor(settings, tell=say, with_web=False).run(lambda _url, _data: say("The worker is running."))
    raise typer.Exit(status)


def _welcome(settings: Settings, url: str, data_dir: Path, known: str | None) -> None:
    database = "your PostgreSQL (DATABASE_URL)" if settings.database.url else "an embedded PostgreSQL"
    say(f"Carrel is ready at {url}")
    say(f"  API reference  {url}/docs")
    say(f"  data           {data_dir}, with {database}")
    say(f"  admin key      {_key_line(settings, data_dir / keyfile.NAME, known)}")
    if settings.accounts.registration != "closed":
        say(f"  people         {_people_line(settings)}")
    say("Ctrl-C stops it.")


def _people_line(settings: Settings) -> str:
    """Who may come in, and where the links for them go."""
    who = "anybody may register" if settings.accounts.registration == "open" else "whoever is invited may join"
    if settings.mail.host is not None:
        return f"{who}; links go by mail ({settings.mail.host})"
    if settings.environment == "production":
        return f"{who}, but no mail can be sent: set SMTP_HOST"
    return f"{who}; links go to this log, as SMTP_HOST is not set"


def _key_line(settings: Settings, file: Path, known: str | None) -> str:
    """A new key is shown this once; later it is read from its file, and stays out of logs."""
    if settings.admin_api_key is not None:
        return "the one in ADMIN_API_KEY"
    key = keyfile.read(file)
    return f"in {file}" if key is None or key == known else f"{key} (kept in {file})"
