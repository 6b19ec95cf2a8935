import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.check import Check, Runner, main, run_checks, run_tests
from tools.counts import Counts

ROOT = Path(__file__).parents[2]

MIXED = """
import pytest

def test_passes(): pass
def test_fails(): assert False
def test_errors(missing_fixture): pass
def test_is_skipped(): pytest.skip("not here")
@pytest.mark.xfail(reason="known", strict=True)
def test_is_expected_to_fail(): assert False
"""


@pytest.fixture
def given_tests(tmp_path, monkeypatch):
    """A folder with tests of its own, in which pytest starts as in the checkout."""

    def write(**modules):
        (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\nmarkers = ["slow: long"]\n')
        for name, text in modules.items():
            (tmp_path / f"test_{name}.py").write_text(text)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
        # Loading every plugin takes longer than these tests.
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        monkeypatch.setenv("PYTEST_PLUGINS", "xdist.plugin")
        return tmp_path

    return write


class TestCounts:
    def test_are_those_of_pytest(self, given_tests):
        given_tests(mixed=MIXED)

        counts = run_tests(Runner(), "pytest", ["-p", "no:cacheprovider"])

        assert counts == Counts(passed=1, failed=2, skipped=2)

    def test_are_the_same_when_two_processes_share_the_work(self, given_tests):
        given_tests(mixed=MIXED)

        counts = run_tests(Runner(), "pytest", ["-n", "2", "-p", "no:cacheprovider"])

        assert counts == Counts(passed=1, failed=2, skipped=2)

    def test_of_a_file_that_cannot_be_imported_are_a_failure(self, given_tests):
        given_tests(broken="import nothing_of_this_name\n")

        assert run_tests(Runner(), "pytest", []).failed == 1

    @pytest.mark.parametrize("options", [["--no-such-option"], ["no-such-folder"]])
    def test_of_a_run_that_breaks_down_are_a_failure(self, given_tests, options):
        given_tests(mixed="def test_passes(): pass\n")
        runner = Runner()

        assert run_tests(runner, "pytest", options).failed == 1
        assert runner.exit_code() == 1

    def test_of_a_process_that_dies_are_a_failure(self, given_tests):
        given_tests(dying="import os\ndef test_dies(): os.abort()\n")

        assert run_tests(Runner(), "pytest", []) == Counts(failed=1)

    @pytest.mark.parametrize(
        ("counts", "line"),
        [
            (Counts(), "0 passed, 0 failed"),
            (Counts(passed=12, failed=1), "12 passed, 1 failed"),
            (Counts(passed=12, skipped=3), "12 passed, 0 failed, 3 skipped"),
        ],
    )
    def test_are_one_line(self, counts, line):
        assert str(counts) == line


class TestChecks:
    def test_all_run_even_when_the_first_fails(self, tmp_path, capfd):
        reached = tmp_path / "reached"
        runner = Runner()

        run_checks(
            runner,
            [
                Check("first", (sys.executable, "-c", "raise SystemExit(3)")),
                Check("second", (sys.executable, "-c", f"open({str(reached)!r}, 'w')")),
            ],
        )

        assert reached.exists()
        assert runner.exit_code() == 1
        assert capfd.readouterr().out.splitlines() == ["== first", "== second", "1 of 2 checks failed: first."]

    def test_that_pass_say_no_more_than_their_names(self, capfd):
        runner = Runner()

        run_checks(runner, [Check("only", (sys.executable, "-c", "pass"))])

        assert runner.exit_code() == 0
        assert capfd.readouterr().out == "== only\n"


class TestSlow:
    def test_says_so_when_the_folder_does_not_exist(self, given_tests, capfd):
        given_tests()

        assert main(["slow", "crash"]) == 1
        assert capfd.readouterr().out.splitlines() == ["There is no long test in crash yet.", "0 passed, 0 failed"]

    def test_says_so_when_no_test_of_the_folder_is_long(self, given_tests, capfd):
        folder = given_tests()
        (folder / "crash").mkdir()
        (folder / "crash" / "test_short.py").write_text("def test_passes(): pass\n")

        assert main(["slow", "crash"]) == 1
        assert "There is no long test in crash yet." in capfd.readouterr().out.splitlines()

    def test_runs_the_long_tests_of_the_folder_only(self, given_tests, capfd):
        folder = given_tests(other="import pytest\n@pytest.mark.slow\ndef test_is_elsewhere(): assert False\n")
        (folder / "crash").mkdir()
        long = "import pytest\n@pytest.mark.slow\ndef test_long(): pass\ndef test_short(): assert False\n"
        (folder / "crash" / "test_long.py").write_text(long)

        assert main(["slow", "crash"]) == 0
        assert capfd.readouterr().out.splitlines()[-1] == "1 passed, 0 failed"


def test_an_unknown_suite_shows_how_it_is_used(capsys):
    assert main(["everything"]) == 2
    assert "python -m tools.check lint" in capsys.readouterr().out


TIDY = """
import pathlib, time, pytest
@pytest.fixture
def room():
    yield
    pathlib.Path("tidied").touch()
def test_waits(room):
    pathlib.Path("started").touch()
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_tests_tidy_up_and_leaves_the_line_of_counts(given_tests, number):
    folder = given_tests(waiting=TIDY)
    command = [sys.executable, "-m", "tools.check", "unit", "-n", "0"]
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, start_new_session=True)
    wait_for(folder / "started", child)

    # A terminal sends Ctrl-C to the whole group; a supervisor sends SIGTERM to the one process it knows.
    if number == signal.SIGINT:
        os.killpg(child.pid, number)
    else:
        child.send_signal(number)
    out, _ = child.communicate(timeout=60)

    assert (folder / "tidied").exists()
    assert out.decode().splitlines()[-1] == "0 passed, 0 failed"
    assert child.returncode == 128 + number


def wait_for(path, child):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert child.poll() is None, "the run ended before its test had begun"
        assert time.monotonic() < deadline, "the test did not begin within a minute"
        time.sleep(0.02)
