"""E-mail addresses: which are taken, and which of them are the same. Pure."""

import re
import unicodedata

LONGEST = 254
LONGEST_LOCAL = 64
LOCAL = re.compile(r"[^\s@\"(),:;<>\[\]\\.]+(?:\.[^\s@\"(),:;<>\[\]\\.]+)*")
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def known_email(written: str) -> str:
    """The address in its one spelling. Raises `ValueError` with the reason when nobody could be reached there.

    A part that mixes scripts is refused: it is how one address is made to look like another.
    """
    address = unicodedata.normalize("NFKC", written).strip()
    local, at, domain = address.rpartition("@")
    if not at or not address.isprintable() or len(address) > LONGEST or not 1 <= len(local) <= LONGEST_LOCAL:
        raise ValueError("This is no e-mail address.")
    if not LOCAL.fullmatch(local) or not _is_domain(_ascii(domain)):
        raise ValueError("This is no e-mail address.")
    if any(len(_scripts(part)) > 1 for part in (local, *domain.split("."))):
        raise ValueError("The address mixes alphabets within a word.")
    return f"{local}@{domain}"


def key_of(address: str) -> str:
    """What is compared instead of an address: case and the two spellings of a domain make no difference."""
    local, _, domain = unicodedata.normalize("NFKC", address).rpartition("@")
    return f"{unicodedata.normalize('NFKC', local.casefold())}@{_ascii(domain)}"


def _ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def _is_domain(domain: str) -> bool:
    labels = domain.split(".")
    return len(labels) > 1 and all(LABEL.fullmatch(label) for label in labels)


def _scripts(part: str) -> set[str]:
    # The first word of a letter's name is its script; Python knows no shorter way without a table of its own.
    return {unicodedata.name(char, "UNKNOWN").partition(" ")[0] for char in part if char.isalpha()}
