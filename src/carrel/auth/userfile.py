"""Files with users: CSV or JSON, one line for each organisation that somebody belongs to. Pure: text in, lines out."""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from pydantic import ValidationError

from carrel.auth.emails import key_of
from carrel.auth.errors_people import UserFileInvalid
from carrel.auth.schemas_people import Carried, Entry, UserLine

Form = Literal["csv", "json"]
FORMS: Mapping[str, Form] = {"csv": "csv", "json": "json"}
COLUMNS = tuple(UserLine.model_fields)
WRITTEN = ("email", "name", "tier", "operator", "enabled", "organization", "role")
HASH = "password_hash"
MOST_LINES = 100_000
# What a spreadsheet takes for a formula, the wide forms of some keyboards included.
FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")


def form_of(name: str) -> Form:
    """The form that a file's suffix names. Raises `UserFileInvalid`."""
    found = FORMS.get(name.rpartition(".")[2].lower())
    if found is None:
        raise UserFileInvalid("The name of the file ends neither in .csv nor in .json.", hint="Name it users.csv.")
    return found


def parsed(text: str, form: Form) -> list[Entry]:
    """Every line, with what is wrong with it. Raises `UserFileInvalid` when there are no lines to speak of."""
    rows = _csv_rows(text) if form == "csv" else _json_rows(text)
    if len(rows) > MOST_LINES:
        raise UserFileInvalid(f"The file has more than {MOST_LINES:,} lines.", hint="Split it.")
    return _without_contradictions([_entry(number, row) for number, row in rows])


def written(people: Iterable[Carried], form: Form, *, hashes: bool = False) -> str:
    """The text of a file that `parsed` reads, and whose import changes nothing where it came from."""
    columns = (*WRITTEN, HASH) if hashes else WRITTEN
    rows = [{name: value for name, value in asdict(one).items() if name in columns} for one in people]
    if form == "json":
        return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def harmless(text: str) -> str:
    """A cell that no spreadsheet computes: an apostrophe stands before what begins like a formula."""
    return "'" + text if FORMULA.match(text) else text


def original(cell: str) -> str:
    """What `harmless` was given."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else harmless(str(value))


def _csv_rows(text: str) -> list[tuple[int, Mapping[str, Any]]]:
    try:
        reader = csv.reader(io.StringIO(text), strict=True)
        header = [name.strip().lower() for name in next(reader, [])]
        _require_known(header)
        rows = [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise UserFileInvalid(f"The file is no CSV: {error}.", hint="Save it as CSV with commas, in UTF-8.") from error
    return [(number, _of_cells(header, cells)) for number, cells in rows]


def _of_cells(header: Sequence[str], cells: Sequence[str]) -> Mapping[str, Any]:
    said = {name: original(cell.strip()) or None for name, cell in zip(header, cells, strict=False)}
    return said if len(cells) <= len(header) else {**said, "more cells than columns": ""}


def _require_known(header: Sequence[str]) -> None:
    unknown = next((name for name in header if name not in COLUMNS), None)
    if "email" not in header or unknown is not None or len(set(header)) != len(header):
        wrong = "has no column `email`, or one twice" if unknown is None else f"has a column `{unknown[:50]}`"
        raise UserFileInvalid(f"The first line {wrong}.", hint=f"The columns are {', '.join(COLUMNS)}.")


def _json_rows(text: str) -> list[tuple[int, Mapping[str, Any]]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserFileInvalid("The file is no JSON.", hint="Write a list of objects with a member `email`.") from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UserFileInvalid("The file is no list of objects.", hint='Write it as [{"email": "lina@example.org"}].')
    return [(number, {**row, "name": row.get("name") or None}) for number, row in enumerate(found, start=1)]


def _entry(number: int, row: Mapping[str, Any]) -> Entry:
    email = str(row.get("email") or "")[:254]
    try:
        return Entry(number, email, UserLine.model_validate(row))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return Entry(number, email, error=f"{place}: {_sentence(first['msg'])}" if place else _sentence(first["msg"]))


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ").rstrip(".") + "."


def _without_contradictions(entries: Sequence[Entry]) -> list[Entry]:
    """Somebody may stand in several lines, for several organisations, but is one person and has one role in each."""
    persons: dict[str, tuple[int, dict[str, Any]]] = {}
    places: dict[tuple[str, str | None], int] = {}
    checked = []
    for entry in entries:
        error = None
        if entry.line is not None:
            key = key_of(entry.line.email)
            first, said = persons.setdefault(key, (entry.number, entry.line.about_the_person()))
            before = places.setdefault((key, entry.line.organization), entry.number)
            if said != entry.line.about_the_person():
                error = f"This contradicts line {first}, which is about the same person."
            elif before != entry.number:
                error = f"This repeats line {before}."
        checked.append(entry if error is None else Entry(entry.number, entry.email, error=error))
    return checked
