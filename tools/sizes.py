"""Caps on size: 500 lines a Python file, 60 a function, 250 a file of the web pages."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.findings import Finding, files, report

PYTHON_FOLDERS = ("src", "tests", "bench", "tools")
FILE_LINES = 500
FUNCTION_LINES = 60
WEB_FOLDER = "web"
WEB_SUFFIXES = (".ts", ".tsx", ".css")
WEB_LINES = 250


def check(root: Path) -> Iterator[Finding]:
    """Every file and function over its cap. A function is counted with its decorators and its docstring."""
    for path in files(root, ".py", *WEB_SUFFIXES):
        place = path.relative_to(root)
        text = path.read_text(encoding="utf-8")
        if place.parts[0] in PYTHON_FOLDERS and path.suffix == ".py":
            yield from _too_long(place, text, FILE_LINES)
            yield from _long_functions(place, text)
        elif place.parts[0] == WEB_FOLDER and path.suffix in WEB_SUFFIXES:
            yield from _too_long(place, text, WEB_LINES)


def _too_long(place: Path, text: str, cap: int) -> Iterator[Finding]:
    lines = text.rstrip("\n").count("\n") + 1
    if lines > cap:
        yield Finding(str(place), cap + 1, f"The file has {lines} lines; the cap is {cap}. Split it by what it does.")


def _long_functions(place: Path, text: str) -> Iterator[Finding]:
    for node in ast.walk(ast.parse(text, filename=str(place))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        lines = (node.end_lineno or node.lineno) - first + 1
        if lines > FUNCTION_LINES:
            sentence = f"`{node.name}` has {lines} lines; the cap is {FUNCTION_LINES}. Give its parts names."
            yield Finding(str(place), first, sentence)


if __name__ == "__main__":
    sys.exit(report(check(Path.cwd())))
