"""The shell lines of the documentation are run as they are written, against a real server."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.server import Server, shared_model_cache

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "getting-started.md"]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
WRITTEN_ADDRESS = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def server(tmp_path_factory, worker_id):
    with Server(tmp_path_factory.mktemp("snippets"), model_cache=shared_model_cache(tmp_path_factory, worker_id)) as it:
        yield it


def commands(page):
    """The curl lines of a page in order, each with what it needs from the lines before it."""
    script = "".join(block for block in BLOCK.findall(page.read_text("utf-8")) if not block.startswith("make"))
    joined = script.replace("\\\n", " ")
    return [part.strip() for part in re.split(r"(?m)^(?=curl )", joined) if part.strip().startswith("curl")]


def run(server, command):
    values = {"KEY": server.key, "URL": server.url, "PATH": "/usr/bin:/bin", "NO_PROXY": "*"}
    shown = f"{command.replace(WRITTEN_ADDRESS, server.url)} --silent --show-error --fail-with-body"
    done = subprocess.run(["bash", "-c", shown], cwd=ROOT, env=values, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_curl_line_does_what_the_page_says(server, page):
    answers = [run(server, command) for command in commands(page)]

    added = [answer for answer in answers if "status" in answer]
    found = [answer for answer in answers if "results" in answer]
    assert [document["status"] for document in added] == ["indexed"] * 2
    assert len(found) == 1
    assert found[0]["results"]


@pytest.mark.parametrize("kind", ["hybrid", "keyword", "semantic"])
def test_the_first_search_finds_the_passage_that_answers(server, kind):
    add, search, *_ = commands(ROOT / "README.md")
    run(server, add)

    asked = search.replace('"query"', f'"type": "{kind}", "query"')
    found = [hit["text"] for hit in run(server, asked)["results"][:3]]

    # Not necessarily the first: this very page may have been added by then, and it holds the question itself.
    assert any(text.startswith("The lease ends in May") for text in found)
