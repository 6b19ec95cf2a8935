"""House lints over the product's syntax: what may not be called, read or imported, and where."""

import ast
from collections.abc import Iterable, Iterator

from tools.findings import Finding
from tools.sources import Source, failures

ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})
ROOMS = frozenset({
    "admin", "analytics", "auth", "chat", "documents", "experiments", "index", "ingestion", "jobs", "ops", "search",
    "tenants", "webhooks",
})  # fmt: skip
OPEN_TO_OTHERS = frozenset({"service", "schemas", "events", "errors"})
NAIVE_TODAY = frozenset({"today", "utcnow", "utcfromtimestamp"})


def check_code(source: Source) -> Iterator[Finding]:
    for node in ast.walk(source.tree):
        yield from _calls(source, node)
        yield from _names(source, node)
    yield from _builtin_hash(source)
    yield from _foreign_rooms(source)


def check_problems(modules: Iterable[Source]) -> Iterator[Finding]:
    """What only the whole product shows: a code that two failures share, and a failure without one of its own."""
    first: dict[str, str] = {}
    for failure in sorted(failures(modules), key=lambda failure: (failure.source.path, failure.node.lineno)):
        if failure.code is None and not failure.is_base:
            yield failure.source.finding(failure.node, f"`{failure.node.name}` has no `code` of its own.")
        elif failure.code in first:
            sentence = f"The code `{failure.code}` belongs to {first[failure.code]} already."
            yield failure.source.finding(failure.node, sentence)
        elif failure.code is not None:
            first[failure.code] = f"{failure.node.name} in {failure.source.path}"


def _calls(source: Source, node: ast.AST) -> Iterator[Finding]:
    if not isinstance(node, ast.Call):
        return
    called = node.func
    if isinstance(called, ast.Attribute) and called.attr == "commit" and not source.is_in("carrel.infra"):
        yield source.finding(node, "`commit()` belongs to carrel.infra: the edge opens and ends transactions.")
    if isinstance(called, ast.Name) and called.id == "print" and not source.is_in("carrel.entry.cli"):
        yield source.finding(node, "`print()` belongs to carrel.entry.cli: everything else logs.")
    if _is_naive(node):
        yield source.finding(node, "This time has no zone: use `carrel.core.clock.now()`.")


def _is_naive(node: ast.Call) -> bool:
    called = node.func
    if not isinstance(called, ast.Attribute) or _last_name(called.value) not in {"datetime", "date"}:
        return False
    zoneless = {"now": 0, "fromtimestamp": 1}  # positional arguments when the zone is left out
    if called.attr in zoneless and _last_name(called.value) == "datetime":
        return len(node.args) <= zoneless[called.attr] and not any(word.arg == "tz" for word in node.keywords)
    return called.attr in NAIVE_TODAY


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _names(source: Source, node: ast.AST) -> Iterator[Finding]:
    # The web kit has to know the framework's own refusals (no such route, no such method) to give them our form.
    if _is_framework_refusal(node) and not source.is_in("carrel.infra.web"):
        yield source.finding(node, "`HTTPException` is not used: raise a subclass of `Problem`.")
    if source.module != "carrel.infra.settings" and _reads_environment(node):
        yield source.finding(node, "The environment is read in carrel.infra.settings only: ask for the setting.")


def _is_framework_refusal(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return _is_framework(node.module or "") and any(alias.name == "HTTPException" for alias in node.names)
    # By its full name, because `http.client` has an HTTPException as well.
    return isinstance(node, ast.Attribute) and node.attr == "HTTPException" and _is_framework(ast.unparse(node.value))


def _is_framework(module: str) -> bool:
    return module.partition(".")[0] in {"fastapi", "starlette"}


def _reads_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "os" and not ENVIRONMENT.isdisjoint(alias.name for alias in node.names)
    return isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT and _last_name(node.value) == "os"


def _builtin_hash(source: Source) -> Iterator[Finding]:
    # A class that defines `__hash__` has to call it; nothing that leaves the process depends on that value.
    methods = [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef) and node.name == "__hash__"]
    allowed = {inner for method in methods for inner in ast.walk(method)}
    for node in ast.walk(source.tree):
        is_hash = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hash"
        if is_hash and node not in allowed:
            yield source.finding(node, "`hash()` differs from process to process: use BLAKE2b of the bytes.")


def _foreign_rooms(source: Source) -> Iterator[Finding]:
    """Of another room only service, schemas, events and errors are seen; the roof (entry) sees everything."""
    own = source.module.split(".")[1:2]
    if own == ["entry"]:
        return
    for node in ast.walk(source.tree):
        for target in _imported(node):
            room, _, part = target.removeprefix("carrel.").partition(".")
            if room in ROOMS and [room] != own and part.partition(".")[0] not in OPEN_TO_OTHERS:
                sentence = f"`{target}` is private to {room}: import its service, schemas, events or errors."
                yield source.finding(node, sentence)


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.startswith("carrel."))
    elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "carrel":
        # `from carrel.jobs import service` and `from carrel.jobs.service import Job` name the same module.
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
