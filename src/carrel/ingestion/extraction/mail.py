"""E-mails: what the header says in words, the message, and its attachments as parts under their names."""

from collections.abc import Iterator
from email import generator  # noqa: F401 - wanted by attached messages, when the sandbox allows no import any more
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.utils import collapse_rfc2231_value, parsedate_to_datetime
from typing import TYPE_CHECKING

from carrel.ingestion.extraction import html
from carrel.ingestion.extraction.draft import Draft
from carrel.ingestion.extraction.encoding import decode
from carrel.ingestion.extraction.errors import NoTextFound, NotText, over_limit
from carrel.ingestion.extraction.model import Content, Source
from carrel.ingestion.extraction.parts import Parts

MOST_PARTS = 1_000
LONGEST_HEADER = 10_000
"""Characters of a header that are read: decoding takes the square of them, and nobody writes so many addresses."""

_SHOWN = ("Subject", "From", "To", "Cc", "Date")
_BROKEN = (LookupError, ValueError, TypeError, AttributeError, MessageError)

if TYPE_CHECKING:
    Part = Message[str, str]
else:
    Part = Message  # generic for the type checker only


def read(source: Source) -> Content:
    # The newer parser of headers was seen to raise errors of its own on malformed ones; this one keeps them as text.
    message = BytesParser(policy=compat32).parsebytes(source.data)
    headers = {name: _header(message, name) for name in _SHOWN}
    draft = Draft()
    for shown, value in headers.items():
        draft.block(f"{shown}: {value}" if value else "", run="header")
    leaves = list(_leaves(message))
    for leaf in leaves:
        if not _name(leaf):
            _add_text(draft, leaf)
    parts = Parts(draft, source)
    for leaf in leaves:
        if name := _name(leaf):
            parts.add(name, _bytes(leaf), _type(leaf))
    return draft.done(title=headers["Subject"], author=headers["From"], created=_moment(headers["Date"]))


def _leaves(message: Part) -> Iterator[Part]:
    """The parts that are no containers, in order; of alternatives only the one that is easiest to read."""
    waiting = [message]
    seen = 0
    while waiting:
        part = waiting.pop()
        seen += 1
        if seen > MOST_PARTS:
            raise over_limit(f"The message has more than {MOST_PARTS} parts.", "parts")
        inner = part.get_payload()
        if part.get_content_type() == "message/rfc822" or not isinstance(inner, list):
            yield part
        elif part.get_content_type() == "multipart/alternative":
            waiting += [_plainest([one for one in inner if isinstance(one, Message)])] if inner else []
        else:
            waiting += [one for one in reversed(inner) if isinstance(one, Message)]


def _plainest(alternatives: list[Part]) -> Part:
    plain = (one for one in alternatives if one.get_content_type() == "text/plain" and _bytes(one).strip())
    return next(plain, alternatives[-1])


def _add_text(draft: Draft, leaf: Part) -> None:
    try:
        source = Source(_bytes(leaf), None, _type(leaf))
        if leaf.get_content_type() == "text/html":
            draft.content(html.read(source))
        elif leaf.get_content_type() == "text/plain":
            draft.block(source.decoded.text)
    except (NotText, NoTextFound):
        return


def _name(leaf: Part) -> str | None:
    """What an attachment is called; None for what belongs to the message itself."""
    if leaf.get_content_type() == "message/rfc822":
        inner = leaf.get_payload()
        subject = _header(inner[0], "Subject") if isinstance(inner, list) and isinstance(inner[0], Message) else ""
        return f"{subject or 'message'}.eml"
    try:
        if name := leaf.get_filename():
            return _words(name[:LONGEST_HEADER])
    except _BROKEN:
        return "attachment"
    return "attachment" if leaf.get_content_disposition() == "attachment" else None


def _bytes(leaf: Part) -> bytes:
    try:
        inner = leaf.get_payload()
        if isinstance(inner, list):
            return inner[0].as_bytes() if inner and isinstance(inner[0], Message) else b""
        content = leaf.get_payload(decode=True)
    except _BROKEN:
        return b""
    return content if isinstance(content, bytes) else b""


def _type(leaf: Part) -> str:
    try:
        charset = leaf.get_param("charset")
        told = collapse_rfc2231_value(charset) if charset else ""
    except _BROKEN:
        told = ""
    return f"{leaf.get_content_type()}; charset={told}" if told else leaf.get_content_type()


def _header(message: Part, name: str) -> str:
    # As it was sent: what is asked for by its name has every byte outside ASCII replaced.
    written = next((value for known, value in message.raw_items() if known.lower() == name.lower()), "")
    sent = written[:LONGEST_HEADER].encode("ascii", "surrogateescape")
    return _words(_piece(sent, None))


def _words(written: str) -> str:
    """A header in words: encoded ones are decoded, what cannot be decoded stays as it is."""
    try:
        pieces = [_piece(piece, charset) for piece, charset in decode_header(written)]
    except _BROKEN:
        pieces = [written]
    return " ".join("".join(pieces).encode("utf-8", "replace").decode().split())


def _piece(piece: str | bytes, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    try:
        return decode(piece, charset).text
    except NotText:
        return piece.decode("ascii", "replace")


def _moment(written: str) -> str | None:
    try:
        return parsedate_to_datetime(written).isoformat()
    except _BROKEN:
        return None
