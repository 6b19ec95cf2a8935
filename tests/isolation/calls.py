"""How the walk over all operations calls one of them."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.isolation.conftest import Resident

NONE = "a" * 43
PERSON = "of the one who asks"


@dataclass(frozen=True)
class Call:
    """A request and the status it deserves."""

    method: str
    path: str
    status: int
    options: dict[str, Any] = field(default_factory=dict)
    empty: bool = False
    """The answer is a list without anything in it."""
    token: str | None = None
    """Where it is for people: the access token of a session."""
    operator: bool = False
    """Made with the key of an operator."""

    @property
    def said(self) -> str:
        return self.path + json.dumps(self.options)


@dataclass(frozen=True)
class Row:
    """How to call an operation with one's own things, and how somebody would who knows ids of another organisation."""

    own: Callable[[Resident], Awaitable[Call]]
    foreign: Callable[[Resident], Sequence[Call]] = lambda them: ()
    shows_all: bool = False
    """It is there to show all organisations, to operators only."""
    holders: frozenset[str] = frozenset()
    """The scopes of keys that may call it beside the scope that it asks for."""


def plain(path: str, status: int = 200) -> Row:
    async def own(us: Resident) -> Call:
        return Call("GET", path, status)

    return Row(own)


def listing(path: str) -> Row:
    async def own(us: Resident) -> Call:
        return Call("GET", path, 200, {"params": {"limit": 200, "offset": 0}})

    return Row(own, lambda them: [Call("GET", path, 400, {"params": {"limit": 1, "cursor": them.cursors[path]}})])


def for_a_person(method: str, path: str, status: int = 200, **options: Any) -> Row:
    async def own(us: Resident) -> Call:
        return Call(method, path, status, options, token=us.member.access_token)

    return Row(own)


def of_nobody(path: str, status: int, **body: str) -> Row:
    """A door that opens with a secret, tried with one that is none."""

    async def own(us: Resident) -> Call:
        return Call("POST", path, status, {"json": body})

    return Row(own)
