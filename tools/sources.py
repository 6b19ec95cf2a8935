"""The product's modules as syntax trees, and the failures it declares."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.findings import Finding, files

PROBLEM = "Problem"


@dataclass(frozen=True, slots=True)
class Source:
    """One module of the product: its path in the checkout, its dotted name, its tree."""

    path: str
    module: str
    tree: ast.Module

    def is_in(self, *packages: str) -> bool:
        """Whether the module is one of `packages` or lies below one."""
        return any(self.module == package or self.module.startswith(f"{package}.") for package in packages)

    def finding(self, node: ast.AST, sentence: str) -> Finding:
        return Finding(self.path, getattr(node, "lineno", 1), sentence)


def sources(root: Path) -> list[Source]:
    """Every module below `src/`, parsed."""
    return [_parsed(path, root) for path in files(root, ".py") if path.is_relative_to(root / "src")]


def _parsed(path: Path, root: Path) -> Source:
    place = path.relative_to(root / "src").with_suffix("")
    parts = place.parts[:-1] if place.name == "__init__" else place.parts
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return Source(str(path.relative_to(root)), ".".join(parts), tree)


@dataclass(frozen=True, slots=True)
class Failure:
    """A subclass of `Problem`: where it is declared, and its own code if it has one."""

    source: Source
    node: ast.ClassDef
    code: str | None
    is_base: bool
    """Whether other failures derive from it."""


def failures(modules: Iterable[Source]) -> list[Failure]:
    """Every direct or indirect subclass of `Problem`, but not `Problem` itself.

    Classes are followed by their bare name, which is enough as long as no two of them share one.
    """
    classes = [(source, node) for source in modules for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)]
    family = {PROBLEM}
    while grown := {node.name for _, node in classes if not family.isdisjoint(_bases(node))} - family:
        family |= grown
    parents = {base for _, node in classes for base in _bases(node)}
    return [
        Failure(source, node, _code(node), is_base=node.name in parents)
        for source, node in classes
        if node.name in family - {PROBLEM}
    ]


def _bases(node: ast.ClassDef) -> set[str]:
    return {base.id if isinstance(base, ast.Name) else getattr(base, "attr", "") for base in node.bases}


def _code(node: ast.ClassDef) -> str | None:
    for target, value in _assignments(node):
        if isinstance(target, ast.Name) and target.id == "code" and isinstance(value, ast.Constant):
            return str(value.value)
    return None


def _assignments(node: ast.ClassDef) -> Iterator[tuple[ast.expr, ast.expr]]:
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            yield statement.target, statement.value
        if not isinstance(statement, ast.Assign):
            continue
        for target in statement.targets:
            if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                yield from zip(target.elts, statement.value.elts, strict=False)
            else:
                yield target, statement.value
