"""The house rules that no ready-made linter knows, checked over the whole checkout."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.findings import Finding, report
from tools.house_code import check_code, check_problems
from tools.house_sql import GLOBAL_STATEMENTS, check_exemptions, check_sql
from tools.house_text import check_text
from tools.sources import sources


def check(root: Path, exempt: Mapping[str, str] = GLOBAL_STATEMENTS) -> Iterator[Finding]:
    modules = sources(root)
    for source in modules:
        yield from check_code(source)
        yield from check_sql(source, exempt)
    yield from check_problems(modules)
    yield from check_exemptions(modules, exempt)
    yield from check_text(root)


if __name__ == "__main__":
    sys.exit(report(check(Path.cwd())))
