"""From the bytes of a document to its canonical text."""

from carrel.core.language import detect, plausible
from carrel.core.text import REPLACEMENT
from carrel.ingestion.extraction.errors import NoTextFound, UnsupportedType
from carrel.ingestion.extraction.model import Content, Extracted, Source
from carrel.ingestion.extraction.registry import FORMATS, format_of_text
from carrel.ingestion.extraction.sniffing import Sign, recognise


def extract(data: bytes, *, filename: str | None, declared_type: str | None) -> Extracted:
    """Read a document of any supported format. The content decides what it is; name and type are hints.

    Raises nothing but a `Problem` (`UnsupportedType`, `NotText`, `NoTextFound`) whatever the bytes are. Time and
    memory are bounded only in a `Sandbox`.
    """
    source = Source(data, filename, declared_type)
    if not data.strip():
        raise _nothing_found("The document is empty.")
    sign = recognise(data)
    form = FORMATS.get(sign.code if sign else format_of_text(source))
    if form is None:
        raise _unsupported(sign)
    content = form.read(source)
    if not content.text.replace(REPLACEMENT, "").strip():
        raise _nothing_found("The document was read, but there is no text in it.")
    return Extracted(
        text=content.text,
        doc_type=form.doc_type,
        mime_type=form.mime_type,
        title=content.title,
        language=_language(content),
        encoding=content.encoding,
        kind=form.kind,
        pages=content.pages,
        headings=content.headings,
    )


def _language(content: Content) -> str:
    claimed = content.language
    # Templates are copied with their language mark; Arabic pages that claim to be English are common.
    if claimed and len(claimed) == 2 and claimed.isascii() and claimed.isalpha() and plausible(claimed, content.text):
        return claimed
    return detect(content.text)


def _nothing_found(detail: str) -> NoTextFound:
    return NoTextFound(detail, hint="If it holds scanned pages or pictures, send the text that is on them.")


def _unsupported(sign: Sign | None) -> UnsupportedType:
    name, code = (sign.name, sign.code) if sign else ("something else", "unknown")
    return UnsupportedType(
        f"The content looks like {name}, which cannot be read here, whatever its name says.",
        hint="Send it as plain text, Markdown, HTML, JSON, CSV or source code.",
        looks_like=code,
    )
