"""Formats whose text is their content: plain text, source code, JSON and CSV."""

from carrel.ingestion.extraction.model import Content, Source


def read(source: Source) -> Content:
    return Content(source.decoded.text, source.decoded.encoding)
