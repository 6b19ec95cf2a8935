"""The locks and the page about dependencies say the same as pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUN, DEV = ("run.lock", "dev.lock")
TABLE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")


def named(requirements):
    return {re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in requirements}


def in_product():
    return named(PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["model"])


def in_project():
    return in_product().union(*(named(group) for group in PROJECT["dependency-groups"].values()))


def locked(name):
    """The entries of a lock: package, version, and the lines that belong to it."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    return {entry.partition("==")[0].partition("[")[0]: entry for entry in entries}


def version(entry):
    return entry.partition("==")[2].split()[0]


def test_the_product_is_locked_completely():
    assert in_product() - locked(RUN).keys() == set()


def test_everything_is_locked_for_development():
    assert in_project() - locked(DEV).keys() == set()


def test_the_tests_run_what_the_server_runs():
    run, dev = locked(RUN), locked(DEV)

    assert {name: version(entry) for name, entry in run.items()} == {name: version(dev[name]) for name in run}


@pytest.mark.parametrize("lock", [RUN, DEV])
def test_every_entry_has_a_hash(lock):
    assert [name for name, entry in locked(lock).items() if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", [RUN, DEV])
def test_no_lock_brings_torch(lock):
    assert "torch" not in locked(lock)


def test_every_dependency_has_its_reason():
    with_reason = set(re.findall(r"^\| `([\w.-]+)`.* \| \S.* \| \S.* \|$", TABLE, flags=re.MULTILINE))

    assert with_reason == in_project() | named(PROJECT["build-system"]["requires"]) | {"uv"}
