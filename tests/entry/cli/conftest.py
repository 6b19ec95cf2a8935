import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from carrel.core.ids import uuid7
from tests.conftest import SERVER
from tests.entry.cli.place import Place


@pytest.fixture(scope="session")
def converted(tmp_path_factory, worker_id) -> Path:
    """Conversions of the model that all processes of this run share: each costs many seconds."""
    base: Path = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "converted-models"
    folder.mkdir(exist_ok=True)
    return folder


def _with_model(place: Place, converted: Path) -> Place:
    (place.data / "models").mkdir(parents=True)
    (place.data / "models" / "cache").symlink_to(converted)
    return place


@pytest.fixture
def place(tmp_path, converted) -> Iterator[Place]:
    """A data directory of this test's own, with a converted model. Nothing may run on it at the end."""
    place = _with_model(Place(tmp_path), converted)
    yield place
    assert place.survivors() == []


@pytest.fixture(scope="session")
def running(tmp_path_factory, converted) -> Iterator[Place]:
    """A server that all tests share: each uses names of its own."""
    place = _with_model(Place(tmp_path_factory.mktemp("server")), converted)
    process = place.serving()
    yield place
    assert place.end(process)[0] == 0, place.said


@pytest.fixture
def empty_database() -> Iterator[str]:
    """The DSN of a database without any schema."""
    server, name = os.environ[SERVER], f"empty_{uuid7().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield make_conninfo(server, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
