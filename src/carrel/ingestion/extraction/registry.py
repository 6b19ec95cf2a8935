"""Which formats there are, and which of them a text is in. A new format is one file and one row of `FORMATS`."""

import json
import re
from types import MappingProxyType

from carrel.ingestion.extraction import markdown, plain
from carrel.ingestion.extraction.model import Content, Format, Source


def _read_html(source: Source) -> Content:
    # Imported here: the parser is worth its 35 ms only when a page comes.
    from carrel.ingestion.extraction import html

    return html.read(source)


FORMATS = MappingProxyType(
    {
        "text": Format("text", "text/plain", "text", plain.read),
        "markdown": Format("markdown", "text/markdown", "markdown", markdown.read),
        "html": Format("html", "text/html", "text", _read_html),
        "code": Format("code", "text/plain", "code", plain.read),
        "json": Format("json", "application/json", "code", plain.read),
        "csv": Format("csv", "text/csv", "text", plain.read),
    }
)
"""By the codes of `sniffing.Sign` and of `format_of_text`."""

_CODE_EXTENSIONS = (
    "bash bat c cc cfg clj cmake conf cpp cs css cu cxx dart diff dockerfile ex exs go gradle graphql groovy h hpp hs "
    "ini java jl js jsx kt less lua m makefile mjs ml mm nix patch php pl proto ps1 py pyi r rb rs sass scala scss sh "
    "sql svelte svg swift tcl tex tf toml ts tsx v vb vhdl vue xml xsd xsl yaml yml zig zsh"
)
_BY_EXTENSION = {
    **dict.fromkeys(_CODE_EXTENSIONS.split(), "code"),
    **dict.fromkeys(("md", "markdown", "mdown", "mkd", "mdx"), "markdown"),
    **dict.fromkeys(("html", "htm", "xhtml"), "html"),
    **dict.fromkeys(("json", "jsonl", "ndjson", "geojson", "ipynb"), "json"),
    **dict.fromkeys(("csv", "tsv"), "csv"),
    **dict.fromkeys(("txt", "text", "log", "rst", "adoc", "srt", "vtt", "eml"), "text"),
}
_BY_MEDIA_TYPE = {
    "text/plain": "text",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/json": "json",
    "application/x-ndjson": "json",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    **dict.fromkeys(("text/css", "text/javascript", "application/javascript", "text/xml", "application/xml"), "code"),
    **dict.fromkeys(("text/x-python", "application/sql", "application/yaml", "application/toml"), "code"),
}

_PAGE = re.compile(
    r"(?:<\?xml[^<>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
_FRAGMENT = re.compile(
    r"<(?:head|body|title|meta|div|p|article|section|main|h[1-6]|table|ul|ol)\b[^<]*>", re.IGNORECASE
)
_TAG = re.compile(r"<[A-Za-z!/]")
_MARKDOWN = re.compile(r"^(?:#{2,6} +\S|(?:```|~~~)\w*$|# +\S[^\n]*\n\s*\n)|\]\(https?://", re.MULTILINE)
_LONGEST_PARSED = 1 << 20


def format_of_text(source: Source) -> str:
    """The code of the format a text is in. The content decides; names only choose where it allows several."""
    text = source.decoded.text
    hint = _BY_EXTENSION.get(source.extension) or _BY_MEDIA_TYPE.get(source.media_type)
    beginning = text[:4096].lstrip()
    if hint != "code" and _PAGE.match(beginning):
        return "html"
    match hint:
        case None:
            return _guess(text, beginning)
        case "html":
            return "html" if _TAG.search(text) else "text"
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
