"""Events as lines of a file. Pure."""

import csv
import io
import json
from dataclasses import asdict, fields
from datetime import UTC, datetime

from carrel.auth.schemas_audit import AuditEvent

COLUMNS = [field.name for field in fields(AuditEvent)]
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_json(event: AuditEvent) -> str:
    """One line of JSON."""
    return json.dumps(asdict(event), ensure_ascii=False, default=_text) + "\n"


def as_csv(event: AuditEvent) -> str:
    """One row. No spreadsheet takes a cell for a formula."""
    return _row([_cell(value) for value in asdict(event).values()])


def csv_head() -> str:
    return _row(COLUMNS)


def _row(cells: list[str]) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else _text(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
