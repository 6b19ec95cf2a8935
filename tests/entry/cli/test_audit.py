import csv
import io
import json
from contextlib import contextmanager

import psycopg
import pytest

from carrel.infra.postgres import read_dsn


@contextmanager
def administrator(place):
    """Somebody with all rights in the database of a running server."""
    with psycopg.connect(read_dsn(place.data / "postgres"), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


class TestVerify:
    def test_every_log_is_fine(self, running):
        ended = running.run("audit", "verify")

        assert ended.returncode == 0, ended.stderr
        assert ended.stderr == "Every audit log is as it was written.\n"
        assert any(line.startswith("ok      default  ") for line in ended.stdout.splitlines())

    def test_of_one_organisation(self, running):
        ended = running.run("audit", "verify", "--organization", "default")

        [line] = ended.stdout.splitlines()
        assert ended.returncode == 0, ended.stderr
        assert line.startswith("ok      default  ")
        assert len(line.split()[-1]) == 64

    def test_of_an_organisation_that_is_not_there(self, running):
        ended = running.run("audit", "verify", "--organization", "nobody")

        assert (ended.returncode, ended.stdout) == (1, "")
        assert "No organization has the slug `nobody`" in ended.stderr

    def test_before_there_is_a_database(self, place):
        ended = place.run("audit", "verify")

        assert ended.returncode == 1
        assert "There is no database yet." in ended.stderr
        assert not (place.data / "postgres").exists()

    def test_a_changed_event_is_named(self, running):
        change = "UPDATE audit_events SET actor = %s WHERE action = 'admin_key.created' RETURNING sequence"
        with administrator(running) as connection:
            sequence = connection.execute(change, ["nobody"]).fetchone()
        try:
            ended = running.run("audit", "verify")
        finally:
            with administrator(running) as connection:
                connection.execute(change, ["system"])

        assert sequence is not None
        assert ended.returncode == 1
        assert f"default: Event {sequence[0]} was changed" in ended.stderr
        assert "broken  default  " in ended.stdout


class TestExport:
    def test_is_json_line_by_line(self, running):
        ended = running.run("audit", "export", "--organization", "default")

        events = [json.loads(line) for line in ended.stdout.splitlines()]
        assert ended.returncode == 0, ended.stderr
        assert (events[0]["sequence"], events[0]["action"], events[0]["actor"]) == (1, "admin_key.created", "system")

    def test_is_csv(self, running):
        ended = running.run("audit", "export", "--server", "--format", "csv", "--to", "2100-01-01")

        rows = list(csv.reader(io.StringIO(ended.stdout, newline="")))
        assert ended.returncode == 0, ended.stderr
        assert rows[0][:3] == ["sequence", "at", "actor"]

    @pytest.mark.parametrize(
        "wrong",
        [
            [],
            ["--server", "--organization", "default"],
            ["--server", "--format", "xml"],
            ["--server", "--from", "then"],
        ],
    )
    def test_refuses_what_makes_no_sense(self, place, wrong):
        assert place.run("audit", "export", *wrong).returncode == 2

    def test_refuses_a_time_that_ends_before_it_begins(self, running):
        ended = running.run("audit", "export", "--server", "--from", "2026-01-02", "--to", "2026-01-01")

        assert ended.returncode == 1
        assert "`from` lies after `to`" in ended.stderr
