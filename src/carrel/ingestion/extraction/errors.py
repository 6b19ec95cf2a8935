"""Reasons why a document has no text. Each is shown to the person who sent it."""

from carrel.core.errors import Problem


class NotText(Problem):
    code, title, status = "not-text", "The content is not text", 422


class UnsupportedType(Problem):
    code, title, status = "unsupported-type", "This kind of file cannot be read", 415


class NoTextFound(Problem):
    code, title, status = "no-text-found", "No text found", 422


READING = (NotText, UnsupportedType, NoTextFound)
"""What a reader itself may say; the rest is said about a reader."""


class ExtractionTimeout(Problem):
    code, title, status = "extraction-timeout", "Reading the document took too long", 422


class ExtractionMemory(Problem):
    code, title, status = "extraction-memory", "Reading the document needs too much memory", 422


class ExtractionCrashed(Problem):
    code, title, status = "extraction-crashed", "The reader stopped on this document", 422
