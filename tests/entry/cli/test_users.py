import base64
import json
import subprocess
import time

import httpx
import psycopg
import pytest

from carrel.auth.totp import code_at, step_of
from carrel.core.clock import now
from carrel.core.ids import uuid7
from tests.entry.cli.place import COMMAND, SOON

PASSWORD = "four quiet herons 41"


def piped(place, text, *arguments):
    """Run a command whose standard input is a pipe with `text`."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=place.folder,
        env=place.environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=SOON,
        check=False,
    )


def new_email():
    return f"person-{uuid7().hex}@example.org"


def login(place, email, password=PASSWORD):
    return httpx.post(f"{place.url}/api/auth/login", json={"email": email, "password": password})


class TestCreate:
    def test_makes_somebody_who_can_log_in(self, running):
        email = new_email()

        made = piped(running, PASSWORD + "\n", "users", "create", email, "--operator", "--role", "owner")

        answer = login(running, email).json()
        assert (made.returncode, made.stdout) == (0, ""), made.stderr
        assert (answer["user"]["operator"], answer["organization"]["slug"]) == (True, "default")
        assert answer["organization"]["role"] == "owner"

    def test_prints_a_link_by_which_the_password_is_chosen(self, running):
        email = new_email()

        made = running.run("users", "create", email, "--link")

        token = made.stdout.strip().partition("#token=")[2]
        chosen = httpx.post(f"{running.url}/api/auth/password/reset", json={"token": token, "password": PASSWORD})
        assert (made.returncode, chosen.status_code) == (0, 204), made.stderr
        assert login(running, email).status_code == 200

    @pytest.mark.parametrize(
        ("password", "arguments", "reason"),
        [
            ("password12\n", [], "tried first"),
            ("", [], "10 to 1,000 characters"),
            (PASSWORD, ["--organization", "nowhere"], "nowhere"),
        ],
    )
    def test_makes_nobody_of_whom_something_is_wrong(self, running, password, arguments, reason):
        email = new_email()

        refused = piped(running, password, "users", "create", email, *arguments)

        assert refused.returncode == 1
        assert reason in refused.stderr
        assert "Traceback" not in refused.stderr
        assert running.run("users", "list", email).stdout == ""

    def test_makes_nobody_twice(self, running):
        email = new_email()
        running.run("users", "create", email, "--link")

        again = running.run("users", "create", email.upper(), "--link")

        assert (again.returncode, again.stdout) == (1, "")
        assert "has this e-mail address" in again.stderr

    def test_refuses_what_is_no_address(self, running):
        refused = running.run("users", "create", "nobody", "--link")

        assert refused.returncode == 1
        assert "no e-mail address" in refused.stderr


class TestChange:
    def test_shows_what_is_so_now(self, running):
        email = new_email()
        running.run("users", "create", email, "--link")

        said = [
            running.run("users", *arguments).stdout.strip()
            for arguments in (
                ("list", email),
                ("tier", email, "enterprise"),
                ("operator", email),
                ("disable", email),
                ("operator", email, "--revoke"),
                ("enable", email),
            )
        ]

        assert said == [
            f"{email}\t{state}\tdefault (member)"
            for state in (
                "free\tenabled",
                "enterprise\tenabled",
                "enterprise\tenabled, operator",
                "enterprise\tdisabled, operator",
                "enterprise\tdisabled",
                "enterprise\tenabled",
            )
        ]

    def test_says_when_there_is_nobody(self, running):
        refused = running.run("users", "disable", new_email())

        assert refused.returncode == 1
        assert "users list" in refused.stderr

    def test_disabling_ends_sessions_of_the_running_server(self, running):
        email = new_email()
        piped(running, PASSWORD, "users", "create", email)
        headers = {"Authorization": f"Bearer {login(running, email).json()['access_token']}"}

        running.run("users", "disable", email)

        with httpx.Client(headers=headers, base_url=running.url) as client:
            assert wait_for(lambda: client.get("/api/auth/me").status_code == 401, seconds=5)


class TestForgetFactor:
    def test_lets_somebody_in_by_the_password_alone(self, running):
        email = new_email()
        piped(running, PASSWORD, "users", "create", email)
        headers = {"Authorization": f"Bearer {login(running, email).json()['access_token']}"}
        with httpx.Client(headers=headers, base_url=running.url) as client:
            secret = client.post("/api/auth/totp", json={"current_password": PASSWORD}).json()["secret"]
            code = code_at(base64.b32decode(secret), step_of(now()))
            assert client.post("/api/auth/totp/confirm", json={"code": code}).status_code == 200
        before = login(running, email)

        forgotten = running.run("users", "forget-factor", email)

        assert forgotten.returncode == 0, forgotten.stderr
        assert (before.status_code, login(running, email).status_code) == (401, 200)


def wait_for(condition, *, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


class TestFiles:
    def test_an_export_is_imported_without_a_change(self, running, tmp_path):
        piped(running, PASSWORD, "users", "create", new_email(), "--name", "=1+1")

        for name in ("users.csv", "users.json"):
            file = tmp_path / name
            exported = running.run("users", "export", file, "--password-hashes")
            imported = running.run("users", "import", file)

            assert (exported.returncode, imported.returncode) == (0, 0), exported.stderr + imported.stderr
            assert "created 0, changed 0" in imported.stderr
            assert file.stat().st_mode & 0o777 == 0o600
            assert "argon2id" in file.read_text("utf-8")

    def test_people_move_from_one_server_to_another(self, running, place, tmp_path):
        email, file = new_email(), tmp_path / "users.json"
        piped(running, PASSWORD, "users", "create", email, "--operator")
        running.run("users", "export", file, "--password-hashes")
        place.run("users", "create", new_email(), "--link")

        moved = place.run("users", "import", file, "--partial")

        assert f"created\t{email}" in moved.stdout
        assert place.run("users", "list", email).stdout == f"{email}\tfree\tenabled, operator\tdefault (member)\n"

    def test_a_file_that_is_partly_wrong_changes_nothing(self, running, tmp_path):
        good, file = new_email(), tmp_path / "users.csv"
        file.write_text(f"email,password,organization\n{good},{PASSWORD},default\nnobody,,\n", "utf-8")

        refused = running.run("users", "import", file)
        rehearsed = running.run("users", "import", file, "--dry-run", "--partial")
        before = running.run("users", "list", good).stdout
        forced = running.run("users", "import", file, "--partial")

        assert refused.stdout.splitlines() == [
            f"2\tcreated\t{good}",
            "3\tfailed\tnobody\temail: This is no e-mail address.",
        ]
        assert [ended.returncode for ended in (refused, rehearsed, forced)] == [1, 1, 1]
        assert "Nothing was changed" in refused.stderr
        assert (before, login(running, good).status_code) == ("", 200)

    @pytest.mark.parametrize(
        ("name", "content"), [("users.txt", b"email\n"), ("users.csv", b"\xff\xfe"), ("users.json", b"{}")]
    )
    def test_a_file_that_cannot_be_read_is_explained(self, running, tmp_path, name, content):
        (tmp_path / name).write_bytes(content)

        refused = running.run("users", "import", tmp_path / name)

        assert (refused.returncode, refused.stdout) == (1, "")
        assert "hint" in refused.stderr
        assert "Traceback" not in refused.stderr

    def test_a_file_that_is_not_there_is_explained(self, running, tmp_path):
        refused = running.run("users", "import", tmp_path / "users.csv")

        assert (refused.returncode, "cannot be read" in refused.stderr) == (1, True)


class TestList:
    def test_shows_no_secret_as_json(self, running):
        email = new_email()
        piped(running, PASSWORD, "users", "create", email)

        [line] = running.run("users", "list", email, "--json").stdout.splitlines()

        assert json.loads(line)["email"] == email
        assert "argon2" not in line

    def test_a_given_database_is_used(self, place, empty_database):
        made = place.run("users", "create", "lina@example.org", "--link", DATABASE_URL=empty_database)

        with psycopg.connect(empty_database) as connection:
            found = connection.execute("SELECT email, password_hash FROM users").fetchall()
        assert (made.returncode, found) == (0, [("lina@example.org", None)])


class TestTheAuditLog:
    def test_tells_what_commands_have_done_and_no_secret(self, running):
        email = new_email()
        piped(running, PASSWORD + "\n", "users", "create", email, "--role", "admin")
        for arguments in (("tier", email, "pro"), ("disable", email), ("enable", email), ("enable", email)):
            assert running.run("users", *arguments).returncode == 0

        server, own = [
            running.run("audit", "export", *which).stdout for which in (("--server",), ("--organization", "default"))
        ]

        who = json.loads(running.run("users", "list", email, "--json").stdout)["id"]
        told = [event for event in map(json.loads, server.splitlines()) if event["target_id"] == who]
        joined = [event for event in map(json.loads, own.splitlines()) if event["target_id"] == who]
        assert [(event["actor"], event["action"], event["details"]) for event in told] == [
            ("system", "user.created", {"operator": False}),
            ("system", "user.changed", {"changed": ["tier"], "tier": "pro"}),
            ("system", "user.changed", {"changed": ["enabled"], "enabled": False}),
            ("system", "user.changed", {"changed": ["enabled"], "enabled": True}),
        ]
        assert [(event["action"], event["details"]) for event in joined] == [("member.joined", {"role": "admin"})]
        assert PASSWORD not in server + own
