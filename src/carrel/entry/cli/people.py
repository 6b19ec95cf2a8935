"""What `carrel users` does with the accounts in the database."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import typer
from pydantic import ValidationError

from carrel.auth import userfile
from carrel.auth.audit import SYSTEM
from carrel.auth.desk import require_strong
from carrel.auth.errors_people import UserFileInvalid, UserLineInvalid
from carrel.auth.hashing import Passwords
from carrel.auth.letters import Letters
from carrel.auth.people import People
from carrel.auth.repository_people import PeopleRows
from carrel.auth.schemas_people import Result, UserChange, UserFilter, UserLine, UserRecord
from carrel.auth.transfer import Import, Roll
from carrel.core.clock import now
from carrel.entry.cli.database import joined
from carrel.entry.cli.progress import stage
from carrel.entry.cli.screen import plain, say
from carrel.infra.db import Database, Role
from carrel.infra.db.migrate import migrate
from carrel.infra.settings import Settings
from carrel.tenants.service import DEFAULT_SLUG, Organizations

T = TypeVar("T")
LARGEST_FILE = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Registry:
    """The accounts of one installation, whether its server runs or not."""

    settings: Settings

    def show(self, query: str | None, *, as_json: bool) -> None:
        async def work(database: Database) -> list[UserRecord]:
            async with database.transaction(Role.GATE) as db:
                return await People(db, SYSTEM).all(UserFilter(q=query))

        for user in self._with_database(work):
            typer.echo(json.dumps(asdict(user), default=str, ensure_ascii=False) if as_json else _line(user))

    def create(self, wanted: Mapping[str, Any]) -> None:
        """Make an account; without a password, print the link by which it is chosen."""
        line = _valid(wanted)
        if line.password is not None:
            require_strong(line.password, line.email, line.email.partition("@")[0], line.name or "")

        async def work(database: Database) -> str | None:
            hashed = await _hashed(line.password)
            async with database.transaction(Role.GATE) as db:
                if line.organization == DEFAULT_SLUG:
                    await Organizations(db).ensure_default()
                await Roll(db, now()).create(line, hashed)
                return await People(db, SYSTEM).link(line.email) if hashed is None else None

        token = self._with_database(work)
        say(f"The account {line.email} was made.")
        if token is not None:
            typer.echo(Letters(self.settings.accounts.public_url).reset(line.email, token).link)

    def change(self, email: str, **wanted: Any) -> None:
        """Change an account and show it."""

        async def work(database: Database) -> UserRecord:
            async with database.transaction(Role.GATE) as db:
                people = People(db, SYSTEM)
                return await people.change((await people.by_email(email)).id, UserChange(**wanted))

        typer.echo(_line(self._with_database(work)))

    def forget_factor(self, email: str) -> None:
        async def work(database: Database) -> None:
            async with database.transaction(Role.GATE) as db:
                people = People(db, SYSTEM)
                await people.forget_factor((await people.by_email(email)).id)

        self._with_database(work)
        say(f"Logins of {email} ask for no second factor any more.")

    def import_file(self, file: Path, *, partial: bool, dry_run: bool) -> bool:
        """Bring a file in and say what became of each line; whether no line failed."""
        entries = userfile.parsed(_read(file), userfile.form_of(file.name))

        async def work(database: Database) -> list[Result]:
            passwords = Passwords()
            try:
                with stage("Read", len(entries)) as advance:
                    run = Import(database, passwords).run
                    return await run(entries, partial=partial, dry_run=dry_run, advance=advance)
            finally:
                await passwords.close()

        results = self._with_database(work)
        for result in results:
            typer.echo(plain(f"{result.number}\t{result.outcome}\t{result.email}\t{result.detail}".rstrip()))
        return _conclude(results, partial=partial, dry_run=dry_run)

    def export_file(self, file: Path, *, hashes: bool) -> None:
        form = userfile.form_of(file.name)

        async def work(database: Database) -> str:
            async with database.transaction(Role.GATE) as db:
                return userfile.written(await PeopleRows(db).carried(), form, hashes=hashes)

        _write(file, self._with_database(work))
        say(f"Written to {file}.")

    def _with_database(self, work: Callable[[Database], Awaitable[T]]) -> T:
        async def run(dsn: str) -> T:
            await migrate(dsn)
            database = Database.at(dsn, self.settings.database, purpose="users")
            await database.open()
            try:
                return await work(database)
            finally:
                await database.close()

        with joined(self.settings) as dsn:
            return asyncio.run(run(dsn))


async def _hashed(password: str | None) -> str | None:
    if password is None:
        return None
    passwords = Passwords()
    try:
        return await passwords.hash(password)
    finally:
        await passwords.close()


def _valid(wanted: Mapping[str, Any]) -> UserLine:
    try:
        return UserLine.model_validate(wanted)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserLineInvalid(
            f"{'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ').rstrip('.')}.",
            hint="Correct it; with --link no password is needed.",
        ) from error


def _line(user: UserRecord) -> str:
    state = ("enabled" if user.enabled else "disabled") + (", operator" if user.operator else "")
    places = ", ".join(f"{place.slug} ({place.role})" for place in user.organizations)
    return plain(f"{user.email}\t{user.tier}\t{state}\t{places}")


def _conclude(results: list[Result], *, partial: bool, dry_run: bool) -> bool:
    counts = {name: sum(one.outcome == name for one in results) for name in ("created", "changed", "unchanged")}
    failed = len(results) - sum(counts.values())
    say(", ".join(f"{name} {count}" for name, count in counts.items()) + f", failed {failed}")
    if dry_run:
        say("This was a rehearsal: nothing was changed.")
    elif failed and not partial:
        say("Nothing was changed. Correct the lines that failed, or give --partial to import the others.")
    return failed == 0


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise UserFileInvalid("The file is larger than 64 MiB.", hint="Split it.")
        return file.read_text("utf-8-sig")
    except OSError as error:
        raise UserFileInvalid(f"{file} cannot be read: {error.strerror}.", hint="Check its path and rights.") from error
    except UnicodeDecodeError as error:
        raise UserFileInvalid(f"{file} is no text in UTF-8.", hint="Save it in UTF-8.") from error


def _write(file: Path, text: str) -> None:
    try:
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UserFileInvalid(f"{file} cannot be written: {error.strerror}.", hint="Choose another place.") from error
