import os
import signal
import socket
import stat
import threading
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from carrel.infra.postgres import EmbeddedPostgres, read_dsn
from carrel.infra.postgres.address import address
from carrel.infra.postgres.errors import (
    FolderBusy,
    PasswordUnusable,
    SocketFolderTaken,
    StartFailed,
    StartTimeout,
)
from carrel.infra.postgres.layout import Layout


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """A new server with the settings of every day, in a place with spaces and a path of 200 characters."""
    base = tmp_path_factory.mktemp("data of tests")
    folder = base / ("a long name " * 20)[: 200 - len(str(base))].replace(" ", "  ").strip()
    with EmbeddedPostgres(folder) as postgres:
        yield postgres


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class TestANewServer:
    def test_works_in_a_long_path_with_spaces(self, postgres, ask):
        folder = postgres._layout.folder

        assert len(str(folder)) >= 200
        assert "  " in str(folder)
        assert ask(postgres.dsn(), "SELECT 1") == [(1,)]

    def test_is_version_18_with_vectors(self, postgres, ask):
        ask(postgres.dsn(), "CREATE EXTENSION vector")

        assert ask(postgres.dsn(), "SELECT current_setting('server_version_num')::int / 10000") == [(18,)]
        assert ask(postgres.dsn(), "SELECT '[1,2]'::halfvec(2) <-> '[1,2]'") == [(0.0,)]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("data_checksums", "on"),
            ("fsync", "on"),
            ("synchronous_commit", "on"),
            ("full_page_writes", "on"),
            ("server_encoding", "UTF8"),
            ("password_encryption", "scram-sha-256"),
            ("listen_addresses", ""),
            ("jit", "off"),
            ("max_connections", "100"),
        ],
    )
    def test_is_set_up_for_safety_and_little_memory(self, postgres, ask, name, value):
        assert ask(postgres.dsn(), f"SHOW {name}") == [(value,)]

    def test_sorts_and_folds_by_unicode_the_same_way_everywhere(self, postgres, ask):
        [(provider, locale, folded)] = ask(
            postgres.dsn(),
            "SELECT datlocprovider, datlocale, lower('ÉÄ') FROM pg_database WHERE datname = current_database()",
        )

        assert (provider, locale, folded) == ("b", "C.UTF-8", "éä")

    def test_lets_nobody_in_without_the_password(self, postgres):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(postgres.dsn(), password="guess")

    def test_asks_for_a_password_on_every_way_in(self, postgres, ask):
        methods = ask(postgres.dsn(), "SELECT DISTINCT auth_method FROM pg_hba_file_rules")

        assert methods == [("scram-sha-256",)]

    def test_keeps_its_socket_in_a_private_folder_with_a_short_path(self, postgres):
        host = str(conninfo_to_dict(postgres.dsn())["host"])
        found = Path(host).stat()

        assert stat.S_IMODE(found.st_mode) == 0o700
        assert found.st_uid == os.geteuid()
        assert len(f"{host}/.s.PGSQL.65535.lock") < 108

    @pytest.mark.parametrize("name", ["password", "server.log", "owner.lock", "cluster"])
    def test_keeps_its_files_to_its_user(self, postgres, name):
        mode = (postgres._layout.folder / name).stat().st_mode

        assert stat.S_IMODE(mode) & 0o077 == 0

    def test_writes_no_statement_and_no_value_to_its_log(self, postgres, ask):
        with pytest.raises(psycopg.errors.UniqueViolation):
            ask(postgres.dsn(), "CREATE TABLE t (s text UNIQUE); INSERT INTO t VALUES ('canary'), ('canary')")

        log = postgres._layout.log.read_text()
        assert "duplicate key" in log
        assert "canary" not in log

    def test_is_not_started_a_second_time_while_it_runs(self, postgres):
        before = postgres.pid

        postgres.start()

        assert postgres.pid == before
        assert postgres.poll() is None

    def test_refuses_a_second_owner_and_names_the_first(self, postgres):
        with pytest.raises(FolderBusy, match=rf"process {os.getpid()} \(.+\), started 2") as refused:
            EmbeddedPostgres(postgres._layout.folder).start()

        assert refused.value.facts["pid"] == os.getpid()

    def test_is_still_owned_after_a_second_owner_was_refused(self, postgres, ask):
        with pytest.raises(FolderBusy):
            EmbeddedPostgres(postgres._layout.folder).start()

        assert ask(postgres.dsn(), "SELECT 1") == [(1,)]

    def test_tells_another_process_its_address(self, postgres, ask):
        dsn = read_dsn(postgres._layout.folder, "template1")

        assert dsn == postgres.dsn("template1")
        assert ask(dsn, "SELECT current_database()") == [("template1",)]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
@settings(deadline=None, database=None)  # the checkout may be read-only
def test_every_database_name_survives_the_conninfo(database):
    conninfo = address(Layout(Path("/some/folder")), 5432, database)

    assert conninfo_to_dict(conninfo)["dbname"] == database


def test_the_address_of_a_folder_that_never_held_a_server_is_refused(tmp_path):
    with pytest.raises(PasswordUnusable) as refused:
        read_dsn(tmp_path)

    assert "start the server once" in (refused.value.hint or "")


class TestTcp:
    def test_listens_on_the_own_machine_when_asked(self, folder, given_postgres, free_port, ask):
        postgres = given_postgres(folder, port=free_port)

        postgres.start()

        assert ask(f"{postgres.dsn()} host=127.0.0.1", "SHOW listen_addresses") == [("127.0.0.1",)]
        assert ask(read_dsn(folder), "SHOW port") == [(str(free_port),)]

    def test_names_a_port_that_is_taken(self, folder, given_postgres):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(StartFailed) as failed:
                given_postgres(folder, port=port).start()

        assert f"listens on port {port}" in (failed.value.hint or "")


class TestStop:
    def test_leaves_no_socket_folder_and_no_lock(self, folder, given_postgres):
        first, second = given_postgres(folder), given_postgres(folder)
        first.start()
        sockets = first._layout.sockets
        assert sockets.exists()

        first.stop()

        assert first.poll() == 0
        assert first.pid is None
        assert not sockets.exists()
        second.start()
        assert second.pid

    def test_ends_a_server_that_does_not_listen_and_keeps_its_data(self, own_folder, given_postgres, ask):
        postgres = given_postgres(own_folder)
        postgres.start()
        ask(postgres.dsn(), "CREATE TABLE kept AS SELECT 1 AS n")
        os.kill(postgres.pid, signal.SIGSTOP)

        postgres.stop(0.1)

        assert postgres.poll() == -signal.SIGKILL
        postgres.start()
        assert ask(postgres.dsn(), "SELECT n FROM kept") == [(1,)]

    def test_does_not_wait_for_clients(self, folder, given_postgres):
        postgres = given_postgres(folder)
        postgres.start()
        with closing(psycopg.connect(postgres.dsn())) as client:
            client.execute("SELECT 1")
            begin = time.monotonic()
            postgres.stop()

        assert postgres.poll() == 0
        assert time.monotonic() - begin < 4

    def test_does_nothing_before_a_start(self, folder, given_postgres):
        postgres = given_postgres(folder)

        postgres.stop()

        assert postgres.poll() is None
        assert postgres.pid is None


class TestAStartThatFails:
    def test_carries_the_last_lines_of_the_log(self, folder, given_postgres):
        with pytest.raises(StartFailed) as failed:
            given_postgres(folder, settings={"max_connections": "many"}).start()

        assert "max_connections" in failed.value.detail
        assert "max_connections" in str(failed.value.facts["log"])
        assert "server.log" in (failed.value.hint or "")

    def test_gives_the_folder_back(self, folder, given_postgres, ask):
        with pytest.raises(StartFailed):
            given_postgres(folder, settings={"max_connections": "many"}).start()

        postgres = given_postgres(folder)
        postgres.start()
        assert ask(postgres.dsn(), "SELECT 1") == [(1,)]

    def test_ends_what_it_began_when_time_is_up(self, folder, given_postgres, gone):
        postgres = given_postgres(folder)

        with pytest.raises(StartTimeout) as late:
            postgres.start(timeout=0)

        assert "more time" in (late.value.hint or "")
        assert postgres.poll() is not None
        assert gone(postgres._process.pid)

    def test_is_refused_outside_the_main_thread(self, folder, given_postgres):
        postgres = given_postgres(folder)
        caught = []

        def start():
            try:
                postgres.start()
            except RuntimeError as refused:
                caught.append(str(refused))

        thread = threading.Thread(target=start)
        thread.start()
        thread.join()

        assert "main thread" in caught[0]
        assert postgres.pid is None

    def test_says_when_the_password_is_not_the_one_of_the_database(self, own_folder, given_postgres):
        (own_folder / "password").write_text("another\n")

        with pytest.raises(PasswordUnusable, match="is not the one"):
            given_postgres(own_folder).start()

    def test_says_when_the_password_is_gone(self, hollow_folder, given_postgres):
        with pytest.raises(PasswordUnusable, match="holds no password"):
            given_postgres(hollow_folder).start()

    def test_does_not_follow_a_link_laid_where_the_socket_goes(self, folder, given_postgres, tmp_path):
        postgres = given_postgres(folder)
        trap = tmp_path / "trap"
        trap.mkdir()
        postgres._layout.sockets.symlink_to(trap)

        try:
            with pytest.raises(SocketFolderTaken) as refused:
                postgres.start()
        finally:
            postgres._layout.sockets.unlink()

        assert "Remove" in (refused.value.hint or "")
        assert list(trap.iterdir()) == []
