"""Documents of many formats in, canonical text out. Pure: bytes in, values out; hostile bytes belong in the sandbox."""

from carrel.ingestion.extraction.model import Extracted, Heading, Kind, PageStart
from carrel.ingestion.extraction.reader import extract

__all__ = ["Extracted", "Heading", "Kind", "PageStart", "extract"]
