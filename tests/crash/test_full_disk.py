"""A disk that is really full under a whole server: nothing is taken in, nothing is lost, and all goes on afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.full_disk import NOT_ALLOWED


def test_a_full_disk_refuses_what_is_new_and_keeps_what_is_old(tmp_path, model_cache):
    told = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("full_disk.py")), str(tmp_path), str(model_cache)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.defpath},
        check=False,
    )
    if told.returncode == NOT_ALLOWED:
        pytest.skip("this system does not let a process mount a disk of its own")
    assert told.returncode == 0, told.stderr

    assert json.loads(told.stdout) == {
        "with space": [200, "indexed"],
        "just before": [[202, "queued"]] * 4,
        "full": [[507, "storage-full"]] * 2,
        "search": [200, 1],
        "search after a kill": [200, 1],
        "again": [[200, "indexed"]] * 2,
        "same parent": True,
    }
