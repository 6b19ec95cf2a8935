"""A disk that is really full: a small one, mounted where only the process under test can see it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.postgres.filler import NOT_ALLOWED


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    told = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("filler.py")), str(disk)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.defpath},
        check=False,
    )
    if told.returncode == NOT_ALLOWED:
        pytest.skip("this system does not let a process mount a disk of its own")
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


class TestCreation:
    def test_says_that_the_disk_is_full(self, story):
        assert story["creation"]["code"] == "postgres-disk-full"
        assert "is full" in story["creation"]["detail"]
        assert "Free some space" in story["creation"]["hint"]

    def test_leaves_nothing_half_made(self, story):
        assert not {"cluster", "cluster.new"} & set(story["left"])

    def test_works_once_there_is_space(self, story):
        assert story["creation with space"] is None


class TestARunningServer:
    def test_fails_the_transaction_that_does_not_fit(self, story):
        assert story["commit"] == "53100"

    def test_goes_on_answering(self, story):
        assert story["after"] == "(1000,)"


class TestAStart:
    def test_says_that_the_disk_is_full(self, story):
        assert story["start"]["code"] == "postgres-disk-full"

    def test_finds_everything_once_there_is_space(self, story):
        assert story["start with space"] is None
        assert story["kept"] == "(500500,)"

    def test_finds_everything_after_the_log_of_changes_could_not_grow(self, story):
        assert story["write-ahead log"] != "done"
        assert story["restart"] is None
        assert story["still kept"] == "(500500,)"
