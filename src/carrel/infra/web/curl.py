"""One operation of an OpenAPI document as commands for the shell. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from carrel.infra.web.shapes import BYTES, Schema, sample

FORM = "multipart/form-data"
NEXT_LINE = " \\\n  "


def commands(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Schema]) -> list[str]:
    """A command for each form in which this request can be sent; `$CARREL_URL` and `$CARREL_KEY` say where and who."""
    start = list(_start(method, path, operation))
    content = operation.get("requestBody", {}).get("content", {})
    bodies = [_body(kind, body_example(media, schemas)) for kind, media in content.items()]
    return [NEXT_LINE.join([*start, *body]) for body in bodies] or [NEXT_LINE.join(start)]


def body_example(media: Mapping[str, Any], schemas: Mapping[str, Schema]) -> Any:
    """The example that a body is given with, or one made from its schema."""
    for example in media.get("examples", {}).values():
        return example.get("value")
    return media["example"] if "example" in media else sample(media.get("schema", {}), schemas)


def _start(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    # Braces mean something to curl, so that a parameter of the path stands there as a word to be replaced.
    place = re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), path)
    chosen = "" if method == "get" else f" -X {method.upper()}"
    yield f'curl{chosen} "$CARREL_URL{place}{_query(operation)}"'
    if operation.get("security"):
        # Of the two headers the one that takes a person's token as well: what concerns an account takes no key.
        yield '-H "Authorization: Bearer $CARREL_KEY"'


def _body(kind: str, example: Any) -> list[str]:
    if kind == FORM and isinstance(example, dict):
        return [f"-F {_field(name, value)}" for name, values in example.items() for value in _each(values)]
    return [f'-H "Content-Type: {kind}"', f"-d {_quoted(json.dumps(example, ensure_ascii=False))}"]


def _field(name: str, value: Any) -> str:
    return _quoted(f"{name}=@document.pdf" if value == BYTES else f"{name}={value}")


def _each(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _query(operation: Mapping[str, Any]) -> str:
    needed = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query" and one.get("required")]
    return "?" + "&".join(f"{name}={name.upper()}" for name in needed) if needed else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
