"""Children die with their parent, however that ends."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

CHILD = """
import os, sys, time
from carrel.infra import processes
parent = int(sys.argv[1])
if sys.argv[2] == "watching":
    processes.sys = type("Elsewhere", (), {"platform": "elsewhere"})
processes.die_with(parent)
print(os.getpid(), flush=True)
time.sleep(120)
"""
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid()), sys.argv[2]])
time.sleep(120)
"""


def is_alive(pid: int) -> bool:
    try:
        with pathlib.Path(f"/proc/{pid}/stat").open() as stat:
            return stat.read().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("way", ["signalled", "watching"])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_does_not_outlive_its_parent(way, end):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD, way], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_alive(child)

    parent.send_signal(end)
    parent.wait()

    deadline = time.monotonic() + 20
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    survived = is_alive(child)
    if survived:
        os.kill(child, signal.SIGKILL)
    parent.stdout.close()
    assert not survived


def test_a_child_that_comes_too_late_ends_at_once():
    # Process 0 is nobody's parent here: as if it had died before the child could ask for the signal.
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, "0", "signalled"], capture_output=True, timeout=30, check=False
    )

    assert (ended.returncode, ended.stdout) == (1, b"")
