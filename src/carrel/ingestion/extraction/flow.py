"""Text as a browser would lay it out: white space collapses, and breaks are owed until more words come."""

import re
from typing import NamedTuple

_WHITE_SPACE = re.compile(r"[ \t\n\r\f]+")


class Mark(NamedTuple):
    """A state of a flow that it can return to."""

    parts: int
    length: int
    newlines: int
    tabs: int
    space: bool


class Flow:
    """Text under construction. It never begins or ends with white space of its own making."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._newlines = 0
        self._tabs = 0
        self._space = False
        self._begun: tuple[int, int] | None = None
        self._beginning = False

    def words(self, text: str) -> None:
        """Add running text; any white space in it is one space."""
        line = _WHITE_SPACE.sub(" ", text)
        core = line.strip(" ")
        if not core:
            self._space = self._space or bool(line)
            return
        self._space = self._space or line[0] == " "
        self._write(core)
        self._space = line[-1] == " "

    def verbatim(self, text: str) -> None:
        """Add text as it is."""
        if text:
            self._write(text)

    def space(self) -> None:
        self._space = True

    def tab(self) -> None:
        """Owe a tab, each time anew: an empty cell is still a cell."""
        self._tabs += 1

    def end_line(self, newlines: int = 1) -> None:
        """Owe at least so many newlines; white space at the end of the line is forgotten."""
        self._newlines = max(self._newlines, newlines)
        self._tabs, self._space = 0, False

    def next_line(self) -> None:
        """Owe one newline more, up to one blank line."""
        self.end_line(min(self._newlines + 1, 2))

    def go_on(self) -> None:
        """Take back the newlines that are owed: the sentence goes on."""
        self._newlines = 0

    def begin(self) -> None:
        """Remember where the next words are put."""
        self._beginning, self._begun = True, None

    def since_begin(self) -> tuple[int, str]:
        """The place of the first words after `begin`, and all text since."""
        self._beginning = False
        if self._begun is None:
            return self._length, ""
        start, part = self._begun
        return start, "".join(self._parts[part:])

    def mark(self) -> Mark:
        return Mark(len(self._parts), self._length, self._newlines, self._tabs, self._space)

    def rewind(self, mark: Mark) -> None:
        """Forget everything added since the mark was taken."""
        del self._parts[mark.parts :]
        self._length, self._newlines, self._tabs, self._space = mark[1:]

    def text(self) -> str:
        return "".join(self._parts)

    def _write(self, text: str) -> None:
        if not self._length:
            # The canonical form drops these marks at the beginning, and every place after them would move.
            text = text.lstrip("\ufeff")
            if not text:
                return
        if self._length:
            self._append("\n" * self._newlines + "\t" * self._tabs or " " * self._space)
        self._newlines = self._tabs = 0
        self._space = False
        if self._beginning:
            self._beginning, self._begun = False, (self._length, len(self._parts))
        self._append(text)

    def _append(self, text: str) -> None:
        if text:
            self._parts.append(text)
            self._length += len(text)
