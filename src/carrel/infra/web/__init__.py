"""The web kit: routes as units of work, callers and scopes, problems, paging, idempotency."""

from carrel.infra.web.caller import Caller
from carrel.infra.web.paging import Cursors, Page, Paged, Paging
from carrel.infra.web.routing import Router
from carrel.infra.web.scope import Kit, Meant, Scope, carries_secret, current, provided, requires

__all__ = [
    "Caller",
    "Cursors",
    "Kit",
    "Meant",
    "Page",
    "Paged",
    "Paging",
    "Router",
    "Scope",
    "carries_secret",
    "current",
    "provided",
    "requires",
]
