import json
import re
import socket

import httpx
import pytest

from carrel.core.ids import uuid7
from tests.entry.cli.flaky import flaky_way_to


@pytest.fixture
def name():
    """A word that no other test uses."""
    return f"n{uuid7().hex}"


@pytest.fixture
def folder(tmp_path, name):
    """Three documents in two folders, and things that must be left alone."""
    folder = tmp_path / name
    (folder / name / ".git").mkdir(parents=True)
    (folder / f"{name}.md").write_text(f"# Loans\n\nBooks are lent for four weeks, {name} lent{name}.\n")
    (folder / name / "hours.txt").write_text(f"The reading room is open on weekdays, {name}.")
    (folder / name / "قواعد.txt").write_text(f"القراءة في القاعة الكبرى {name}.", "utf-8")
    (folder / name / ".git" / "config").write_text("hidden")
    (folder / f".{name}").write_text("hidden")
    (folder / "link.md").symlink_to(f"{name}.md")
    return folder


def documents(running, **wanted):
    answer = httpx.get(
        f"{running.url}/api/documents", params={"limit": 100, **wanted}, headers={"X-API-Key": running.key}
    )
    return answer.json()["data"]


def counts(ended):
    return ended.stdout.splitlines()[-1]


class TestIngest:
    def test_a_folder_is_added_tagged_and_indexed_and_found_there_again(self, running, folder, name):
        first = running.run("ingest", folder, "--tag", name, "--tag", "lent")
        again = running.run("ingest", folder, "--tag", name)

        assert (first.returncode, first.stdout) == (0, "added 3, already there 0, failed 0\n"), first.stderr
        assert first.stderr.splitlines() == ["Sent 3 of 3", "Indexed 3 of 3"]
        assert (again.returncode, counts(again)) == (0, "added 0, already there 3, failed 0"), again.stderr
        added = documents(running, tag=name)
        assert {one["external_id"] for one in added} == {f"{name}.md", f"{name}/hours.txt", f"{name}/قواعد.txt"}
        assert {one["status"] for one in added} == {"indexed"}
        assert all(set(one["tags"]) == {name, "lent"} for one in added)

    def test_each_failure_is_named_with_its_reason(self, running, tmp_path, name):
        (tmp_path / f"{name}-good.txt").write_text("Lamps are lit at dusk.")
        (tmp_path / f"{name}-empty.txt").touch()
        (tmp_path / f"{name}-blank.txt").write_text(" \n \n")

        ended = running.run("ingest", *sorted(tmp_path.glob(f"{name}-*")))

        assert (ended.returncode, counts(ended)) == (1, "added 1, already there 0, failed 2")
        assert f"failed: {name}-empty.txt: The file has no bytes" in ended.stderr
        assert re.search(rf"failed: {name}-blank.txt: \w+ \w+", ended.stderr)

    def test_it_need_not_wait(self, running, folder):
        ended = running.run("ingest", folder, "--no-wait")

        assert (ended.returncode, counts(ended)) == (0, "added 3, already there 0, failed 0")
        assert "Indexed" not in ended.stderr

    def test_lost_answers_and_a_busy_server_double_nothing(self, running, folder, name):
        with flaky_way_to(running.url) as way:
            ended = running.run("ingest", folder, "--tag", name, CARREL_URL=way.url)

        assert (ended.returncode, counts(ended)) == (0, "added 3, already there 0, failed 0"), ended.stderr
        assert sorted(way.tries.values()) == [3, 3, 3]
        assert len(documents(running, tag=name)) == 3

    def test_a_dry_run_counts_and_needs_no_server(self, place, folder):
        ended = place.run("ingest", folder, "--dry-run")

        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "3\n", "")


class TestSearch:
    def test_passages_are_shown_for_people_and_for_programs(self, running, folder, name):
        added = running.run("ingest", folder)
        assert added.returncode == 0, added.stderr

        shown = running.run("search", f"lent{name}", "--type", "keyword")
        answer = json.loads(running.run("search", name, "--json", "--type", "keyword", "--limit", "2").stdout)

        rank, score, title = shown.stdout.splitlines()[0].split(maxsplit=2)
        assert (shown.returncode, rank, float(score) > 0, title) == (0, "1", True, "Loans")
        assert f"{name}.md, Loans, characters " in shown.stdout
        assert f"four weeks, {name}" in shown.stdout
        assert "  2  " not in shown.stdout
        assert (answer["query"], answer["type"], len(answer["results"])) == (name, "keyword", 2)

    def test_nothing_found_is_said_beside_the_data(self, running, name):
        shown = running.run("search", name, "--type", "keyword")

        assert (shown.returncode, shown.stdout, shown.stderr) == (0, "", "Nothing was found.\n")

    def test_a_strangers_text_cannot_steer_the_terminal(self, running, name):
        httpx.post(
            f"{running.url}/api/documents",
            params={"wait": 30},
            headers={"X-API-Key": running.key},
            json={"title": f"\x1b[2J{name}", "content": f"{name} \x1b]0;owned\x07 and so on"},
            timeout=60,
        )

        shown = running.run("search", name, "--type", "keyword")

        assert name in shown.stdout
        assert "\x1b" not in shown.stdout

    def test_a_refusal_is_told_in_the_servers_words(self, running):
        shown = running.run("search", "")

        assert (shown.returncode, shown.stdout) == (1, "")
        assert "error: " in shown.stderr
        assert "Traceback" not in shown.stderr


def complaint(ended):
    """The two lines of a failure: what, and what to do."""
    assert (ended.returncode, ended.stdout) == (1, "")
    assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == ["error", "hint"], ended.stderr
    return ended.stderr


class TestNoWay:
    """What keeps a command from its server."""

    def test_no_server_runs(self, place, folder):
        searched, ingested = complaint(place.run("search", "lamps")), complaint(place.run("ingest", folder))

        assert searched == ingested
        assert str(place.data) in searched
        assert "carrel serve" in searched

    def test_no_server_answers(self, running):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        told = complaint(running.run("search", "lamps", CARREL_URL=url))

        assert f"{url}: [Errno" in told
        assert "CARREL_URL" in told

    def test_a_wrong_key(self, running, folder):
        searched = complaint(running.run("search", "lamps", CARREL_API_KEY="ck_wrong_key"))
        ingested = running.run("ingest", folder, CARREL_API_KEY="ck_wrong_key")

        assert "does not accept the key" in searched
        assert "CARREL_API_KEY" in searched
        assert (ingested.returncode, ingested.stderr) == (1, searched)
        assert ingested.stdout == "added 0, already there 0, failed 0\n"

    def test_the_administrators_key_stays_on_this_machine(self, running):
        told = complaint(running.run("search", "lamps", CARREL_URL="http://192.0.2.1:8080"))

        assert "There is no key for the server at http://192.0.2.1:8080" in told


def test_a_path_that_is_not_there_is_named(place, tmp_path):
    ended = place.run("ingest", tmp_path / "nowhere")

    assert "nowhere" in complaint(ended)
