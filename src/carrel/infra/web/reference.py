"""The API reference as one page of HTML, drawn from the OpenAPI document. Pure: values in, text out; no script."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from carrel.infra.web.catalogue import Kind
from carrel.infra.web.curl import FORM, body_example, commands
from carrel.infra.web.shapes import Schema, limits_of, resolved, type_of

Operation = tuple[str, str, Mapping[str, Any]]
STYLE = "/docs/style.css"


def page(openapi: Mapping[str, Any], kinds: Iterable[Kind]) -> str:
    """The whole reference: operations by tag, schemas, and every kind of problem."""
    info, schemas = openapi["info"], openapi.get("components", {}).get("schemas", {})
    groups = _grouped(openapi)
    body = [
        _introduction(info),
        *(_group(tag, operations, schemas) for tag, operations in groups.items()),
        _schemas(schemas),
        _problems(kinds),
    ]
    return document(f"{info['title']} API reference", f"{_contents(groups)}<main>{''.join(body)}</main>")


def _introduction(info: Mapping[str, Any]) -> str:
    return (
        f"<header><h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>"
        f"{prose(info.get('description', ''))}<p>The commands below need two variables; the second is a key, "
        "or the access token of a login for what keys may not do:</p>"
        "<pre><code>export CARREL_URL=http://127.0.0.1:8080\nexport CARREL_KEY=ck_…</code></pre>"
        '<p>For programs there is <a href="/openapi.json">openapi.json</a>.</p></header>'
    )


def explanation(kind: Kind) -> str:
    """One kind of problem, explained on a page of its own."""
    title = f"<h1>{escape(kind.title)}</h1>"
    facts = f"<p><code>{escape(kind.code)}</code> · HTTP status {kind.status}</p>"
    way = '<p><a href="/docs#problems">All problems</a></p>'
    return document(kind.title, f'<main class="alone">{title}{facts}{prose(kind.description)}{way}</main>')


def document(title: str, body: str) -> str:
    """A page for people, with the style of all of them."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="{STYLE}"></head><body>{body}</body></html>'
    )


def prose(text: str) -> str:
    """Plain text with `code` in backticks, as paragraphs."""
    paragraphs = (part for part in re.split(r"\n\s*\n", text.strip()) if part)
    return "".join(f"<p>{_inline(part)}</p>" for part in paragraphs)


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _grouped(openapi: Mapping[str, Any]) -> dict[str, list[Operation]]:
    groups: dict[str, list[Operation]] = {}
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            tag = next(iter(operation.get("tags", [])), "other")
            groups.setdefault(tag, []).append((method, path, operation))
    return dict(sorted(groups.items(), key=lambda group: _openness(group[1])))


def _openness(operations: Sequence[Operation]) -> float:
    """What needs no credentials is about the server itself, and comes after what it is for."""
    return sum(not operation.get("security") for _, _, operation in operations) / len(operations)


def _anchor(operation: Mapping[str, Any]) -> str:
    return escape(operation["operationId"])


def _contents(groups: Mapping[str, list[Operation]]) -> str:
    parts = []
    for tag, operations in groups.items():
        links = "".join(_link(*operation) for operation in operations)
        parts.append(f"<h2>{escape(tag.capitalize())}</h2><ul>{links}</ul>")
    parts.append(
        '<h2>More</h2><ul><li><a href="#schemas">Schemas</a></li><li><a href="#problems">Problems</a></li></ul>'
    )
    return f'<nav aria-label="Contents">{"".join(parts)}</nav>'


def _link(method: str, path: str, operation: Mapping[str, Any]) -> str:
    name = f'<b class="{method}">{method.upper()}</b> <span>{_path(path)}</span>'
    return f'<li><a href="#{_anchor(operation)}">{name}</a></li>'


def _path(path: str) -> str:
    """A long path may be broken after a slash, and nowhere else."""
    return escape(path).replace("/", "/<wbr>")


def _group(tag: str, operations: Iterable[Operation], schemas: Mapping[str, Schema]) -> str:
    drawn = "".join(_operation(*operation, schemas) for operation in operations)
    return f"<section><h2>{escape(tag.capitalize())}</h2>{drawn}</section>"


def _operation(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Schema]) -> str:
    scope = operation.get("x-required-scope")
    needs = f"Needs the scope <code>{escape(scope)}</code>." if scope else "Open to everybody."
    return (
        f'<article id="{_anchor(operation)}"><h3><b class="{method}">{method.upper()}</b> {_path(path)}</h3>'
        f'{prose(operation.get("description") or operation.get("summary", ""))}<p class="scope">{needs}</p>'
        f"{_parameters(operation.get('parameters', []))}"
        f"{_bodies(operation.get('requestBody', {}).get('content', {}), schemas)}"
        f"{_answers(operation['responses'], schemas)}"
        f"<h4>Try it</h4>{_commands(commands(method, path, operation, schemas))}</article>"
    )


def _commands(lines: Iterable[str]) -> str:
    return "".join(f'<pre class="command"><code>{escape(line)}</code></pre>' for line in lines)


def _parameters(parameters: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        _row(
            f"{one['name']}",
            one.get("schema", {}),
            one.get("description", ""),
            required=one.get("required", False),
            place=one["in"],
        )
        for one in parameters
    ]
    return f"<h4>Parameters</h4>{_table(rows)}" if rows else ""


def _bodies(content: Mapping[str, Any], schemas: Mapping[str, Schema]) -> str:
    return "".join(
        f"<h4>Body <small>{escape(kind)}</small></h4>{_fields(resolved(media.get('schema', {}), schemas))}"
        # How a form is filled in is shown by its command.
        f"{_example(body_example(media, schemas)) if kind != FORM else ''}"
        for kind, media in content.items()
    )


def _answers(responses: Mapping[str, Any], schemas: Mapping[str, Schema]) -> str:
    return "<h4>Answers</h4>" + "".join(_answer(status, one, schemas) for status, one in responses.items())


def _answer(status: str, response: Mapping[str, Any], schemas: Mapping[str, Schema]) -> str:
    if status == "default":
        return '<p><b>else</b> <a href="#schema-Problem">Problem</a>, as <code>application/problem+json</code></p>'
    description = response.get("description", "")
    told = "" if description == "Successful Response" else f" {_inline(description)}"
    drawn = [f"<p><b>{escape(status)}</b>{told}"]
    for media in response.get("content", {}).values():
        if schema := media.get("schema"):
            drawn.append(f" {_type(schema)}")
        if schema or "example" in media or "examples" in media:
            drawn.append(
                f"</p><details><summary>Example</summary>{_example(body_example(media, schemas))}</details><p>"
            )
    return "".join(drawn) + "</p>"


def _schemas(schemas: Mapping[str, Schema]) -> str:
    drawn = "".join(
        f'<article id="schema-{escape(name)}"><h3>{escape(_label(name))}</h3>'
        f"{prose(schema.get('description', ''))}{_fields(schema)}</article>"
        for name, schema in schemas.items()
    )
    return f'<section id="schemas"><h2>Schemas</h2>{drawn}</section>'


def _problems(kinds: Iterable[Kind]) -> str:
    rows = "".join(
        f'<tr><td><a href="/problems/{escape(kind.code)}"><code>{escape(kind.code)}</code></a></td>'
        f"<td>{kind.status}</td><td>{_inline(kind.description)}</td></tr>"
        for kind in kinds
    )
    told = 'Every failure is a <a href="#schema-Problem">Problem</a> with one of these codes.'
    return (
        f'<section id="problems"><h2>Problems</h2><p>{told}</p><div class="wide"><table>'
        f"<thead><tr><th>Code</th><th>Status</th><th>Meaning</th></tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _fields(schema: Schema) -> str:
    if "properties" not in schema:
        return f"<p>{_type(schema)}</p>"
    required = schema.get("required", [])
    return _table(
        [
            _row(name, inner, inner.get("description", ""), required=name in required)
            for name, inner in schema["properties"].items()
        ]
    )


def _row(name: str, schema: Schema, description: str, *, required: bool, place: str = "") -> str:
    told = "; ".join(limits_of(schema))
    marks = [
        f"<small>{escape(place)}</small>" if place and place != "query" else "",
        "<small>required</small>" if required else "",
    ]
    limits = f" <small>{escape(told)}</small>" if told else ""
    return (
        f"<tr><td><code>{escape(name)}</code> {' '.join(mark for mark in marks if mark)}</td>"
        f"<td>{_type(schema)}{limits}</td><td>{_inline(description)}</td></tr>"
    )


def _table(rows: Iterable[str]) -> str:
    return f'<div class="wide"><table><tbody>{"".join(rows)}</tbody></table></div>'


def _type(schema: Schema) -> str:
    return "".join(_type_parts(schema))


def _type_parts(schema: Schema) -> Iterator[str]:
    for words, is_name in type_of(schema):
        yield f'<a href="#schema-{escape(words)}">{escape(_label(words))}</a>' if is_name else escape(words)


def _label(name: str) -> str:
    """`Page_Document_` as a person would say it."""
    return re.sub(r"^(\w+?)_(\w+)_$", r"\1 of \2", name)


def _example(value: Any) -> str:
    written = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return f"<pre><code>{escape(written)}</code></pre>"
