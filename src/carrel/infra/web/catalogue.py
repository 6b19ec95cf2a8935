"""Every kind of failure that the loaded code can answer with. Pure: classes in, values out."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from carrel.core.errors import Problem


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of failure, as it is explained to people and programs."""

    code: str
    title: str
    status: int
    description: str

    @classmethod
    def of(cls, problem: type[Problem]) -> Self:
        # What all failures have in common, and the words of the base classes of Python, explain none of them.
        classes = problem.mro()[: problem.mro().index(Problem)]
        words = (inspect.cleandoc(one.__doc__) for one in classes if one.__doc__)
        return cls(problem.code, problem.title, problem.status, next(words, f"{problem.title}."))


def kinds() -> dict[str, Kind]:
    """The kinds of failure by code, in the order of their codes."""
    found = {problem.code: Kind.of(problem) for problem in _below(Problem)}
    return dict(sorted(found.items()))


def _below(base: type[Problem]) -> Iterator[type[Problem]]:
    for problem in base.__subclasses__():
        # What goes further down without a code of its own is explained by the class above it.
        yield from _below(problem)
        if "code" in vars(problem):
            yield problem
