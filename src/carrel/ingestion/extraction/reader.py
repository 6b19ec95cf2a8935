"""From the bytes of a document to its canonical text."""

from dataclasses import replace

from carrel.core.language import detect, plausible
from carrel.core.text import REPLACEMENT, canonical, storable
from carrel.ingestion.extraction import registry
from carrel.ingestion.extraction.errors import NoTextFound
from carrel.ingestion.extraction.model import Content, Extracted, Source


def extract(data: bytes, *, filename: str | None, declared_type: str | None) -> Extracted:
    """Read a document of any supported format. The content decides what it is; name and type are hints.

    Raises nothing but a `Problem` (one of `errors.READING`) whatever the bytes are. Time and memory are bounded only
    in a `Sandbox`.
    """
    if not data.strip():
        raise _nothing_found("The document is empty.")
    form, content = registry.read(Source(data, filename, declared_type))
    text = canonical(content.text)
    if not text.replace(REPLACEMENT, "").strip():
        raise _nothing_found("The document was read, but there is no text in it.")
    return Extracted(
        text=text,
        doc_type=form.doc_type,
        mime_type=form.mime_type,
        title=_storable(content.title),
        language=_language(content),
        encoding=content.encoding,
        kind=form.kind,
        pages=content.pages,
        headings=tuple(replace(heading, text=storable(heading.text)) for heading in content.headings),
        author=_storable(content.author),
        created=content.created,
    )


def _storable(said: str | None) -> str | None:
    return canonical(said) if said else None


def _language(content: Content) -> str:
    claimed = (content.language or "").replace("_", "-").partition("-")[0].lower()
    # Templates are copied with their language mark; Arabic pages that claim to be English are common.
    if len(claimed) == 2 and claimed.isascii() and claimed.isalpha() and plausible(claimed, content.text):
        return claimed
    return detect(content.text)


def _nothing_found(detail: str) -> NoTextFound:
    return NoTextFound(detail, hint="If it holds scanned pages or pictures, send the text that is on them.")
