"""Every death here is a real one, by a signal that cannot be caught."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import psycopg
import pytest

from carrel.infra.postgres import read_dsn
from carrel.infra.postgres.binaries import installed
from carrel.infra.postgres.errors import FolderBusy
from carrel.infra.postgres.identity import ENVIRONMENT, choose
from carrel.infra.postgres.layout import Layout

CHECK = "SELECT n FROM kept"


@pytest.fixture
def commit(ask):
    """Commits a row that no other test has written, and returns what `CHECK` must find."""

    def commit(dsn):
        number = secrets.randbits(31)
        ask(dsn, f"DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT {number} AS n")
        return [(number,)]

    return commit


def wait_until_dead(postgres):
    end = time.monotonic() + 10
    while (status := postgres.poll()) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    return status


class TestAKilledServer:
    def test_is_noticed_and_comes_back_on_the_same_address(self, folder, given_postgres, ask, commit):
        postgres = given_postgres(folder)
        postgres.start()
        dsn, first = postgres.dsn(), postgres.pid
        row = commit(dsn)

        os.kill(first, signal.SIGKILL)

        assert wait_until_dead(postgres) == -signal.SIGKILL
        assert postgres.pid is None
        postgres.start()
        assert postgres.pid != first
        assert postgres.dsn() == dsn
        assert ask(dsn, CHECK) == row

    def test_comes_back_although_one_of_its_processes_lives_on(self, folder, given_postgres, ask, commit):
        postgres = given_postgres(folder)
        postgres.start()
        row = commit(postgres.dsn())
        with closing(psycopg.connect(postgres.dsn())) as client:
            backend = client.info.backend_pid
            os.kill(backend, signal.SIGSTOP)
            os.kill(postgres.pid, signal.SIGKILL)
            wait_until_dead(postgres)

            postgres.start(timeout=6)

        assert ask(postgres.dsn(), CHECK) == row

    def test_keeps_the_folder_for_its_owner_meanwhile(self, folder, given_postgres):
        postgres = given_postgres(folder)
        postgres.start()
        os.kill(postgres.pid, signal.SIGKILL)
        wait_until_dead(postgres)

        with pytest.raises(FolderBusy):
            given_postgres(folder).start()


class TestAKilledOwner:
    def test_takes_its_server_along_and_loses_nothing(self, folder, given_owner, given_postgres, gone, ask, commit):
        owner = given_owner(folder)
        server = owner.answer()["pid"]
        row = commit(read_dsn(folder))

        owner.kill()

        assert gone(server)
        postgres = given_postgres(folder)
        postgres.start()
        assert ask(postgres.dsn(), CHECK) == row

    def test_may_be_replaced_at_once(self, folder, given_owner, given_postgres, ask, commit):
        owner = given_owner(folder)
        owner.answer()
        row = commit(read_dsn(folder))

        owner.kill()
        postgres = given_postgres(folder)
        postgres.start(timeout=20)

        assert ask(postgres.dsn(), CHECK) == row

    def test_may_have_been_killed_together_with_its_server(self, folder, given_owner, given_postgres, ask, commit):
        owner = given_owner(folder)
        server = owner.answer()["pid"]
        row = commit(read_dsn(folder))

        os.kill(server, signal.SIGKILL)
        owner.kill()
        postgres = given_postgres(folder)
        postgres.start()

        assert ask(postgres.dsn(), CHECK) == row

    def test_may_have_been_making_the_database(self, tmp_path, given_owner, given_postgres, ask):
        folder = tmp_path / "new"
        owner = given_owner(folder)
        end = time.monotonic() + 20
        while not (folder / "cluster.new" / "PG_VERSION").exists():
            assert time.monotonic() < end

        owner.kill()
        postgres = given_postgres(folder)
        postgres.start()

        assert ask(postgres.dsn(), "SELECT 1") == [(1,)]
        assert not (folder / "cluster.new").exists()

    def test_cannot_be_missed_between_its_death_and_the_launch(self, folder):
        runner = choose(Layout.of(folder), installed(), None)
        command = runner.command("postgres", "--version")
        command[command.index(str(os.getpid()))] = "1"  # the launcher finds another parent than it was told

        launched = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)

        assert launched.returncode == 126
        assert launched.stdout == ""


class TestTwoStarts:
    def test_at_once_give_one_server_and_one_sentence_that_names_its_owner(self, folder, given_owner):
        owners = [given_owner(folder), given_owner(folder)]

        answers = [owner.answer() for owner in owners]

        [winner] = [owner for owner, answer in zip(owners, answers, strict=True) if answer["code"] is None]
        [refusal] = [answer for answer in answers if answer["code"] is not None]
        assert refusal["code"] == "postgres-folder-busy"
        assert f"in use by process {winner.process.pid} (owner.py" in refusal["detail"]
        assert "Stop that process first" in refusal["hint"]

    def test_are_refused_when_the_first_server_was_started_by_hand(self, own_folder, given_postgres, ask):
        by_hand = given_postgres(own_folder)
        with running_by_hand(own_folder) as server:
            with pytest.raises(FolderBusy, match=f"by other means \\(process {server.pid}\\)") as refused:
                by_hand.start()
            assert server.poll() is None

        assert "pg_ctl stop" in (refused.value.hint or "")
        by_hand.start()
        assert ask(by_hand.dsn(), "SELECT 1") == [(1,)]


class TestAPidFile:
    @pytest.fixture
    def bystander(self):
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        yield process
        process.kill()
        process.wait()

    @pytest.mark.parametrize("content", ["", "\n", "17", "no number\n/nowhere\n", "\udcff\0"])
    def test_that_is_cut_off_or_nonsense_does_not_block_a_start(self, folder, given_postgres, ask, content):
        (folder / "cluster" / "postmaster.pid").write_text(content, errors="surrogateescape")
        postgres = given_postgres(folder)

        postgres.start()

        assert ask(postgres.dsn(), "SELECT 1") == [(1,)]

    def test_with_the_id_of_another_living_process_does_not_block_a_start(self, folder, given_postgres, ask, bystander):
        postgres = given_postgres(folder)
        record = f"{bystander.pid}\n{folder / 'cluster'}\n1700000000\n5432\n{postgres._layout.sockets}\n\n\nready\n"
        (folder / "cluster" / "postmaster.pid").write_text(record)
        postgres._layout.sockets.mkdir(mode=0o700)
        (postgres._layout.sockets / ".s.PGSQL.5432.lock").write_text(record)

        postgres.start()

        assert ask(postgres.dsn(), "SELECT 1") == [(1,)]
        assert bystander.poll() is None

    def test_of_an_owner_record_that_is_stale_does_not_block_a_start(self, folder, given_postgres, bystander, ask):
        record = {"pid": bystander.pid, "started": "2020-01-01T00:00:00+00:00", "purpose": "x", "port": 5432}
        (folder / "owner.lock").write_text(json.dumps(record) + "\n")
        postgres = given_postgres(folder)

        postgres.start()

        assert ask(postgres.dsn(), "SELECT 1") == [(1,)]


@contextmanager
def running_by_hand(folder):
    layout = Layout.of(folder)
    options = ["-c", f"unix_socket_directories={folder}", "-c", "listen_addresses=", "-c", "fsync=off"]
    command = choose(layout, installed(), None).command("postgres", "-D", str(layout.cluster), *options)
    with (folder / "by-hand.log").open("wb") as log:
        server = subprocess.Popen(command, env=ENVIRONMENT, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 10
        while not (layout.pid_file.exists() and "ready" in layout.pid_file.read_text()):
            assert time.monotonic() < end
            assert server.poll() is None
            time.sleep(0.01)
        yield server
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(10)
