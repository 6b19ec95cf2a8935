"""House lints over every text file of the checkout: what must not be written down anywhere.

The forbidden words are put together from parts, so that this file does not contain them.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tools.findings import Finding, files

MACHINE_FOLDERS = ("work", "root", "home", "Users")
MACHINE_PATH = re.compile(r"(?<![\w./~)}>\]-])/(?:" + "|".join(MACHINE_FOLDERS) + r")/")
REGISTRIES = (
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("yarnpkg", "com"),
    ("crates", "io"),
    ("proxy.golang", "org"),
    ("sum.golang", "org"),
    ("rubygems", "org"),
    ("repo.maven.apache", "org"),
    ("repo1.maven", "org"),
    ("anaconda", "org"),
)
REGISTRY = re.compile(r"(?<![\w-])(?:" + "|".join(re.escape(".".join(parts)) for parts in REGISTRIES) + r")(?![\w-])")
PROMISE = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME")) + r")\b")

RULES = (
    (MACHINE_PATH, "is a path of one machine: write it relative to the checkout, or use a setting."),
    (REGISTRY, "is the host of a package registry: which one is used is decided by whoever installs."),
    (PROMISE, "is a promise that nobody tracks: do it, or open an issue."),
)


def check_text(root: Path) -> Iterator[Finding]:
    """Files that are not UTF-8 text are taken as binary and left out."""
    for path in files(root):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if not any(pattern.search(text) for pattern, _ in RULES):
            continue
        yield from _findings(str(path.relative_to(root)), text)


def _findings(place: str, text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.split("\n"), start=1):
        for pattern, reason in RULES:
            found = pattern.search(line)
            if found:
                yield Finding(place, number, f"`{found.group()}` {reason}")
