"""The page about people and keys is pasted into one shell, from its first line to its last, against a real server."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import Server, shared_model_cache

PAGE = Path(__file__).parents[2] / "docs" / "people.md"
PART = re.compile(r"^(?:#+ (?P<heading>[^\n]+)|```sh\n(?P<block>.*?)^```)$", re.MULTILINE | re.DOTALL)
WRITTEN_ADDRESS = "http://127.0.0.1:8080"
MARK = "=== "
PATIENCE = 120


@pytest.fixture(scope="module")
def said(tmp_path_factory, worker_id):
    """What the shell has printed below each heading."""
    cache = shared_model_cache(tmp_path_factory, worker_id)
    with Server(tmp_path_factory.mktemp("walk"), model_cache=cache, REGISTRATION="open") as server:
        # The page is read in the folder of the project; its folders and its log are those of this server here.
        (server.folder / ".venv").symlink_to(sys.prefix, target_is_directory=True)
        script = "set -euo pipefail\n" + "".join(_steps()).replace(WRITTEN_ADDRESS, server.url)
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=server.folder,
            env=server.environment(NO_PROXY="*"),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    heads = [section.partition("\n") for section in done.stdout.split(MARK)[1:]]
    return {heading: text.strip() for heading, _, text in heads}


def _steps():
    """The blocks as they are written, with a mark for each heading; the one that starts the server has been done."""
    for part in PART.finditer(PAGE.read_text("utf-8")):
        if part["heading"]:
            yield f"printf '\\n%s\\n' '{MARK}{part['heading']}'\n"
        elif "make run" not in part["block"]:
            yield part["block"]


def answers(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_the_third_document_is_over_the_quota_until_the_tier_changes(said):
    first, second, third, organization = answers(said["The operator makes an organisation"])

    assert [first["status"], second["status"]] == ["indexed", "indexed"]
    assert (third["status"], third["code"]) == (403, "document-quota-exceeded")
    assert (third["limit"], third["used"]) == (2, 2)
    assert (organization["tier"], organization["max_documents"]) == ("standard", 10_000)


def test_registering_and_logging_in_leads_to_an_organisation_of_ones_own(said):
    registered, profile = answers(said["Somebody registers"])

    assert registered["access_token"]
    assert profile["user"]["email"] == "lina@example.org"
    assert (profile["organization"]["name"], profile["organization"]["role"]) == ("Harbour Museum", "owner")


def test_the_answer_to_an_invitation_keeps_its_token_to_itself(said):
    (invited,) = answers(said["She invites a colleague"])

    assert (invited["email"], invited["role"]) == ("ben@example.org", "member")
    assert "token" not in invited


def test_only_whom_it_concerns_finds_the_restricted_document(said):
    found = said["A key with limits"]

    ben, rest = found.removeprefix("Ben:").split("Web site:")
    site, birch = rest.split("Birch:")
    lease, hours = "The lease of the harbour warehouse ends in May.", "The museum is open from 9 to 17 on weekdays."
    assert lease in ben.splitlines()
    assert site.split("\n")[1:-1] == [hours]
    assert "museum" not in birch
    assert "lease" not in birch


def test_a_visitor_finds_what_the_token_says(said):
    (added,) = answers(said["A token for a visitor"])

    assert added["status"] == "indexed"
    assert said["A token for a visitor"].splitlines()[-1] == "The oak of customer 17 was pruned in January."
    assert "Oaks are pruned in winter." not in said["A token for a visitor"]


def test_the_limit_of_a_key_ends_in_429_and_says_how_long_to_wait(said):
    lines = said["A limit is hit"].lower().splitlines()

    statuses = [line.split()[1] for line in lines if line.startswith("http")]
    assert statuses[0] == "200"
    assert statuses[-1] == "429"
    assert re.fullmatch(r"retry-after: [1-9]\d*", next(line for line in lines if line.startswith("retry-after")))


def test_both_see_what_was_used(said):
    museum, birch = answers(said["What was used"])

    assert (museum["documents"], birch["documents"]) == (2, 3)
    assert museum["searches_today"] > 0


def test_a_new_key_takes_over_and_the_revoked_one_is_refused(said):
    text = said["A key is replaced and revoked"]

    assert text.startswith("The museum is open from 9 to 17 on weekdays.")
    assert [(refused["status"], refused["code"]) for refused in answers(text)] == [(401, "invalid-credentials")]


def test_the_audit_log_tells_of_the_walk_and_holds(said):
    text = said["Who did what"]

    for action in ("user.registered", "member.invited", "member.joined", "key.created", "key.rotated", "key.revoked"):
        assert action in text
    assert len(re.findall(r"(?m)^ok ", text)) == 4  # the server, the first organisation, Birch and the museum
