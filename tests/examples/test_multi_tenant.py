"""The example of several organisations is run as its first lines say, against a real server."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import Server, shared_model_cache

EXAMPLE = Path(__file__).parents[2] / "examples" / "multi_tenant.py"


@pytest.fixture(scope="module")
def server(tmp_path_factory, worker_id):
    with Server(tmp_path_factory.mktemp("example"), model_cache=shared_model_cache(tmp_path_factory, worker_id)) as it:
        yield it


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLE, *arguments],
        env={"PATH": "/usr/bin:/bin", "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_keeps_two_organisations_apart_meets_their_quotas_and_leaves_nothing(server):
    done = run(server.url, server.key)

    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    asked = [line for line in said if " asks: " in line]
    assert [("Acme ends" in line, "Birch ends" in line) for line in asked] == [(True, False), (False, True)]
    assert "Refused: Document quota exceeded. The organization holds 2 of 2 documents." in said
    assert "Refused: Daily search quota exceeded. The organization has made 3 of 3 searches today." in said
    assert any(line.startswith("Acme uses 2 of 2 documents") and line.endswith("3 of 3 searches.") for line in said)
    assert sum("is erased: it had" in line and "nothing is left" in line for line in said) == 2
    objects = [path for path in (server.data_dir / "objects").rglob("*") if path.is_file()]
    assert objects == []


def test_it_says_how_it_is_called(server):
    done = run()

    assert done.returncode == 1
    assert "multi_tenant.py http://127.0.0.1:8080" in done.stderr


def test_it_gives_the_reason_of_a_refusal(server):
    done = run(server.url, "ck_nobody")

    assert done.returncode == 1
    assert "invalid-credentials" in done.stderr
