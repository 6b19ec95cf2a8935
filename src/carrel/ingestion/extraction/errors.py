"""Reasons why a document has no text. Each is shown to the person who sent it."""

from carrel.core.errors import Problem


class NotText(Problem):
    code, title, status = "not-text", "The content is not text", 422


class UnsupportedType(Problem):
    code, title, status = "unsupported-type", "This kind of file cannot be read", 415


class NoTextFound(Problem):
    code, title, status = "no-text-found", "No text found", 422


class Encrypted(Problem):
    code, title, status = "encrypted", "The document is protected by a password", 422


class Damaged(Problem):
    code, title, status = "damaged", "The file is damaged", 422


class OverLimit(Problem):
    code, title, status = "content-over-limit", "The content goes over a limit", 422


class Unsafe(Problem):
    code, title, status = "unsafe-content", "The content is not safe to read", 422


READING = (NotText, UnsupportedType, NoTextFound, Encrypted, Damaged, OverLimit, Unsafe)
"""What a reader itself may say; the rest is said about a reader."""


class ExtractionTimeout(Problem):
    code, title, status = "extraction-timeout", "Reading the document took too long", 422


class ExtractionMemory(Problem):
    code, title, status = "extraction-memory", "Reading the document needs too much memory", 422


class ExtractionCrashed(Problem):
    code, title, status = "extraction-crashed", "The reader stopped on this document", 422


def encrypted(what: str) -> Encrypted:
    return Encrypted(f"{what} is protected by a password.", hint="Remove the password, then send it again.")


def damaged(what: str) -> Damaged:
    return Damaged(
        f"{what} is damaged or incomplete.",
        hint="Open it in the program it comes from and save it anew, or send its text.",
    )


def over_limit(what: str, limit: str) -> OverLimit:
    """A refusal that names in its facts which limit it was."""
    return OverLimit(what, hint="Split it into smaller documents, or send its text.", limit=limit)


def unsafe(what: str) -> Unsafe:
    return Unsafe(what, hint="Make the file anew with an ordinary program, or send its text.")
