"""As whom the server runs. PostgreSQL refuses to be root, and changing accounts or permissions is not ours to do."""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from carrel.infra.postgres.binaries import Binaries
from carrel.infra.postgres.errors import FolderUnusable, NoOrdinaryUser
from carrel.infra.postgres.launch import NO_FOLDER, NO_IDENTITY, NO_PROGRAM
from carrel.infra.postgres.layout import Layout

LAUNCHER = Path(__file__).with_name("launch.py")
FALLBACK_ACCOUNTS = ("postgres", "nobody")
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


@dataclass(frozen=True, slots=True)
class Identity:
    """`own`: as we are. `namespace`: we, seen by the server as `uid`. `account`: really another user."""

    mode: Literal["own", "namespace", "account"]
    uid: int
    gid: int

    @property
    def file_owner(self) -> tuple[int, int]:
        """User and group of the server's files, as seen from outside a namespace."""
        return (self.uid, self.gid) if self.mode == "account" else (os.geteuid(), os.getegid())


@dataclass(frozen=True, slots=True)
class Runner:
    """Programs of PostgreSQL for one folder, under the identity that was found to reach it."""

    layout: Layout
    binaries: Binaries
    identity: Identity

    def command(self, program: str, *arguments: str) -> list[str]:
        """How to run a program so that it is signalled when the calling thread dies."""
        identity, path = self.identity, self.binaries.program(program)
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), identity.mode]
        return [*launcher, str(identity.uid), str(identity.gid), str(self.layout.folder), str(path), *arguments]


def choose(layout: Layout, binaries: Binaries, account: str | None) -> Runner:
    """The first identity that reaches programs and data; `NoOrdinaryUser` tells why none did."""
    data_owner = layout.cluster.stat().st_uid if layout.cluster.exists() else None
    if os.geteuid() != 0 and data_owner not in {None, os.geteuid()}:
        raise FolderUnusable(
            f"The database in {layout.cluster} belongs to user {data_owner}, and this process is user {os.geteuid()}.",
            hint=f"Start as user {data_owner}, or choose another data folder.",
        )
    if os.geteuid() != 0 and _has_a_name(os.geteuid()):
        return Runner(layout, binaries, Identity("own", os.geteuid(), os.getegid()))
    failures = []
    for label, candidate in _candidates(account):
        if isinstance(candidate, Identity):
            runner = Runner(layout, binaries, candidate)
            failure = _obstacle(runner, data_owner)
            if failure is None:
                return runner
            failures.append(f"{label}: {failure}")
        else:
            failures.append(f"{label}: {candidate}")
    raise _nobody_fits(layout, failures)


def _candidates(account: str | None) -> Iterator[tuple[str, Identity | str]]:
    inner = _inner_user()
    yield "a user namespace", Identity("namespace", inner.pw_uid, inner.pw_gid)
    if os.geteuid() == 0:
        for name in (account,) if account else FALLBACK_ACCOUNTS:
            yield f"account {name}", _account(name)


def _account(name: str) -> Identity | str:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return "does not exist"
    return Identity("account", found.pw_uid, found.pw_gid) if found.pw_uid else "is root"


def _inner_user() -> pwd.struct_passwd:
    # `initdb` looks its user up and fails for an id without a name, so 1000 cannot simply be taken everywhere.
    ordinary = [user for user in pwd.getpwall() if user.pw_uid != 0]
    if not ordinary:
        raise NoOrdinaryUser(
            "The user database of this system knows no user but root.",
            hint="Add an ordinary user (a line in /etc/passwd is enough), or set DATABASE_URL.",
        )
    # The overflow id is the last choice: files of every unmapped user seem to belong to it.
    return min(ordinary, key=lambda user: (user.pw_uid == 65534, user.pw_uid != 1000, user.pw_uid))


def _has_a_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _obstacle(runner: Runner, data_owner: int | None) -> str | None:
    if data_owner not in {None, runner.identity.file_owner[0]}:
        return f"the database belongs to user {data_owner}"
    # Tried for real, because permissions, security modules and limits are too many to reason about.
    command = runner.command("postgres", "--version")
    try:
        tried = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return "did not answer"
    reasons = {
        0: None,
        NO_IDENTITY: "not allowed here",
        NO_FOLDER: f"cannot enter {runner.layout.folder}",
        NO_PROGRAM: f"cannot run {runner.binaries.program('postgres')}",
    }
    return reasons.get(tried.returncode, tried.stderr.strip() or f"ended with status {tried.returncode}")


def _nobody_fits(layout: Layout, failures: list[str]) -> NoOrdinaryUser:
    user = os.geteuid()
    refused = "PostgreSQL does not run as root" if user == 0 else f"PostgreSQL does not run as the nameless user {user}"
    return NoOrdinaryUser(
        f"{refused}, and nobody can take its place ({'; '.join(failures)}).",
        hint=f"Start as an ordinary user that owns {layout.folder}; or allow user namespaces; or let the account "
        "postgres (or another one that you name) enter the data folder and the installed packages; "
        "or set DATABASE_URL.",
        tried=failures,
    )
