import os
import signal
import socket
import stat
import subprocess
import sys
import time

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.conftest import SERVER
from tests.entry.cli import small_disk
from tests.entry.cli.place import COMMAND

STOPS_WITHIN = 5.0
MODEL_LINE = "Converting the model"
DATABASE_LINE = "Creating the database"


def sentences(ended):
    """The two lines of a failure: what, and what to do."""
    assert ended.returncode not in {0, None}, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"], ended.stderr
    return ended.stderr


class TestServe:
    def test_it_starts_everything_says_so_calmly_and_ends_without_a_trace(self, place):
        process = place.serving(REGISTRATION="open")
        alive = httpx.get(f"{place.url}/health").status_code
        banner, run_file = place.prose, place.data / "run.json"
        mode, key = stat.S_IMODE(run_file.stat().st_mode), place.key

        status, seconds = place.end(process, signal.SIGINT)

        assert alive == 200
        assert mode == 0o600
        assert len(banner) <= 10
        assert [line for line in banner if DATABASE_LINE in line] == banner[:1]
        assert any(key in line for line in banner)
        assert any("anybody may register" in line and "links go to this log" in line for line in banner)
        assert status == 0, place.said
        assert seconds < STOPS_WITHIN
        assert not run_file.exists()
        assert place.survivors() == []
        assert "Traceback" not in place.said

    def test_a_signal_while_the_database_is_created_ends_it(self, place):
        process = place.start("serve")
        place.until(lambda: DATABASE_LINE in place.said, process)
        place.until((place.data / "postgres" / "cluster.new").exists, process)

        status, seconds = place.end(process)

        assert (status, place.prose[1:]) == (0, [])
        assert seconds < STOPS_WITHIN
        # Programs that the database's maker had started end when they notice that it is gone.
        _wait_until(lambda: place.survivors() == [])
        assert not (place.data / "postgres" / "cluster").exists()

    def test_a_signal_while_the_model_is_converted_ends_it(self, place, dsn):
        (place.data / "models" / "cache").unlink()
        process = place.start("serve", DATABASE_URL=dsn)
        place.until(lambda: MODEL_LINE in place.said, process)

        status, seconds = place.end(process)

        assert (status, len(place.prose)) == (0, 1)
        assert seconds < STOPS_WITHIN
        # The kernel ends the converter with its parent, which may be a moment later.
        assert place.left_after(5.0) == []
        assert list((place.data / "models" / "cache").glob("*.onnx")) == []

    def test_without_redis_it_starts_and_says_so_once_in_each_process(self, place, dsn):
        process = place.serving(DATABASE_URL=dsn, REDIS_URL="redis://127.0.0.1:9")
        status, _ = place.end(process, signal.SIGTERM)

        complaints = [event["process"] for event in place.events if "redis is unreachable" in event["event"]]
        assert status == 0, place.said
        assert "api" in complaints
        assert len(complaints) == len(set(complaints))


class TestRefusals:
    def test_a_second_server_is_told_of_the_first(self, running):
        refused = sentences(running.run("serve"))

        assert "carrel serve" in refused
        assert running.url in refused

    def test_a_port_that_is_taken(self, place):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])

            refused = sentences(place.run("serve", SERVER_PORT=port))

        assert f"127.0.0.1:{port}" in refused
        assert "SERVER_PORT" in refused

    def test_a_data_folder_that_cannot_be_made(self, place):
        (place.folder / "file").touch()

        refused = sentences(place.run("serve", DATA_DIR=str(place.folder / "file" / "data")))

        assert "cannot be written to" in refused
        assert "DATA_DIR" in refused

    def test_too_little_disk(self, place):
        folder = place.folder / "disk"
        folder.mkdir()
        command = [sys.executable, small_disk.__file__, folder, *COMMAND, "serve"]
        environment = {**place.environment, "DATA_DIR": str(folder)}

        ended = subprocess.run(
            command, cwd=place.folder, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

        if ended.returncode == small_disk.NOT_ALLOWED:
            pytest.skip("this user may not mount a small disk")
        assert "MB are free" in sentences(ended)

    def test_a_model_that_is_not_there(self, place):
        refused = sentences(place.run("serve", MODEL_PATH=str(place.folder / "nowhere")))

        assert "nowhere" in refused
        assert not (place.data / "postgres").exists()

    def test_a_setting_that_cannot_be_used(self, place):
        assert "SERVER_PORT" in sentences(place.run("serve", SERVER_PORT="99999"))

    def test_a_worker_alone_needs_a_database(self, place):
        assert "DATABASE_URL" in sentences(place.run("worker"))

    def test_an_old_python(self, place):
        code = "import sys; sys.version_info = (3, 10, 13, 'final', 0); import carrel.entry.cli"
        ended = subprocess.run(
            [sys.executable, "-c", code], env=place.environment, capture_output=True, text=True, check=False
        )

        assert "Python 3.11" in sentences(ended)


class TestDatabases:
    """What is wrong with a database is said once, although several processes use it."""

    def test_a_server_that_is_not_there(self, place):
        refused = sentences(place.run("serve", DATABASE_URL="postgresql://carrel:secret@127.0.0.1:9/carrel"))

        assert "refused" in refused
        assert "secret" not in refused

    def test_a_worker_says_it_as_well(self, place):
        assert "refused" in sentences(place.run("worker", DATABASE_URL="postgresql://carrel@127.0.0.1:9/carrel"))

    def test_an_address_that_cannot_be_understood(self, place):
        assert "postgresql://" in sentences(place.run("migrate", DATABASE_URL="my database"))

    def test_a_wrong_password(self, place):
        dsn = make_conninfo(os.environ[SERVER], password="wrong")

        assert "password authentication failed" in sentences(place.run("migrate", DATABASE_URL=dsn))

    def test_a_database_that_does_not_exist(self, place):
        dsn = make_conninfo(os.environ[SERVER], dbname="nothing_of_this_name")

        assert "nothing_of_this_name" in sentences(place.run("migrate", DATABASE_URL=dsn))

    def test_a_server_without_pgvector(self, place, empty_database):
        with psycopg.connect(empty_database, autocommit=True) as connection:
            name = connection.info.dbname
            connection.execute(f"ALTER DATABASE {name} SET extension_control_path = '/nowhere'")

        assert "pgvector" in sentences(place.run("migrate", DATABASE_URL=empty_database))


def _wait_until(condition):
    end = time.monotonic() + STOPS_WITHIN
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
