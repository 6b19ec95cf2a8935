"""Runs the checks of the project in order, each under a heading of one line.

    python -m tools.check lint                   style and house rules
    python -m tools.check types                  mypy
    python -m tools.check test                   everything above, then the tests
    python -m tools.check unit [pytest options]  the tests only
    python -m tools.check slow FOLDER            the long tests of one folder

A run with tests in it ends with one line of counts, whatever happens: pytest's own, or, when a check before the
tests has failed and they were not started, the number of failed checks. The exit code is 0 only if nothing failed.
"""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from tools.counts import Counts

PYTHON = (sys.executable, "-m")
IMPORT_LINTER = "from importlinter.cli import lint_imports_command as main; main()"
# Two processes: the machines that run this have two cores, and each brings a database of its own.
PARALLEL = ("-n", "2")
NOTHING_COLLECTED = 5


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    command: tuple[str, ...]


STYLE = (
    Check("ruff check", (*PYTHON, "ruff", "check", ".")),
    Check("ruff format", (*PYTHON, "ruff", "format", "--check", ".")),
)
TYPES = (Check("mypy", (*PYTHON, "mypy")),)
HOUSE = (
    Check("import-linter", (sys.executable, "-c", IMPORT_LINTER, "--no-logo")),
    Check("size caps", (*PYTHON, "tools.sizes")),
    Check("house lints", (*PYTHON, "tools.house")),
    Check("docs checks", (*PYTHON, "tools.docs")),
)


@dataclass(slots=True)
class Runner:
    """Runs one child at a time and is never gone before it: a child that is asked to stop may tidy up first."""

    child: subprocess.Popen[bytes] | None = None
    stopped_by: int = 0
    failed: list[str] = field(default_factory=list)

    def listen(self) -> None:
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped_by = number
        # Ctrl-C reaches the child by itself. SIGTERM does not, and only SIGINT lets pytest take its fixtures down.
        if number == signal.SIGTERM and self.child is not None:
            self.child.send_signal(signal.SIGINT)

    def run(self, name: str, command: Sequence[str]) -> int:
        if self.stopped_by:
            return 128 + self.stopped_by
        print(f"== {name}", flush=True)
        self.child = subprocess.Popen(command)
        code = self._wait(self.child)
        if code != 0:
            self.failed.append(name)
        return code

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        if self.stopped_by:  # while the child was being made, so that it has not heard of it
            child.send_signal(signal.SIGINT)
        return child.wait()

    def exit_code(self) -> int:
        return 128 + self.stopped_by if self.stopped_by else int(bool(self.failed))


def run_checks(runner: Runner, checks: Sequence[Check]) -> None:
    for check in checks:
        runner.run(check.name, check.command)
    if runner.failed and not runner.stopped_by:
        print(f"{len(runner.failed)} of {len(checks)} checks failed: {', '.join(runner.failed)}.", flush=True)


def run_tests(runner: Runner, name: str, options: Sequence[str], *, empty: str | None = None) -> Counts:
    """Run pytest and return its counts. A run that breaks down, rather than let a test fail, counts as one failure.

    With `empty`, a run that finds no test says so in that sentence.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "counts.json")
        code = runner.run(name, [*PYTHON, "pytest", "-p", "tools.counts", "--counts-to", str(target), *options])
        counts = Counts.read(target)
    if code == NOTHING_COLLECTED and empty:
        print(empty)
    if counts is None or (code not in {0, NOTHING_COLLECTED} and not counts.failed and not runner.stopped_by):
        print(f"pytest itself broke down (exit code {code}); that counts as one failure.")
        return replace(counts or Counts(), failed=1)
    return counts


def close(counts: Counts) -> None:
    print(counts, flush=True)


def test(runner: Runner) -> None:
    run_checks(runner, (*STYLE, *TYPES, *HOUSE))
    if runner.failed:
        print("The tests were not started. The line below counts the failed checks.")
        close(Counts(failed=len(runner.failed)))
    else:
        close(run_tests(runner, "pytest", [*PARALLEL, "-m", "not slow"]))


def slow(runner: Runner, folder: str) -> None:
    empty = f"There is no long test in {folder} yet."
    if Path(folder).is_dir():
        close(run_tests(runner, f"pytest {folder}", ["-m", "slow", folder], empty=empty))
    else:
        print(empty)
        runner.failed.append(folder)
        close(Counts())


def main(arguments: Sequence[str]) -> int:
    runner = Runner()
    runner.listen()
    match arguments:
        case ["lint"]:
            run_checks(runner, (*STYLE, *HOUSE))
        case ["types"]:
            run_checks(runner, TYPES)
        case ["test"]:
            test(runner)
        case ["unit", *options]:
            close(run_tests(runner, "pytest", [*PARALLEL, "-m", "not slow", *options]))
        case ["slow", folder]:
            slow(runner, folder)
        case _:
            print(__doc__)
            return 2
    return runner.exit_code()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
