"""`carrel search`: a question to the running server."""

from enum import StrEnum
from typing import Annotated

import typer

from carrel.entry.cli import configuration
from carrel.entry.cli.screen import problems_in_words


class Kind(StrEnum):
    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    KEYWORD = "keyword"


def search(
    query: Annotated[str, typer.Argument(help="What to look for, in words.")],
    kind: Annotated[Kind, typer.Option("--type", help="By words and meaning, by meaning, or by words.")] = Kind.HYBRID,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Passages to show.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print the server's answer as it is.")] = False,
) -> None:
    """Search the running server and print passages, best first."""
    # Only here: the supervisor is a command, too, and must not carry a client of HTTP.
    from carrel.entry.cli import asking

    with problems_in_words():
        answer = asking.ask(configuration.read(), {"query": query, "type": kind.value, "limit": limit})
        asking.show(answer, query, as_json=as_json)
