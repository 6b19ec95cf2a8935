"""Which failures deserve another try, and what people are told about them. Pure."""

from dataclasses import dataclass

from carrel.core.errors import Problem

INTERNAL = "internal-error"
INTERNAL_DETAIL = "Something went wrong inside Carrel while it did this work. An operator finds the reason in the log."


@dataclass(frozen=True, slots=True)
class Failure:
    code: str
    detail: str
    is_final: bool


def assess(error: BaseException) -> Failure:
    """A problem of the caller's making (below 500) is final: it would fail again. Anything else may be better later."""
    if isinstance(error, Problem):
        return Failure(error.code, error.detail, is_final=error.status < 500)
    return Failure(INTERNAL, INTERNAL_DETAIL, is_final=False)
