"""A form read part by part as it arrives, holding no more of it than one network packet."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from carrel.infra.web.errors import BadRequest

PARTS = 200
LONGEST_BOUNDARY = 256


@dataclass(frozen=True, slots=True)
class Head:
    """What a part says about itself. Names are as sent."""

    name: str
    filename: str | None
    content_type: str | None


class Mark(Enum):
    PART_END = "part end"
    FORM_END = "form end"


class Form:
    """The parts of one form, in their order. Raises `BadRequest` when the form is malformed or ends too early."""

    def __init__(self, boundary: bytes, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._events: deque[Head | bytes | Mark] = deque()
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = b"", b""
        self._parts, self._in_part = 0, False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._add_name,
                "on_header_value": self._add_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": lambda data, start, end: self._events.append(bytes(data[start:end])),
                "on_part_end": lambda: self._events.append(Mark.PART_END),
                "on_end": lambda: self._events.append(Mark.FORM_END),
            },
        )

    @classmethod
    def of(cls, content_type: str, chunks: AsyncIterator[bytes]) -> "Form":
        """The form that a `Content-Type` announces."""
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if not 1 <= len(boundary) <= LONGEST_BOUNDARY:
            raise BadRequest(
                "The Content-Type of the form names no boundary, or one that is too long.",
                hint="Let your HTTP library set the Content-Type of a form.",
            )
        return cls(boundary, chunks)

    async def next(self) -> Head | None:
        """The head of the next part; None at the end of the form. What is left of the part before is skipped."""
        async for _ in self.data():
            pass
        event = await self._event()
        if event is Mark.FORM_END:
            self._events.append(event)  # so that it is the answer to every further question
            return None
        if not isinstance(event, Head):
            raise BadRequest("The form is malformed.", hint="Let an HTTP library write the form.")
        self._in_part = True
        return event

    async def data(self) -> AsyncIterator[bytes]:
        """The content of the present part, or what is left of it."""
        while self._in_part:
            event = await self._event()
            if isinstance(event, bytes):
                yield event
            else:
                self._in_part = False

    async def _event(self) -> Head | bytes | Mark:
        while not self._events:
            try:
                self._parser.write(await anext(self._chunks))
            except StopAsyncIteration as error:
                raise BadRequest(
                    "The form ends before its last boundary.", hint="Send all of it, with its closing boundary."
                ) from error
            except FormParserError as error:
                raise BadRequest(
                    f"The form is malformed: {error}", hint="Let an HTTP library write the form."
                ) from error
        return self._events.popleft()

    def _begin_part(self) -> None:
        self._headers, self._name, self._value = {}, b"", b""
        self._parts += 1
        if self._parts > PARTS:
            raise BadRequest(f"The form has more than {PARTS} parts.", hint="Send one file and its few fields.")

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"name" not in options:
            raise BadRequest(
                "A part of the form has no name.", hint='Each part needs `Content-Disposition: form-data; name="..."`.'
            )
        content_type = self._headers.get(b"content-type")
        self._events.append(
            Head(
                name=_text(options[b"name"]),
                filename=_text(options[b"filename"]) if b"filename" in options else None,
                content_type=content_type.decode("latin-1") if content_type is not None else None,
            )
        )


def _text(written: bytes) -> str:
    return written.decode("utf-8", "replace")
