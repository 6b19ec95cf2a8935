"""Asking a question, and showing what was found."""

import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import typer

from carrel.entry.cli.client import find, understood, unreachable
from carrel.entry.cli.screen import plain, say
from carrel.infra.settings import Settings

SNIPPET = 240
INDENT = " " * 14


def ask(settings: Settings, query: Mapping[str, Any]) -> httpx.Response:
    """The server's answer, known to be one. Raises `NoServer`, `KeyUnusable` or `Refused`."""
    server = find(settings)
    try:
        with httpx.Client(**server.options()) as client:
            answer = client.post("/api/search", json=query)
    except httpx.TransportError as error:
        raise unreachable(server.url, error) from error
    understood(answer)
    return answer


def show(answer: httpx.Response, query: str, *, as_json: bool) -> None:
    """Print the hits for a person, or the answer for a program."""
    if as_json:
        typer.echo(answer.text)
        return
    hits = answer.json()["results"]
    for rank, hit in enumerate(hits, start=1):
        for line in lines(rank, hit, query, width=shutil.get_terminal_size((100, 24)).columns):
            typer.echo(line)
    if not hits:
        say("Nothing was found.")


def lines(rank: int, hit: Mapping[str, Any], query: str, *, width: int) -> Iterator[str]:
    """One hit: rank, score and title; where it stands; and the part of its text that the query is about."""
    yield f"{rank:>3}  {hit['score']:>7.4f}  {typer.style(_line(hit['title']), bold=True)}"
    yield f"{INDENT}{_line(place(hit))}"
    yield from textwrap.wrap(
        plain(snippet(hit["text"], query)),
        max(40, width),
        initial_indent=INDENT,
        subsequent_indent=INDENT,
    )
    yield ""


def place(hit: Mapping[str, Any]) -> str:
    """The document's name, page, headings and characters, as far as they are known."""
    parts = [hit["external_id"] or hit["filename"]]
    parts.append(f"page {hit['page']}" if hit["page"] else None)
    parts.append(" > ".join(hit["heading_path"]))
    parts.append(f"characters {hit['start']}-{hit['end']}")
    return ", ".join(part for part in parts if part)


def snippet(text: str, query: str, *, length: int = SNIPPET) -> str:
    """At most `length` characters of `text` in one line, with the first word of `query` that it has near the front."""
    flat = " ".join(text.split())
    if len(flat) <= length:
        return flat
    words = [re.escape(word) for word in re.findall(r"\w{3,}", query)]
    found = re.search("|".join(words), flat, re.IGNORECASE) if words else None
    start = max(0, found.start() - length // 4) if found else 0
    start = min(start, len(flat) - length + 2)
    part = flat[start : start + length - 2]
    before, after = "…" if start else "", "…" if start + len(part) < len(flat) else ""
    # Half a word at either end is left out, unless the text has no words to speak of.
    if before and " " in part[:30]:
        part = part.partition(" ")[2]
    if after and " " in part[-30:]:
        part = part.rpartition(" ")[0]
    return f"{before}{part}{after}"


def _line(text: str) -> str:
    return " ".join(plain(text).split())
