"""JSON schemas in words and by example. Pure: parts of an OpenAPI document in, text and values out."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
REFERENCE = "#/components/schemas/"
DEEPEST = 6
BYTES = "(bytes)"
"""Stands in examples where a file is meant."""
FORMATS = {
    "uuid": "0198c5a0-0000-7000-8000-000000000000",
    "date-time": "2026-01-31T09:30:00Z",
    "date": "2026-01-31",
    "uri": "https://example.org/",
    "binary": BYTES,
}
NUMBERS = (("", "minimum", "maximum"), (" exclusive", "exclusiveMinimum", "exclusiveMaximum"))
SIZES = (("characters", "minLength", "maxLength"), ("items", "minItems", "maxItems"))


def resolved(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """The schema itself, or the one that it refers to."""
    name = name_of(schema)
    return schemas.get(name, {}) if name else schema


def name_of(schema: Schema) -> str | None:
    """The name of the schema that this one refers to."""
    reference = schema.get("$ref", "")
    return reference.removeprefix(REFERENCE) if reference.startswith(REFERENCE) else None


def type_of(schema: Schema) -> Iterator[tuple[str, bool]]:
    """The type in words; each with whether it is the name of a schema."""
    if name := name_of(schema):
        yield name, True
    elif choices := _choices(schema):
        for number, choice in enumerate(choices):
            if number:
                yield " or ", False
            yield from type_of(choice)
    elif schema.get("type") == "array":
        yield "list of ", False
        yield from type_of(schema.get("items", {}))
    elif isinstance(inner := schema.get("additionalProperties"), Mapping) and inner:
        yield "map of ", False
        yield from type_of(inner)
    else:
        yield _plain(schema), False


def limits_of(schema: Schema) -> list[str]:
    """What the schema asks of a value beside its type, and what it is when left out."""
    found = [f"{told}{unit}" for unit, least, most in NUMBERS if (told := _range(schema, least, most))]
    found += [f"{told} {unit}" for unit, least, most in SIZES if (told := _range(schema, least, most))]
    if schema.get("default") not in (None, [], {}, ""):
        default = schema["default"]
        found.append(f"else {default if isinstance(default, str) else json.dumps(default)}")
    inner = [choice for choice in _choices(schema) if choice.get("type") != "null"]
    return found + (limits_of(inner[0]) if len(inner) == 1 else [])


def sample(schema: Schema, schemas: Mapping[str, Schema], depth: int = 0) -> Any:
    """A value as the schema allows it: the example that it gives, or one that is made up."""
    schema = resolved(schema, schemas)
    for known in _given(schema):
        return _in_order(known, schema.get("properties", {}))
    if depth > DEEPEST:
        return None
    choices = [choice for choice in _choices(schema) if choice.get("type") != "null"]
    if choices:
        return sample(choices[0], schemas, depth + 1)
    if schema.get("type") == "array":
        return [sample(schema["items"], schemas, depth + 1)] if schema.get("items") else []
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        return {name: sample(inner, schemas, depth + 1) for name, inner in properties.items()}
    return _value(schema)


def _range(schema: Schema, least: str, most: str) -> str:
    if least in schema and most in schema:
        return f"{_number(schema[least])} to {_number(schema[most])}"
    if most in schema:
        return f"at most {_number(schema[most])}"
    return f"at least {_number(schema[least])}" if least in schema else ""


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:,}"


def _in_order(example: Any, properties: Schema) -> Any:
    """The members of an example as the schema lists them: the framework sorts them by name."""
    if not isinstance(example, dict):
        return example
    known = {name: example[name] for name in properties if name in example}
    return {**known, **example}


def _given(schema: Schema) -> Iterator[Any]:
    yield from schema.get("examples", [])[:1]
    for key in ("example", "const"):
        if key in schema:
            yield schema[key]
    if schema.get("default") is not None:
        yield schema["default"]
    yield from schema.get("enum", [])[:1]


def _choices(schema: Schema) -> list[Schema]:
    return [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]


def _plain(schema: Schema) -> str:
    if "enum" in schema:
        return " or ".join(f"“{value}”" for value in schema["enum"])
    if "const" in schema:
        return f"“{schema['const']}”"
    kind = str(schema.get("type", "anything"))
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _value(schema: Schema) -> Any:
    kind = schema.get("type")
    if kind == "string":
        return FORMATS.get(schema.get("format", ""), "text")
    if kind in {"integer", "number"}:
        least = schema.get("minimum", 1)
        return int(least) if kind == "integer" else least
    return False if kind == "boolean" else None
