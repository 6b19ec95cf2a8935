"""The two forms in which a document arrives: a JSON body, or a form with a file that is never held in memory."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from carrel.core.text import REPLACEMENT
from carrel.documents.multipart import Form, Head
from carrel.documents.naming import clean_filename, first_line, title_among
from carrel.documents.schemas import Description, Draft, NewDocument
from carrel.documents.service import Delivery
from carrel.infra.web.errors import BadRequest, UnsupportedMediaType

FIELDS_BYTES = 128 * 1024
"""All fields of a form together: the largest of everything that is allowed, written generously."""
JSON_FIELDS = 50
LISTED = frozenset({"tags", "readers"})
"""Fields of a form that may be repeated, or hold several values with commas between them."""
ASIDE_BYTES = 256 * 1024
"""A JSON body above this size is read in a thread, so that other requests go on meanwhile."""
PIECE = 2**20

MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}(?:\s*;[\x20-\x7e]{0,200})?", re.ASCII)
Described = TypeVar("Described", bound=Description)

SURROGATE = re.compile("[\ud800-\udfff]")
ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


async def delivered(request: Request) -> Delivery:
    """What the request brings, by its Content-Type. A file is not read yet. Raises `UnsupportedMediaType`."""
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return FormDelivery(Form.of(content_type, _body(request)))
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return JsonDelivery(await _read_json(request))
    raise UnsupportedMediaType(
        f"The body is {kind or 'of no stated type'}; documents are read from application/json and multipart/form-data.",
        hint="Send a text as JSON `content`, or a file as the part `file` of a form.",
    )


@dataclass(frozen=True, slots=True)
class JsonDelivery:
    """A text that was sent as JSON."""

    given: NewDocument

    async def content(self) -> AsyncIterator[bytes]:
        written = self.given.content.encode()
        for start in range(0, len(written), PIECE):
            yield written[start : start + PIECE]

    async def draft(self) -> Draft:
        given = self.given
        return _draft(given, given.filename, given.mime_type, opening=first_line(given.content))


class FormDelivery:
    """A file in a form. Fields may stand before and after it."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._fields: dict[str, list[str]] = {}
        self._left = FIELDS_BYTES
        self._file: Head | None = None

    async def content(self) -> AsyncIterator[bytes]:
        self._file = await self._read_to_the_file()
        if self._file is None:
            _refuse("file", "missing", "Field required")
        async for piece in self._form.data():
            yield piece

    async def draft(self) -> Draft:
        if await self._read_to_the_file() is not None:
            _refuse("file", "too_many", "A form holds one file; send each in a request of its own")
        given, head = _described(self._fields), self._file
        filename = clean_filename(head.filename or "") if head else None
        return _draft(given, filename, _media_type(head), opening=None)

    async def _read_to_the_file(self) -> Head | None:
        while (head := await self._form.next()) is not None:
            if head.name == "file":
                return head
            self._fields.setdefault(head.name, []).append(await self._read_field(head.name))
        return None

    async def _read_field(self, name: str) -> str:
        written = bytearray()
        async for piece in self._form.data():
            written += piece
            self._left -= len(piece)
            if self._left < 0:
                raise BadRequest(
                    f"The fields beside the file have more than {FIELDS_BYTES:,} bytes.",
                    hint="Send the content as the part `file`.",
                )
        try:
            return written.decode()
        except UnicodeDecodeError:
            _refuse(name, "string_unicode", "Input should be UTF-8 text")


async def _body(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientDisconnect as error:
        raise BadRequest("The connection ended before the body did.", hint="Send the request again.") from error


async def _read_json(request: Request) -> NewDocument:
    body = b"".join([chunk async for chunk in _body(request)])
    if len(body) > ASIDE_BYTES:
        return await asyncio.to_thread(_parse, body)
    return _parse(body)


def _parse(body: bytes) -> NewDocument:
    fields = _decode(body)
    if isinstance(fields, dict) and len(fields) > JSON_FIELDS:
        raise BadRequest("The body has too many fields.", hint="Put your own data into `metadata`.")
    return _validated(NewDocument, fields)


def _decode(body: bytes) -> Any:
    try:
        parsed = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
        return _well_formed(parsed) if ESCAPED_SURROGATE.search(body) else parsed
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is not valid JSON: {_reason(error)}.", hint="Check the quoting.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 at byte {error.start}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error).partition(";")[0]


def _well_formed(value: Any) -> Any:
    """Lone surrogates, which only `\\u` escapes can bring, replaced one for one."""
    if isinstance(value, str):
        return SURROGATE.sub(REPLACEMENT, value)
    if isinstance(value, list):
        return [_well_formed(one) for one in value]
    if isinstance(value, dict):
        return {_well_formed(name): _well_formed(one) for name, one in value.items()}
    return value


def _described(fields: dict[str, list[str]]) -> Description:
    """The fields of a form, where an empty one is as good as none."""
    told: dict[str, Any] = {name: values[-1] for name, values in fields.items() if values[-1].strip()}
    for name, values in fields.items():
        if name not in LISTED and len(values) > 1:
            _refuse(name, "too_many", "Field given more than once")
    for name in LISTED & fields.keys():
        told[name] = [one.strip() for value in fields[name] for one in value.split(",") if one.strip()]
    if not "".join(fields.get("readers", [])).strip():
        told.pop("readers", None)
    if "metadata" in told:
        told["metadata"] = _metadata(told["metadata"])
    return _validated(Description, told)


def _metadata(written: str) -> Any:
    try:
        return _decode(written.encode())
    except BadRequest as error:
        _refuse("metadata", "json_object", f"Input should be a JSON object. {error.detail}")


def _media_type(head: Head | None) -> str | None:
    declared = (head.content_type or "").strip() if head else ""
    return declared if MEDIA_TYPE.fullmatch(declared) else None


def _draft(given: Description, filename: str | None, mime_type: str | None, *, opening: str | None) -> Draft:
    return Draft(
        title=title_among((given.title, filename, opening)),
        title_given=given.title is not None,
        external_id=given.external_id,
        tags=given.tags,
        metadata=given.metadata,
        source_url=given.source_url,
        filename=filename,
        mime_type=mime_type,
        collection=given.collection,
        readers=given.readers,
    )


def _validated(kind: type[Described], fields: Any) -> Described:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        _raise_invalid([{**one, "loc": ("body", *one["loc"])} for one in found])


def _refuse(field: str, code: str, message: str) -> NoReturn:
    _raise_invalid([{"loc": ("body", field), "type": code, "msg": message}])


def _raise_invalid(found: Sequence[Any]) -> NoReturn:
    raise RequestValidationError(found)
