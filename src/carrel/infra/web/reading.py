"""Reading JSON bodies strictly: what gets past here can be stored as text and given back."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from fastapi import Request

from carrel.infra.web.errors import BadRequest, Invalid

ASIDE_BYTES = 256 * 1024
"""A body above this size is parsed in a thread, so that other requests go on meanwhile."""

# Neither can stand in a body as it is: only an escape can bring them.
_ESCAPED = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class StrictRequest(Request):
    """A request whose JSON is UTF-8 without NUL, lone surrogates, NaN and infinities, or is refused."""

    async def json(self) -> Any:
        body = await self.body()
        return await asyncio.to_thread(parse, body) if len(body) > ASIDE_BYTES else parse(body)


def parse(body: bytes) -> Any:
    """The value that `body` is the JSON of. Raises `BadRequest` or `Invalid`, and nothing else."""
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is not valid JSON: {_reason(error)}.", hint="Check the quoting.") from error
    if _ESCAPED.search(body) and (place := next(_unstorable(value), None)) is not None:
        place, message = place[:200], "must not contain the character U+0000 or half of a surrogate pair"
        raise Invalid(
            f"{place}: {message}.",
            hint="Send whole characters only.",
            errors=[{"field": place, "code": "unstorable_text", "message": message}],
        )
    return value


def _unstorable(value: Any) -> Iterator[str]:
    waiting: list[tuple[str, Any]] = [("body", value)]
    while waiting:
        place, one = waiting.pop()
        if isinstance(one, str) and _UNSTORABLE.search(one):
            yield place
        elif isinstance(one, dict):
            waiting.extend((place, name) for name in one)
            waiting.extend((f"{place}.{name}", inner) for name, inner in one.items())
        elif isinstance(one, list):
            waiting.extend((f"{place}.{index}", inner) for index, inner in enumerate(one))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 at byte {error.start}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error).partition(";")[0]
