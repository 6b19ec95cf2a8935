import os
import subprocess
import sys

import psutil
import pytest

from bench.footprint import cpu_seconds, idle_memory_mb, installed_mb, kind, memory_mb, tree


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["python", "-m", "carrel.entry.web", "1", "2"], "API"),
        (["python", "-m", "carrel.entry.worker", "1"], "worker"),
        (["python", "-S", "-P", "-m", "carrel.ingestion.child"], "reader"),
        (["postgres: checkpointer"], "PostgreSQL"),
        (["/some/bin/postgres", "-D", "cluster"], "PostgreSQL"),
        (["python", "-m", "carrel", "serve"], "supervisor"),
    ],
)
def test_a_process_is_known_by_its_command(command, name):
    assert kind(command) == name


def test_a_process_and_its_children_are_counted():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        processes = tree(os.getpid())
        memory, cpu = memory_mb(processes), cpu_seconds(processes)
        child.communicate(b"\n")

    assert {os.getpid(), child.pid} <= {one.pid for one in processes}
    assert sum(memory.values()) > 1
    assert sum(cpu.values()) > 0


def test_a_process_that_has_ended_takes_nothing():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        gone = psutil.Process(child.pid)
        child.communicate(b"\n")

    assert memory_mb([gone]) == {}
    assert cpu_seconds([gone]) == {}


def test_what_is_installed_counts_requirements_and_no_development_tools():
    whole, numbers = installed_mb(), installed_mb("numpy")

    assert whole > numbers > 1
    assert whole > installed_mb("fastapi")


def test_a_server_whose_worker_never_comes_is_not_measured_as_idle(monkeypatch):
    monkeypatch.setattr("bench.footprint.PATIENCE", 0.05)

    with pytest.raises(RuntimeError, match="did not come to rest"):
        idle_memory_mb(os.getpid())


def test_the_time_of_readers_is_that_of_their_worker(monkeypatch):
    monkeypatch.setattr("bench.footprint.kind", lambda command: "reader")

    assert list(cpu_seconds([psutil.Process()])) == ["worker"]
