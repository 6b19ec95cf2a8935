"""`carrel audit`: is the audit log as it was written, and the log as a file. Both read the database itself."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carrel.core.errors import Problem
from carrel.entry.cli import configuration
from carrel.entry.cli.database import is_created, joined
from carrel.entry.cli.screen import problems_in_words, say
from carrel.infra.settings import Settings
from carrel.tenants.errors import OrganizationNotFound

if TYPE_CHECKING:
    from carrel.auth.repository_audit import Chain
    from carrel.auth.schemas_audit import Filter, Verification
    from carrel.infra.db import Database

audit = typer.Typer(name="audit", help="Check the audit log, or write it into a file.", no_args_is_help=True)

CHAINS_AT_ONCE = 100
Slug = Annotated[str | None, typer.Option("--organization", help="The slug of an organization.")]


class NoDatabase(Problem):
    """There is no database on this data directory."""

    code, title, status = "no-database", "There is no database", 503


class AuditLogBroken(Problem):
    """An event of the audit log was changed, removed or added behind the server's back."""

    code, title, status = "audit-log-broken", "The audit log is not as it was written", 500


@audit.command()
def verify(organization: Slug = None) -> None:
    """Check that no event was changed, removed or added. Looks at every log, or that of one organization.

    Prints for each log the number and the hash of its last event: kept elsewhere, they also show a log that was written
    anew as a whole. Exits with 1 where something is wrong.
    """
    _run(lambda database: _verify(database, organization))


@audit.command()
def export(
    organization: Slug = None,
    server: Annotated[bool, typer.Option("--server", help="The log of what belongs to no organization.")] = False,
    form: Annotated[str, typer.Option("--format", help="ndjson or csv.")] = "ndjson",
    since: Annotated[datetime | None, typer.Option("--from", help="Events from this moment on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="Events before this moment (UTC).")] = None,
) -> None:
    """Print a log, oldest event first: of one organization, or with --server of the server."""
    if (organization is None) != server:
        raise typer.BadParameter("Give either --organization SLUG (the first one is `default`) or --server.")
    if form not in {"ndjson", "csv"}:
        raise typer.BadParameter("It is ndjson or csv.", param_hint="--format")
    _run(lambda database: _export(database, organization, form, (since, until)))


def _run(work: "Callable[[Database], Coroutine[Any, Any, None]]") -> None:
    with problems_in_words():
        settings = configuration.read()
        if not is_created(settings):
            raise NoDatabase("There is no database yet.", hint="`carrel serve` creates it; check DATA_DIR.")
        with joined(settings) as dsn:
            asyncio.run(_with_database(dsn, settings, work))


async def _with_database(dsn: str, settings: Settings, work: "Callable[[Database], Coroutine[Any, Any, None]]") -> None:
    # Only here: the supervisor is a command, too, and must not carry the driver.
    from carrel.infra.db.migrate import require_current
    from carrel.infra.telemetry import logs

    # What is wrong is said in a sentence; a connection that came at the second try is not.
    logs.configure("critical", process="audit")
    await require_current(dsn)
    async with _opened(dsn, settings) as database:
        await work(database)


@asynccontextmanager
async def _opened(dsn: str, settings: Settings) -> "AsyncIterator[Database]":
    from carrel.infra.db import Database  # The driver, as above.

    database = Database.at(dsn, settings.database, purpose="audit")
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def _verify(database: "Database", organization: str | None) -> None:
    broken: list[str] = []
    async for chain in _chains(database, organization):
        told = await _verified(database, chain)
        name, state = chain.slug or "(server)", "ok" if told.ok else "broken"
        typer.echo(f"{state:<6}  {name}  {told.events} events, last {told.last_sequence} {told.last_hash}")
        if told.reason is not None:
            broken.append(f"{name}: {told.reason}")
    if broken:
        raise AuditLogBroken(
            " ".join(broken), hint="Keep a copy of the database as it is, and compare with an export or a backup."
        )
    say("Every audit log is as it was written." if organization is None else "The audit log is as it was written.")


async def _export(
    database: "Database", organization: str | None, form: str, times: tuple[datetime | None, datetime | None]
) -> None:
    from carrel.auth.audit import SERVER
    from carrel.auth.audit_reading import AuditExport, require_order
    from carrel.infra.db import Role

    chain = SERVER if organization is None else (await _by_slug(database, organization)).tenant
    wanted = _between(*times)
    require_order(wanted)
    async for lines in AuditExport(lambda: database.transaction(Role.GATE), chain).lines(
        "csv" if form == "csv" else "ndjson", wanted
    ):
        typer.echo(lines, nl=False)


def _between(since: datetime | None, until: datetime | None) -> "Filter":
    from carrel.auth.schemas_audit import Filter

    return Filter(since=since and since.replace(tzinfo=UTC), until=until and until.replace(tzinfo=UTC))


async def _chains(database: "Database", slug: str | None) -> "AsyncIterator[Chain]":
    from carrel.auth.repository_audit import Chains
    from carrel.infra.db import Role

    if slug is not None:
        yield await _by_slug(database, slug)
        return
    last = None
    while True:
        async with database.transaction(Role.GATE) as db:
            found = await Chains(db).after(last, CHAINS_AT_ONCE)
        for chain in found:
            yield chain
        if not found:
            return
        last = found[-1].tenant


async def _by_slug(database: "Database", slug: str) -> "Chain":
    from carrel.auth.repository_audit import Chains
    from carrel.infra.db import Role

    async with database.transaction(Role.GATE) as db:
        found = await Chains(db).of(slug)
    if found is None:
        raise OrganizationNotFound(f"No organization has the slug `{slug}`.", hint="The first one is `default`.")
    return found


async def _verified(database: "Database", chain: "Chain") -> "Verification":
    from carrel.auth.audit_reading import AuditCheck
    from carrel.infra.db import Role

    snapshot = database.snapshot(Role.GATE)
    try:
        return await AuditCheck(snapshot, chain.tenant).verify()
    finally:
        await snapshot.abandon()
