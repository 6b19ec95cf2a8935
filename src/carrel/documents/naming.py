"""What a document is called when nobody says so."""

import re
from collections.abc import Iterable

from carrel.core.text import canonical, without_unseen

FILENAME_LENGTH = 255
SUFFIX_LENGTH = 20
TITLE_LENGTH = 1000
LINE_LENGTH = 120
UNTITLED = "Untitled"

_SEPARATORS = re.compile(r"[/\\]")
_BEGINNING = 4096


def clean_filename(given: str) -> str | None:
    """The last part of a path, without what nobody sees, at most 255 characters with its suffix kept.

    None if nothing is left. Its own clean form is itself.
    """
    # A mark that turns the writing round lets `exe.txt` look like `txt.exe`.
    parts = [without_unseen(part).strip() for part in _SEPARATORS.split(given)]
    named = [part for part in parts if part not in {"", ".", ".."}]
    return _shortened(named[-1]) if named else None


def first_line(text: str) -> str | None:
    """The first line that says something, with single spaces, at most 120 characters."""
    lines = (" ".join(line.split()) for line in canonical(text[:_BEGINNING]).splitlines())
    return next((line[:LINE_LENGTH].rstrip() for line in lines if line), None)


def title_among(candidates: Iterable[str | None]) -> str:
    """The first of the candidates that says something."""
    return next((title for title in candidates if title), UNTITLED)


def found_title(title: str | None) -> str | None:
    """A title found in a content, fit to be stored; None when it says nothing."""
    return " ".join(canonical(title or "").split())[:TITLE_LENGTH].rstrip() or None


def _shortened(name: str) -> str:
    if len(name) <= FILENAME_LENGTH:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > SUFFIX_LENGTH:
        return name[:FILENAME_LENGTH].rstrip()
    ending = dot + suffix
    return stem[: FILENAME_LENGTH - len(ending)] + ending
