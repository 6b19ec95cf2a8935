"""House lints over SQL: where it may stand, and that every statement knows whose rows it touches."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

from tools.findings import Finding
from tools.sources import Source

ITS_OWN_ID = "An organisation is a tenant: its id is what `tenant_id` is elsewhere."

USERS_ARE_GLOBAL = "Users are global, membership carries the tenant; only the gate may read these tables."
OWN_SESSIONS = "A person's own sessions, in whichever of their organisations; read by the gate only."

QUEUE_ITSELF = "The clock of a queue and the list of workers belong to the server, not to an organisation."
FOR_OPERATORS = "Lists or changes organisations, for operators: the id is the tenant."
GLOBAL_STATEMENTS: Mapping[str, str] = {
    "carrel.admin.repository_erasures": "An erasure outlives its organisation, whose id is its key; operators only.",
    "carrel.auth.repository_attempts": "Attempts are counted before anybody is known; read by the gate only.",
    "carrel.auth.repository_users": USERS_ARE_GLOBAL,
    "carrel.auth.repository_people": USERS_ARE_GLOBAL,
    "carrel.auth.repository_factors": USERS_ARE_GLOBAL,
    "carrel.auth.repository_identities": USERS_ARE_GLOBAL,
    "carrel.auth.repository_sessions.COUNT": OWN_SESSIONS,
    "carrel.auth.repository_sessions.EXPIRY": OWN_SESSIONS,
    "carrel.auth.repository_sessions.REVOKE_OWN": OWN_SESSIONS,
    "carrel.auth.repository_sessions.REVOKE_ALL": OWN_SESSIONS,
    "carrel.jobs.repository_leases.OPEN_LINES": QUEUE_ITSELF,
    "carrel.jobs.repository_leases.REGISTER": QUEUE_ITSELF,
    "carrel.jobs.repository_leases.FORGET_WORKER": QUEUE_ITSELF,
    "carrel.jobs.repository_leases.FORGET_SILENT_WORKERS": QUEUE_ITSELF,
    "carrel.tenants.repository.ADD": ITS_OWN_ID,
    "carrel.tenants.repository.BY_ID": ITS_OWN_ID,
    "carrel.tenants.repository.BY_SLUG": "Finds the organisation, so it comes before the tenant is known.",
    "carrel.tenants.repository.BY_ID_HELD": ITS_OWN_ID,
    "carrel.tenants.repository.CHANGE": FOR_OPERATORS,
    "carrel.tenants.repository.COUNT": FOR_OPERATORS,
    "carrel.tenants.repository.OrganizationRows": ITS_OWN_ID,
    "carrel.tenants.repository.PAGE": FOR_OPERATORS,
    "carrel.tenants.repository.RENAME": ITS_OWN_ID,
    "carrel.tenants.repository_searches.SHOWN": "A part of statements that name the tenant.",
}
"""Statements that rightly name no tenant, each with its reason.

A key is a module (`carrel.auth.repository`) or one definition in it (`carrel.auth.repository.KEY_BY_HASH`, a
constant, class or function at the top of the module). A class named here may also be asked about a tenant.
"""

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef

# Upper case needs the keyword only. Lower case needs the shape too, because prose also begins with "select" or "with".
STATEMENT = re.compile(
    r"""\s*(?:
        (?:SELECT|INSERT|UPDATE|DELETE|WITH|COPY)\s
      | select\s.+\sfrom\s | insert\s+into\s | update\s+\S+\s+set\s | delete\s+from\s
      | with\s+(?:recursive\s+)?\w+\s+as\s+(?:not\s+)?(?:materialized\s+)?\( | copy\s.+\s(?:from|to)\s
    )""",
    re.VERBOSE | re.DOTALL,
)
SESSION = re.compile(r"\bset_config\s*\(|(?:^|;)\s*(?:(?:RE)?SET\s+[A-Za-z]\w+|(?:re)?set\s+(?:role|session|local)\b)")
TENANT = re.compile(r"\btenant_id\b")
ROWLESS = re.compile(r"\s*SELECT\b(?!.*\bFROM\b)", re.IGNORECASE | re.DOTALL)
UNKNOWN = " ? "


def check_sql(source: Source, exempt: Mapping[str, str] = GLOBAL_STATEMENTS) -> Iterator[Finding]:
    constants = _constants(source.tree)
    for top in source.tree.body:
        for node, text in _strings(top, constants):
            yield from _place(source, node, text)
        if _is_repository(source) and exempt.keys().isdisjoint({source.module, f"{source.module}.{_name(top)}"}):
            yield from _tenantless(source, top, constants)
            yield from _tenant_parameters(source, top)


def check_exemptions(modules: Iterable[Source], exempt: Mapping[str, str] = GLOBAL_STATEMENTS) -> Iterator[Finding]:
    """An exemption that no longer names anything: it would excuse the next thing of that name."""
    known: set[str] = set()
    for source in modules:
        known |= {source.module, *(f"{source.module}.{_name(top)}" for top in source.tree.body)}
    for name in sorted(exempt.keys() - known):
        yield Finding("tools/house_sql.py", 1, f"GLOBAL_STATEMENTS names `{name}`, which does not exist.")


def _place(source: Source, node: ast.AST, text: str) -> Iterator[Finding]:
    if SESSION.search(text) and not source.is_in("carrel.infra.db"):
        yield source.finding(node, "The state of a database session is set in carrel.infra.db only.")
    if STATEMENT.match(text) and not _is_repository(source) and not source.is_in("carrel.infra"):
        yield source.finding(node, "SQL stands in `repository.py` or `repository_*.py`, or below carrel.infra.")


def _tenantless(source: Source, top: ast.stmt, constants: Mapping[str, str]) -> Iterator[Finding]:
    for node, text in _strings(top, constants):
        if STATEMENT.match(text) and not ROWLESS.match(text) and not TENANT.search(text):
            yield source.finding(node, "This statement names no `tenant_id`: it would reach every tenant's rows.")


def _is_repository(source: Source) -> bool:
    name = source.module.rpartition(".")[2]
    return (name == "repository" or name.startswith("repository_")) and not source.is_in("carrel.infra")


def _tenant_parameters(source: Source, owner: ast.stmt) -> Iterator[Finding]:
    if not isinstance(owner, ast.ClassDef):
        return
    for method in owner.body:
        if not isinstance(method, FUNCTION) or method.name.startswith("_"):
            continue
        arguments = method.args
        names = {one.arg for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
        if not names.isdisjoint({"tenant", "tenant_id"}):
            sentence = f"`{owner.name}.{method.name}` takes a tenant: a repository is bound to one at birth."
            yield source.finding(method, sentence)


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    return node.name if isinstance(node, ast.ClassDef | FUNCTION) else ""


def _constants(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            text = _text(node.value, found)
            if text is not None:
                found[_name(node)] = text
    return found


def _strings(node: ast.AST, constants: Mapping[str, str]) -> Iterator[tuple[ast.AST, str]]:
    """Every string expression in `node`, outermost first, as one text; docstrings are prose and left out."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    text = _text(node, constants) if isinstance(node, ast.expr) and not isinstance(node, ast.Name) else None
    if text is not None:
        yield node, text
        return
    for child in ast.iter_child_nodes(node):
        yield from _strings(child, constants)


def _text(node: ast.expr, constants: Mapping[str, str]) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.JoinedStr):
        return "".join(_piece(part, constants) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [_text(node.left, constants), _text(node.right, constants)]
        return None if sides == [None, None] else "".join(UNKNOWN if side is None else side for side in sides)
    return None


def _piece(part: ast.expr, constants: Mapping[str, str]) -> str:
    text = _text(part.value if isinstance(part, ast.FormattedValue) else part, constants)
    return UNKNOWN if text is None else text
