"""Where the request that is being answered came from. Known without being handed on, also to work it leaves behind."""

from contextvars import ContextVar, Token
from dataclasses import dataclass

LONGEST_ADDRESS = 64


@dataclass(frozen=True, slots=True)
class Origin:
    """The client's address and the id of the request; neither, where no request is being answered."""

    address: str | None = None
    request_id: str | None = None


NOWHERE = Origin()
_current: ContextVar[Origin] = ContextVar("whence", default=NOWHERE)


def whence() -> Origin:
    return _current.get()


def enter(address: str | None, request_id: str) -> Token[Origin]:
    """Begin a request. What is given back goes to `leave` at its end."""
    return _current.set(Origin(address and address[:LONGEST_ADDRESS], request_id))


def leave(token: Token[Origin]) -> None:
    _current.reset(token)
