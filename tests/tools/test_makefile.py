"""The first minute with the repository: what `make` says before anything is set up."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("make", "sh", "awk", "cat", "cut", "dirname", "id", "mktemp", "printf", "pwd", "rm", "touch")

OLD = '#!/bin/sh\ncase "$2" in *stdout*) printf 3.9.18 ;; esac\nexit 1\n'
SHIM = '#!/bin/sh\necho "version manager: command not found" >&2\nexit 127\n'
INCOMPLETE = '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; *stdout*) printf 3.12.1 ;; esac\n'


@pytest.fixture
def checkout(tmp_path):
    """A checkout in a folder whose name has a space, on a machine with no Python at all."""
    folder = tmp_path / "a checkout"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / "tools" / "setup.sh", folder / "tools")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in NEEDED:
        found = shutil.which(name)
        if found:
            (programs / name).symlink_to(found)
    return folder


def given_python(checkout, name, text):
    path = checkout.parent / "bin" / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def make(checkout, *arguments):
    # A make above this one hands its own options and variables down by the environment.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "PYTHON"}
    environment = {**inherited, "PATH": str(checkout.parent / "bin")}
    program = shutil.which("make")
    assert program
    return subprocess.run(
        [program, *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )


def test_make_alone_lists_what_there_is(checkout):
    told = make(checkout)

    assert told.returncode == 0
    for target in ("run", "test", "lint", "types", "format", "unit", "soak", "fuzz", "test-crash", "lock", "clean"):
        assert f"  make {target} " in told.stdout
    assert told.stderr == ""


def test_a_python_that_is_too_old_is_named_with_what_to_do(checkout):
    given_python(checkout, "python3", OLD)

    told = make(checkout, "run")

    assert told.returncode != 0
    assert told.stdout == ""
    error, hint, *_ = told.stderr.splitlines()
    assert error == "error: Carrel needs Python 3.11 or newer, and the newest one found is 3.9.18."
    assert hint.startswith("hint: Install a newer one, or name one that is installed: make run PYTHON=")


def test_a_python_that_was_asked_for_and_is_too_old_is_not_replaced_by_another(checkout):
    given_python(checkout, "python3", INCOMPLETE)
    old = given_python(checkout, "my-python", OLD)

    told = make(checkout, "run", f"PYTHON={old}")

    assert told.returncode != 0
    assert told.stderr.startswith(f"error: Carrel needs Python 3.11 or newer, and {old} is 3.9.18.")


def test_no_python_is_named_with_what_to_install(checkout):
    told = make(checkout, "test")

    assert told.returncode != 0
    error, hint, *_ = told.stderr.splitlines()
    assert error == "error: Carrel needs Python 3.11 or newer, and none was found."
    assert "apt-get install python3 python3-venv" in hint


def test_a_python_without_ensurepip_is_named_with_the_package_that_brings_it(checkout):
    given_python(checkout, "python3.13", SHIM)
    given_python(checkout, "python3.12", INCOMPLETE)
    given_python(checkout, "python3", OLD)

    told = make(checkout, "run")

    assert told.returncode != 0
    error, hint, *_ = told.stderr.splitlines()
    assert error.startswith("error: Python 3.12.1 (python3.12) cannot make virtual environments")
    assert "apt-get install python3.12-venv" in hint


def test_nothing_is_left_behind_by_a_set_up_that_could_not_begin(checkout):
    make(checkout, "run")

    assert sorted(path.name for path in checkout.iterdir()) == ["Makefile", "tools"]
