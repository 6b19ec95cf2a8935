"""Formats whose text is their content: plain text and source code."""

from carrel.ingestion.extraction.model import Content, Source


def read(source: Source) -> Content:
    return Content(source.decoded.text, source.decoded.encoding)
