"""What the product offers must be written down in `docs/`: error codes, events, settings, commands and endpoints.

The product itself is asked what it offers, so nothing can be forgotten here. A part whose module does not exist is
left out and said to be missing; a module that exists but cannot be imported is a failure.
"""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import typer.main
from pydantic import AliasChoices, AliasPath
from pydantic_settings import BaseSettings

from tools.findings import Finding, files, report
from tools.sources import failures, sources

METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing a person may use: its name as the documentation spells it, and where it comes from."""

    kind: str
    name: str
    path: str
    line: int = 1

    def is_in(self, text: str) -> bool:
        """Whether `text` names it as a whole; a longer name that contains it does not count."""
        # In a table of endpoints the method and the path may stand in neighbouring cells.
        words = r"[\s`|*]+".join(re.escape(word) for word in self.name.split())
        return re.search(rf"(?<![\w/-]){words}(?![\w/{{-])", text) is not None


def check(root: Path) -> Iterator[Finding]:
    text = "\n".join(path.read_text(encoding="utf-8") for path in files(root, ".md") if _is_documentation(path, root))
    for offer in offers(root):
        if not offer.is_in(text):
            yield Finding(offer.path, offer.line, f"The {offer.kind} `{offer.name}` appears nowhere in docs/.")


def _is_documentation(path: Path, root: Path) -> bool:
    return path.is_relative_to(root / "docs")


def offers(root: Path) -> Iterator[Offer]:
    """Everything that the checkout at `root` offers; the parts of the product are imported to be asked."""
    yield from problem_codes(root)
    yield from events(root)
    yield from _asked(root, "carrel.infra.settings", settings)
    yield from _asked(root, "carrel.entry.cli", lambda module: commands(module.app))
    yield from _asked(root, "carrel.entry.web", lambda module: endpoints(module.openapi()))


def problem_codes(root: Path) -> Iterator[Offer]:
    for failure in failures(sources(root)):
        if failure.code is not None:
            yield Offer("error code", failure.code, failure.source.path, failure.node.lineno)


def events(root: Path) -> Iterator[Offer]:
    """The events of every room, read from the text of its `events.py`."""
    rooms = [source for source in sources(root) if Path(source.path).name == "events.py"]
    for source in rooms:
        declared = [node for node in source.tree.body if isinstance(node, ast.ClassDef)]
        yield from (Offer("event", node.name, source.path, node.lineno) for node in declared)


def _asked(root: Path, name: str, question: Callable[[ModuleType], Iterable[Offer]]) -> Iterator[Offer]:
    place = Path("src", *name.split("."))
    path = next((path for path in (place.with_suffix(".py"), place / "__init__.py") if (root / path).is_file()), None)
    if path is None:
        print(f"{name} is not there yet, so it offers nothing that would have to be documented.")
        return
    for offer in question(importlib.import_module(name)):
        yield Offer(offer.kind, offer.name, offer.path or str(path), offer.line)


def settings(module: ModuleType) -> Iterator[Offer]:
    """The environment variables of every settings class that `module` defines."""
    lines = inspect.getsource(module).splitlines()
    found = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, BaseSettings)]
    fields = [(owner, field) for owner in found if owner.__module__ == module.__name__ for field in owner.model_fields]
    for owner, field in fields:
        for name in variables(owner, field):
            yield Offer("setting", name, "", _line_of(owner, field, lines))


def variables(owner: type[BaseSettings], field: str) -> list[str]:
    """The names under which the environment may give `field`: its aliases, or else the prefix and its own name."""
    alias = owner.model_fields[field].validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    named = [str(choice.path[0]) if isinstance(choice, AliasPath) else choice for choice in choices if choice]
    return [name.upper() for name in named] or [f"{owner.model_config.get('env_prefix', '')}{field}".upper()]


def _line_of(owner: type[BaseSettings], field: str, lines: list[str]) -> int:
    start = next((number for number, line in enumerate(lines) if line.startswith(f"class {owner.__name__}(")), 0)
    of_field = (number for number in range(start, len(lines)) if lines[number].strip().startswith(f"{field}:"))
    return next(of_field, start) + 1


def commands(app: typer.Typer) -> Iterator[Offer]:
    """Every visible command, spelled as it is typed."""
    yield from _commands("carrel", typer.main.get_command(app))


def _commands(name: str, command: object) -> Iterator[Offer]:
    inner: Mapping[str, object] = getattr(command, "commands", {})
    if not inner and not getattr(command, "hidden", False):
        yield Offer("command", name, "")
    for part, below in inner.items():
        if not getattr(below, "hidden", False):
            yield from _commands(f"{name} {part}", below)


def endpoints(openapi: Mapping[str, Mapping[str, Mapping[str, object]]]) -> Iterator[Offer]:
    """Every operation of an OpenAPI document, as method and path."""
    for path, operations in openapi["paths"].items():
        for method in sorted(METHODS.intersection(operations)):
            yield Offer("endpoint", f"{method.upper()} {path}", "")


if __name__ == "__main__":
    sys.exit(report(check(Path.cwd())))
