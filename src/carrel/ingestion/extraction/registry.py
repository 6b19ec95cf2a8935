"""Which formats there are, and which of them a content is in. A new format is one file and one row of `FORMATS`."""

import json
import re
from collections.abc import Callable
from importlib import import_module
from types import MappingProxyType
from typing import cast

from carrel.ingestion.extraction import markdown, plain
from carrel.ingestion.extraction.errors import UnsupportedType, encrypted, over_limit
from carrel.ingestion.extraction.model import Content, Format, Source
from carrel.ingestion.extraction.sniffing import Sign, recognise

DEEPEST_NESTING = 2
"""An archive or a message may hold an archive or a message, and that none. More is how bombs are built."""

_LAZY = (
    "delimited",
    "docx",
    "epub",
    "html",
    "json_text",
    "mail",
    "odt",
    "pdf",
    "pptx",
    "rtf",
    "xlsx",
    "xml_text",
    "zipped",
)


def _in(module: str) -> Callable[[Source], Content]:
    def read(source: Source) -> Content:
        # Imported here: most parsers are larger than the whole rest, and worth it only when such a file comes.
        parser = import_module(f"carrel.ingestion.extraction.{module}")
        return cast("Content", parser.read(source))

    return read


FORMATS = MappingProxyType(
    {
        "text": Format("text", "text/plain", "text", plain.read),
        "markdown": Format("markdown", "text/markdown", "markdown", markdown.read),
        "html": Format("html", "text/html", "text", _in("html")),
        "code": Format("code", "text/plain", "code", plain.read),
        "json": Format("json", "application/json", "code", _in("json_text")),
        "csv": Format("csv", "text/csv", "text", _in("delimited")),
        "xml": Format("xml", "application/xml", "text", _in("xml_text")),
        "pdf": Format("pdf", "application/pdf", "text", _in("pdf")),
        "docx": Format(
            "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "text", _in("docx")
        ),
        "xlsx": Format(
            "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "text", _in("xlsx")
        ),
        "pptx": Format(
            "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", "text", _in("pptx")
        ),
        "odt": Format("odt", "application/vnd.oasis.opendocument.text", "text", _in("odt")),
        "rtf": Format("rtf", "application/rtf", "text", _in("rtf")),
        "epub": Format("epub", "application/epub+zip", "text", _in("epub")),
        "eml": Format("eml", "message/rfc822", "text", _in("mail")),
        "zip": Format("zip", "application/zip", "text", _in("zipped")),
    }
)
"""By the codes of `sniffing.Sign` and of `format_of_text`."""

CONTAINERS = frozenset(("zip", "eml"))

_CODE_EXTENSIONS = (
    "bash bat c cc cfg clj cmake conf cpp cs css cu cxx dart diff dockerfile ex exs go gradle graphql groovy h hpp hs "
    "ini java jl js jsx kt less lua m makefile mjs ml mm nix patch php pl proto ps1 py pyi r rb rs sass scala scss sh "
    "sql svelte svg swift tcl tex tf toml ts tsx v vb vhdl vue xsd xsl yaml yml zig zsh"
)
_BY_EXTENSION = {
    **dict.fromkeys(_CODE_EXTENSIONS.split(), "code"),
    **dict.fromkeys(("md", "markdown", "mdown", "mkd", "mdx"), "markdown"),
    **dict.fromkeys(("html", "htm", "xhtml"), "html"),
    **dict.fromkeys(("json", "jsonl", "ndjson", "geojson", "ipynb"), "json"),
    **dict.fromkeys(("csv", "tsv"), "csv"),
    **dict.fromkeys(("xml", "rss", "atom", "opml", "dbk", "tei"), "xml"),
    "eml": "eml",
    **dict.fromkeys(("txt", "text", "log", "rst", "adoc", "srt", "vtt"), "text"),
}
_BY_MEDIA_TYPE = {
    "text/plain": "text",
    "message/rfc822": "eml",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/json": "json",
    "application/x-ndjson": "json",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    **dict.fromkeys(("text/xml", "application/xml", "application/rss+xml", "application/atom+xml"), "xml"),
    **dict.fromkeys(("text/css", "text/javascript", "application/javascript"), "code"),
    **dict.fromkeys(("text/x-python", "application/sql", "application/yaml", "application/toml"), "code"),
}

_PAGE = re.compile(
    r"(?:<\?xml[^<>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
_FRAGMENT = re.compile(
    r"<(?:head|body|title|meta|div|p|article|section|main|h[1-6]|table|ul|ol)\b[^<]*>", re.IGNORECASE
)
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*:")
_TAG = re.compile(r"<[A-Za-z!/]")
_XML = re.compile(r"<\?xml\s+version\s*=")
_MARKDOWN = re.compile(r"^(?:#{2,6} +\S|(?:```|~~~)\w*$|# +\S[^\n]*\n\s*\n)|\]\(https?://", re.MULTILINE)
_LONGEST_PARSED = 1 << 20


def preload() -> None:
    """Import every parser now, for a process that can import nothing later."""
    for module in _LAZY:
        import_module(f"carrel.ingestion.extraction.{module}")


def read(source: Source) -> tuple[Format, Content]:
    """What a content is, and what the reader of that format finds in it.

    Raises a `Problem` for what cannot be read, also `OverLimit` for containers in containers in containers.
    """
    sign = recognise(source.data)
    if sign and sign.code == "ole-encrypted":
        raise encrypted("The document")
    form = FORMATS.get(sign.code if sign else format_of_text(source))
    if form is None:
        raise _unsupported(sign)
    if form.doc_type in CONTAINERS and source.inside >= DEEPEST_NESTING:
        raise over_limit("Archives and messages lie too deep in one another.", "nesting")
    try:
        return form, form.read(source)
    except RecursionError as error:
        raise over_limit("The document is nested too deeply.", "depth") from error


def format_of_text(source: Source) -> str:
    """The code of the format a text is in. The content decides; names only choose where it allows several."""
    text = source.decoded.text
    hint = _BY_EXTENSION.get(source.extension) or _BY_MEDIA_TYPE.get(source.media_type)
    beginning = text[:4096].lstrip()
    if hint != "code" and _PAGE.match(beginning):
        return "html"
    match hint:
        case None | "text" if _XML.match(beginning):
            return "xml"
        case None:
            return _guess(text, beginning)
        case "html" | "xml":
            return hint if _TAG.search(text) else "text"
        case "eml":
            return "eml" if _HEADER.match(beginning) else "text"
        case "json":
            return "json" if beginning.startswith(("{", "[", '"')) else "text"
        case _:
            return hint


def _guess(text: str, beginning: str) -> str:
    if beginning.startswith("#!"):
        return "code"
    if _FRAGMENT.match(beginning):
        return "html"
    if _is_json(text):
        return "json"
    return "markdown" if _MARKDOWN.search(text[:_LONGEST_PARSED]) else "text"


def _is_json(text: str) -> bool:
    whole = text.strip() if len(text) <= _LONGEST_PARSED else ""
    if not (whole.startswith(("{", "[")) and whole.endswith(("}", "]"))):
        return False
    try:
        json.loads(whole)
    except (ValueError, RecursionError):
        return False
    return True


def _unsupported(sign: Sign | None) -> UnsupportedType:
    name, code = (sign.name, sign.code) if sign else ("something else", "unknown")
    return UnsupportedType(
        f"The content looks like {name}, which cannot be read here, whatever its name says.",
        hint="Send it as PDF, Word, Excel, PowerPoint, OpenDocument text, EPUB, e-mail, HTML, Markdown or plain text.",
        looks_like=code,
    )
