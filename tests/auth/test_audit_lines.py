"""Events as lines: whatever is in them, programs read them back and spreadsheets take nothing for a formula."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.auth.audit_lines import as_csv, as_json, csv_head
from carrel.auth.schemas_audit import AuditEvent

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)


def event(**changes):
    usual = {
        "sequence": 1, "at": datetime(2026, 11, 24, 12, 0, tzinfo=UTC), "actor": "user:1", "action": "logout",
        "target_kind": None, "target_id": None, "outcome": "success", "address": "10.0.0.1", "request_id": "req_1",
        "details": {"name": "Importer"}, "previous_hash": "00", "hash": "01",
    }  # fmt: skip
    return AuditEvent(**{**usual, **changes})


def read(line):
    [row] = csv.reader(io.StringIO(line, newline=""))
    return dict(zip(next(csv.reader(io.StringIO(csv_head()))), row, strict=True))


def test_a_line_of_json_says_everything():
    assert json.loads(as_json(event())) == {
        "sequence": 1, "at": "2026-11-24T12:00:00Z", "actor": "user:1", "action": "logout", "target_kind": None,
        "target_id": None, "outcome": "success", "address": "10.0.0.1", "request_id": "req_1",
        "details": {"name": "Importer"}, "previous_hash": "00", "hash": "01",
    }  # fmt: skip


@given(texts, texts)
def test_json_stays_on_one_line_and_can_be_read_back(actor, name):
    line = as_json(event(actor=actor, details={name: name}))

    assert line.count("\n") == 1
    assert json.loads(line)["actor"] == actor


@given(texts)
def test_a_row_can_be_read_back(actor):
    cell = read(as_csv(event(actor=actor)))["actor"]

    assert cell.removeprefix("'") == actor.removeprefix("'") or cell == actor


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(start):
    row = read(as_csv(event(actor=f"{start}HYPERLINK(1)", target_id=f"{start}1")))

    assert row["actor"] == f"'{start}HYPERLINK(1)"
    assert row["target_id"] == f"'{start}1"


def test_what_is_not_there_is_an_empty_cell():
    row = read(as_csv(event()))

    assert (row["target_kind"], row["details"], row["sequence"]) == ("", '{"name": "Importer"}', "1")
