"""A plugin for pytest that leaves its counts in a file, so that whoever started it need not read its prose.

Loaded with `-p tools.counts --counts-to FILE`. The file is written when the run ends by itself or is interrupted; a
run that was killed leaves none.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Counts:
    """How many tests ended how.

    An error while a test is set up or torn down, or while a file is collected, is a failure. An expected failure
    counts as skipped: it proves nothing.
    """

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        line = f"{self.passed} passed, {self.failed} failed"
        return f"{line}, {self.skipped} skipped" if self.skipped else line

    @staticmethod
    def of(outcomes: Mapping[str, Sequence[object]]) -> "Counts":
        """From the outcomes as pytest's own terminal report groups them."""

        def total(*names: str) -> int:
            return sum(len(outcomes.get(name, ())) for name in names)

        return Counts(total("passed", "xpassed"), total("failed", "error"), total("skipped", "xfailed"))

    @staticmethod
    def read(path: Path) -> "Counts | None":
        return Counts(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--counts-to", type=Path, default=None, help="The file that receives the counts as JSON.")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    target: Path | None = config.getoption("--counts-to")
    if target is not None:
        target.write_text(json.dumps(asdict(Counts.of(terminalreporter.stats))), encoding="utf-8")
