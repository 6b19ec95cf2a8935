"""Rich text (RTF): its words, by reading the marks one after another. Pictures and objects are passed over."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from carrel.ingestion.extraction.draft import Draft
from carrel.ingestion.extraction.errors import damaged
from carrel.ingestion.extraction.model import Content, Source

_TOKEN = re.compile(
    r"\\(?:(?P<word>[A-Za-z]{1,32})(?P<number>-?\d{1,10})?[ ]?|'(?P<hex>[0-9A-Fa-f]{2})|(?P<symbol>[^A-Za-z]))"
    r"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]+)",
    re.DOTALL,
)
_LISTED = (
    "colortbl stylesheet listtable listoverridetable rsidtbl revtbl filetbl xmlnstbl generator themedata datastore "
    "latentstyles pict nonshppict object header headerl headerr headerf footer footerl footerr footerf annotation "
    "fldinst datafield bkmkstart bkmkend"
)
_PASSED_OVER = frozenset(_LISTED.split())
_WRITTEN = {
    "tab": "\t",
    **dict.fromkeys(("line", "softline", "page", "sect"), "\n"),
    **dict.fromkeys(("emspace", "enspace"), " "),
    "emdash": "—",
    "endash": "–",
    "bullet": "•",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
}
_SYMBOLS = {"~": "\u00a0", "_": "\u2011", "{": "{", "}": "}", "\\": "\\"}
_CHARSETS = {
    0: "cp1252",
    128: "cp932",
    129: "cp949",
    134: "gbk",
    136: "big5",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
}
_CODE_PAGES = frozenset(_CHARSETS.values()) | {"cp437", "cp850"}


def read(source: Source) -> Content:
    reader = _Reader()
    for token in _tokens(source.data.decode("latin-1")):
        reader.take(token)
    reader.end()
    if not (reader.closed or reader.anything):
        raise damaged("The document")
    said = reader.said
    return reader.draft.done(encoding=reader.page, title=said.get("title"), author=said.get("author"))


def _tokens(text: str) -> Iterator[re.Match[str]]:
    past = 0
    for token in _TOKEN.finditer(text):
        if token.start() < past:
            continue
        if token["word"] == "bin":
            # So many characters that follow are bytes of a picture; braces among them mean nothing.
            past = token.end() + int(token["number"] or 0)
        yield token


@dataclass(frozen=True, slots=True)
class _Group:
    """What holds until the brace that closes it."""

    into: str = ""
    """Where text goes: into the document when empty, into a property, or nowhere (`-`)."""
    skip: int = 1
    font: int = -1


class _Reader:
    def __init__(self) -> None:
        self.draft = Draft()
        self.said: dict[str, str] = {}
        self.page = "cp1252"
        self.closed = False
        self.anything = False
        self._groups = [_Group()]
        self._fonts: dict[int, str] = {}
        self._line: list[str] = []
        self._row: list[str] = []
        self._raw = bytearray()
        self._to_skip = 0
        self._level = 0
        self._in_table = False
        self._star = False

    def take(self, token: re.Match[str]) -> None:
        if token["hex"]:
            self._byte(int(token["hex"], 16))
            return
        if token["text"]:
            skipped = min(self._to_skip, len(token["text"]))
            self._to_skip -= skipped
            self._say(token["text"][skipped:], encoded=True)
            return
        if token["word"]:
            self._command(token["word"], int(token["number"]) if token["number"] else None)
        elif token["brace"] == "{":
            self._flush()
            self._groups.append(self._groups[-1])
        elif token["brace"]:
            self._close_group()
        else:
            self._symbol(token["symbol"])

    def end(self) -> None:
        self._paragraph()

    def _byte(self, value: int) -> None:
        if self._to_skip:
            self._to_skip -= 1
        else:
            self._raw.append(value)

    def _symbol(self, symbol: str) -> None:
        if symbol == "*":
            self._star = True
        elif symbol in "\r\n":
            self._command("par", None)
        else:
            self._say(_SYMBOLS.get(symbol, ""))

    def _close_group(self) -> None:
        self._flush()
        if len(self._groups) > 1:
            self._groups.pop()
        self.closed = len(self._groups) == 1
        self._to_skip = 0

    def _command(self, word: str, number: int | None) -> None:
        star, self._star = self._star, False
        if word == "u" and number is not None:
            self._say(chr(number % 0x10000))
            self._to_skip = self._groups[-1].skip
            return
        if word in _WRITTEN:
            self._say(_WRITTEN[word])
        elif word in _PARAGRAPH:
            self._flush()
            _PARAGRAPH[word](self, number)
        elif (star and word not in _SAYING) or word in _PASSED_OVER:
            self._change(into="-")
        elif word in {"title", "author", "info", "fonttbl"}:
            self._change(into="-" if word == "info" else word)
        else:
            self._property(word, number or 0)

    def _property(self, word: str, number: int) -> None:
        match word:
            case "uc":
                self._change(skip=max(0, min(number, 10)))
            case "f":
                self._flush()
                self._change(font=number)
            case "fcharset" if self._groups[-1].into == "fonttbl":
                self._fonts[self._groups[-1].font] = _CHARSETS.get(number, "")
            case "ansicpg":
                self.page = f"cp{number}" if f"cp{number}" in _CODE_PAGES else self.page

    def _change(self, *, into: str | None = None, skip: int | None = None, font: int | None = None) -> None:
        group = self._groups[-1]
        # What lies in something passed over is passed over, whatever it says.
        kept = group.into == "-" and into not in {"title", "author"}
        self._groups[-1] = replace(
            group,
            into=group.into if into is None or kept else into,
            skip=group.skip if skip is None else skip,
            font=group.font if font is None else font,
        )

    def _say(self, text: str, *, encoded: bool = False) -> None:
        if encoded and not text.isascii():
            self._raw += text.encode("latin-1")
            return
        self._flush()
        self._put(text)

    def _put(self, text: str) -> None:
        into = self._groups[-1].into
        if not into:
            self._line.append(text)
        elif into in {"title", "author"}:
            self.said[into] = self.said.get(into, "") + text

    def _flush(self) -> None:
        """Bytes of one character may come one by one, so they are decoded when something else follows."""
        if self._raw:
            raw, self._raw = bytes(self._raw), bytearray()
            self._put(raw.decode(self._fonts.get(self._groups[-1].font) or self.page, "replace"))

    def _paragraph(self, number: int | None = None) -> None:
        if self._in_table:
            self._line.append(" ")
            return
        text = _joined(self._line)
        self._line = []
        self.anything = self.anything or bool(text)
        if self._level and text:
            self.draft.heading(text, self._level)
        else:
            self.draft.block(text)

    def _cell(self, number: int | None) -> None:
        self._row.append(" ".join(_joined(self._line).split()))
        self._line = []

    def _end_row(self, number: int | None) -> None:
        self.draft.block("\t".join(self._row), run="table")
        self.anything = self.anything or bool(self._row)
        self._row = []

    def _plain(self, number: int | None) -> None:
        self._level, self._in_table = 0, False

    def _table(self, number: int | None) -> None:
        self._in_table = True

    def _outline(self, number: int | None) -> None:
        self._level = number + 1 if number is not None and 0 <= number < 9 else 0


_PARAGRAPH: Mapping[str, Callable[[_Reader, int | None], None]] = {
    "par": _Reader._paragraph,  # noqa: SLF001 - a table of its own methods
    "cell": _Reader._cell,  # noqa: SLF001
    "row": _Reader._end_row,  # noqa: SLF001
    "pard": _Reader._plain,  # noqa: SLF001
    "intbl": _Reader._table,  # noqa: SLF001
    "outlinelevel": _Reader._outline,  # noqa: SLF001
}
_SAYING = frozenset(("u", "uc"))


def _joined(pieces: list[str]) -> str:
    # A character outside the first plane is written as two halves.
    return "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
