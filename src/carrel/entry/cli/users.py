"""`carrel users`: the people of this installation, for whoever runs it."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carrel.entry.cli import configuration
from carrel.entry.cli.screen import problems_in_words

if TYPE_CHECKING:
    from carrel.entry.cli.people import Registry

users = typer.Typer(name="users", help="People and their accounts, also while no server runs.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="The e-mail address of the account.")]


class Tier(StrEnum):
    FREE = "free"
    PRO = "pro"
    ENTERPRISE = "enterprise"
    ADMIN = "admin"


class RoleChoice(StrEnum):
    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"


@users.callback()
def _group() -> None:
    """People and their accounts, also while no server runs."""


@users.command("list")
def list_users(
    query: Annotated[str | None, typer.Argument(help="A part of the address or name.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each account.")] = False,
) -> None:
    """List accounts: address, tier, state and organizations, with tabs between them."""
    with problems_in_words():
        _registry().show(query, as_json=as_json)


@users.command()
def create(
    email: Email,
    *,
    organization: Annotated[str, typer.Option(help="The slug of the organization to belong to.")] = "default",
    role: Annotated[RoleChoice, typer.Option(help="The role there.")] = RoleChoice.MEMBER,
    name: Annotated[str, typer.Option(help="What others call them.")] = "",
    operator: Annotated[
        bool, typer.Option("--operator", help="May look after the whole server: its organizations and people.")
    ] = False,
    link: Annotated[bool, typer.Option("--link", help="Ask for no password; print a link to choose one.")] = False,
) -> None:
    """Make an account. The password is asked for or read from a pipe, or chosen by a link (--link)."""
    with problems_in_words():
        registry = _registry()
        wanted = {"email": email, "organization": organization, "role": role.value, "name": name or None}
        registry.create({**wanted, "operator": operator, "password": None if link else _password()})


@users.command()
def operator(
    email: Email, revoke: Annotated[bool, typer.Option("--revoke", help="Take the right away again.")] = False
) -> None:
    """Let somebody look after the whole server: its organizations and people."""
    with problems_in_words():
        _registry().change(email, operator=not revoke)


@users.command()
def tier(email: Email, level: Annotated[Tier, typer.Argument(help="What the person may use.")]) -> None:
    """Give somebody another tier, which multiplies the rate limit."""
    with problems_in_words():
        _registry().change(email, tier=level.value)


@users.command()
def disable(email: Email) -> None:
    """Switch an account off. All its sessions end within 5 seconds."""
    with problems_in_words():
        _registry().change(email, enabled=False)


@users.command()
def enable(email: Email) -> None:
    """Switch an account on again."""
    with problems_in_words():
        _registry().change(email, enabled=True)


@users.command("forget-factor")
def forget_factor(email: Email) -> None:
    """Let somebody in without the second factor, who has lost it and all recovery codes."""
    with problems_in_words():
        _registry().forget_factor(email)


@users.command("import")
def import_users(
    file: Annotated[Path, typer.Argument(help="A .csv or .json file, as `carrel users export` writes it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Import the good lines although others fail.")] = False,
) -> None:
    """Make accounts and memberships, or change them. All lines or none; running it again changes nothing."""
    with problems_in_words():
        complete = _registry().import_file(file, partial=partial, dry_run=dry_run)
    if not complete:
        raise typer.Exit(1)


@users.command("export")
def export_users(
    file: Annotated[Path, typer.Argument(help="The .csv or .json file to write.")],
    password_hashes: Annotated[
        bool, typer.Option("--password-hashes", help="Write the hashes too, to move to another server.")
    ] = False,
) -> None:
    """Write all accounts and memberships into a file that only you can read."""
    with problems_in_words():
        _registry().export_file(file, hashes=password_hashes)


def _registry() -> "Registry":
    # Only here: the supervisor is a command, too, and must not carry drivers.
    from carrel.entry.cli.people import Registry

    return Registry(configuration.read())


def _password() -> str:
    stdin = typer.get_text_stream("stdin")
    if stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return stdin.readline().rstrip("\r\n")
