"""Bytes to text: the encoding is read from the bytes first, and what was declared is only a hint."""

import codecs
import re
import unicodedata
from dataclasses import dataclass

from carrel.core.text import REPLACEMENT, canonical
from carrel.ingestion.extraction.errors import NotText

CANDIDATES = ("cp1252", "cp1256", "gb18030", "shift_jis", "euc_kr", "cp1251")
"""What may be guessed, in order of preference where the evidence is equal. With the whole catalogue of
encodings open, German in Latin-1 was taken for Central European and came out with wrong letters. UTF-16 is
recognised by rule, with or without its mark."""

DECLARABLE = frozenset(
    (
        *("big5", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp437"),
        *(
            "cp850",
            "cp866",
            "cp874",
            "cp932",
            "cp949",
            "euc_jp",
            "euc_kr",
            "gb18030",
            "gb2312",
            "gbk",
            "koi8-r",
            "koi8-u",
        ),
        *("mac-roman", "shift_jis", "tis-620", *(f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 13, 15, 16))),
    )
)
_ALSO_CALLED = {"iso8859-1": "cp1252", "ascii": "cp1252"}  # as browsers do: nobody means the C1 controls

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with the UTF-16 mark, so it is tried before it
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b")) + b"\x7f"
_WINDOW = 1 << 16
_SAMPLE = 4_000
_WORD = re.compile(r"[^\W\d_]+")
_SCRIPT_NAMES = dict.fromkeys(("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "FULLWIDTH", "HALFWIDTH"), "CJK")


@dataclass(frozen=True, slots=True)
class Decoded:
    """Canonical text and the name of the encoding it was read with."""

    text: str
    encoding: str


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """Read bytes as text: by byte-order mark, as UTF-8, as declared, and only then by a guess, which is recorded.

    A few broken bytes become U+FFFD instead of spoiling the document. Raises `NotText` for anything else.
    """
    found = _marked(data) or _utf8(data) or _utf16_without_mark(data)
    if not found and not _is_binary(data, tolerated=0.02):
        found = _declared(data, declared) or _damaged(data, "utf-8") or _guessed(data)
    if not found:
        raise NotText(
            "The content is not text in any encoding that could be recognised.",
            hint="Send text in UTF-8, or send the file in the format it really has.",
        )
    return Decoded(canonical(found.text), found.encoding)


def _marked(data: bytes) -> Decoded | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            found = _strict(data, encoding) or _damaged(data, encoding, marked=True)
            return found if found and (encoding == "utf-8" or _is_writing(found.text)) else None
    return None


def _utf8(data: bytes) -> Decoded | None:
    if _is_binary(data, tolerated=0.1, always=8):
        return None
    return _strict(data, "utf-8")


def _utf16_without_mark(data: bytes) -> Decoded | None:
    sample = data[:_WINDOW]
    if len(sample) < 4:
        return None
    first, second = (2 * sample[side::2].count(0) / len(sample) for side in (0, 1))
    for encoding, zeros, others in (("utf-16-le", second, first), ("utf-16-be", first, second)):
        # The zero bytes of spaces, digits and line ends all lie on one side, in any language.
        if zeros > 0.03 and others * 20 < zeros:
            found = _strict(data, encoding)
            return found if found and _is_writing(found.text) else None
    return None


def _declared(data: bytes, declared: str | None) -> Decoded | None:
    try:
        name = codecs.lookup(declared or "utf-8").name
    except (LookupError, ValueError):
        return None
    name = _ALSO_CALLED.get(name, name)
    return _strict(data, name) if name in DECLARABLE else None


def _damaged(data: bytes, encoding: str, *, marked: bool = False) -> Decoded | None:
    """A text cut off or pasted together in the middle of a character is still that text."""
    text = data.decode(encoding, errors="replace")
    broken = text.count(REPLACEMENT)
    # Without a mark only whole characters outside ASCII are evidence for the encoding.
    evidence = len(text) if marked else len(text) - len(text.encode("ascii", errors="ignore"))
    return Decoded(text, encoding) if broken * 3 <= evidence - broken else None


def _guessed(data: bytes) -> Decoded | None:
    # Imported here: it takes twice as long as the rest of the child's start, and UTF-8 never needs it.
    from charset_normalizer import from_bytes

    matches = from_bytes(_whole_lines(data[:_WINDOW]), cp_isolation=list(CANDIDATES))
    known = [match for match in matches if match.encoding in CANDIDATES]
    if not known:
        return None
    best = min(
        known,
        key=lambda match: (match.chaos, _mixed_words(str(match)), -match.coherence, CANDIDATES.index(match.encoding)),
    )
    found = _strict(data, best.encoding) or _damaged(data, best.encoding)
    return found if found and _is_writing(found.text) else None


def _strict(data: bytes, encoding: str) -> Decoded | None:
    try:
        return Decoded(data.decode(encoding), encoding)
    except UnicodeDecodeError:
        return None


def _whole_lines(sample: bytes) -> bytes:
    # A line feed is never the second half of a character in any of the candidates.
    end = sample.rfind(b"\n") + 1
    return sample[:end] if len(sample) == _WINDOW and end else sample


def _mixed_words(text: str) -> int:
    """Words with letters of two scripts: what a wrong guess makes of a text of a few words."""
    words = _WORD.findall(text[:_SAMPLE])
    return sum(len({_SCRIPT_NAMES.get(name, name) for name in map(_first_name, word)}) > 1 for word in words)


def _first_name(letter: str) -> str:
    return unicodedata.name(letter, "UNKNOWN").partition(" ")[0]


def _is_writing(text: str) -> bool:
    """Random bytes read as wide characters are full of controls and of code points that nobody has assigned."""
    sample = text[:_SAMPLE]
    odd = sum(unicodedata.category(character) in {"Cc", "Cn", "Co"} and not character.isspace() for character in sample)
    return odd * 50 <= len(sample)


def _is_binary(data: bytes, *, tolerated: float, always: int = 0) -> bool:
    middle = len(data) // 2
    sample = data if len(data) <= 3 * _WINDOW else data[:_WINDOW] + data[middle : middle + _WINDOW] + data[-_WINDOW:]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return controls > max(always, tolerated * len(sample))
