import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from carrel.infra.postgres import EmbeddedPostgres
from carrel.infra.postgres.layout import Layout

OWNER = Path(__file__).with_name("owner.py")
FAST = {"fsync": "off"}


class Owner:
    """Another process that has started, or failed to start, a server."""

    def __init__(self, folder, **options):
        self.sockets = Layout.of(folder).sockets
        self.process = subprocess.Popen(
            [sys.executable, str(OWNER), str(folder), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.defpath},
        )

    def answer(self):
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@pytest.fixture
def given_owner():
    owners: list[Owner] = []

    def start(folder, **options):
        owners.append(Owner(folder, **options))
        return owners[-1]

    yield start
    for owner in owners:
        owner.end()
        # Nobody was left to do this for an owner that was killed.
        shutil.rmtree(owner.sockets, ignore_errors=True)


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """A folder with a new, cleanly stopped database. Copied, because creating one takes seconds."""
    folder: Path = tmp_path_factory.mktemp("template") / "postgres"
    with EmbeddedPostgres(folder, settings=FAST):
        pass
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory, template) -> Path:
    """A folder with a database for all tests that leave no damage. It lives through all their crashes."""
    copy: Path = tmp_path_factory.mktemp("shared") / "postgres"
    shutil.copytree(template, copy)
    return copy


@pytest.fixture
def own_folder(tmp_path, template) -> Path:
    """A folder with a new database for one test alone."""
    copy: Path = tmp_path / "postgres"
    shutil.copytree(template, copy)
    return copy


@pytest.fixture
def hollow_folder(tmp_path):
    """A folder that looks like one with a database, for what must be refused before a server is started."""
    (tmp_path / "cluster").mkdir(mode=0o700)
    (tmp_path / "cluster" / "PG_VERSION").write_text("18\n")
    return tmp_path


@pytest.fixture
def given_postgres():
    """Makes servers that are stopped at the end of the test."""
    made: list[EmbeddedPostgres] = []

    def make(folder, **options):
        made.append(EmbeddedPostgres(folder, **{"settings": FAST, **options}))
        return made[-1]

    yield make
    for postgres in made:
        postgres.stop(0.5)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, as the one of the test runner is not."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def ask():
    def ask(dsn, statement):
        with psycopg.connect(dsn, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    return ask


@pytest.fixture
def gone():
    """Whether a process ends within a few seconds."""

    def gone(pid):
        end = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    return gone
