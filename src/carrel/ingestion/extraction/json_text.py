"""JSON stays as it was written, but for two things that hide its words from readers and from search.

Letters that are escaped (as many programs write everything outside ASCII) become letters again, and a document
written on one line gets line ends. Both are done piece by piece: values stay as they are to the last digit, and
no depth is too deep.
"""

import re

from carrel.ingestion.extraction.model import Content, Source

LONGEST_LINE = 1_000
_DEEPEST_LINE = 8
"""Further inside everything stays on one line: a million brackets would become a million indented lines."""

_ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|.)", re.DOTALL
)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[{}\[\],:]|[^\s"{}\[\],:]+|\n', re.DOTALL)


def read(source: Source) -> Content:
    text = _ESCAPE.sub(_letter, source.decoded.text)
    if max(map(len, text.splitlines()), default=0) > LONGEST_LINE:
        text = _laid_out(text)
    return Content(text, source.decoded.encoding)


def _letter(escape: re.Match[str]) -> str:
    high, low, single = escape.groups()
    if high:
        letter = chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    elif single:
        letter = chr(int(single, 16))
    else:
        return escape[0]
    # Quotation marks, backslashes, controls and half characters stay escaped, or it would be JSON no more.
    return letter if letter.isprintable() and letter not in '"\\' else escape[0]


def _laid_out(text: str) -> str:
    parts: list[str] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        part = match[0]
        if part in "}]":
            depth = max(0, depth - 1)
            parts.append(_line_end(depth) + part)
        elif part in "{[":
            depth += 1
            parts.append(part + _line_end(depth))
        elif part == ",":
            parts.append(part + _line_end(depth))
        elif part == ":":
            parts.append(": ")
        elif part == "\n":
            parts.append("\n" if not depth else "")
        else:
            parts.append(part)
    return "".join(parts)


def _line_end(depth: int) -> str:
    return "\n" + " " * depth if depth <= _DEEPEST_LINE else ""
