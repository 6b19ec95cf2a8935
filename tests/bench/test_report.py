import json

import pytest

from bench import report
from bench.report import circumstances, publish, table


def test_a_table_shows_numbers_as_they_are_read_and_none_as_a_dash():
    shown = table(["what", "value"], [["a", 1234.5], ["b", 12.345], ["c", 0.98765], ["d", None], ["e", 7]])

    assert shown.splitlines() == [
        "| what | value |",
        "| --- | --- |",
        "| a | 1,234 |",
        "| b | 12.3 |",
        "| c | 0.988 |",
        "| d | - |",
        "| e | 7 |",
    ]


@pytest.mark.parametrize(
    ("info", "name"),
    [("processor\t: 0\nmodel name\t: A Fast One @ 3 GHz\nmodel name\t: other\n", "A Fast One @ 3 GHz"), ("", None)],
)
def test_the_processor_is_named(info, name, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")

    assert report._cpu(info) == (name or "riscv64")


def test_a_busy_machine_is_named_in_prose_and_in_the_line(capsys, monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (64.0, 1.0, 1.0))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})

    publish("sample", circumstances(), ["| a |"], {"figure": 1.5})

    *prose, line = capsys.readouterr().out.strip().splitlines()
    told = json.loads(line)
    assert "The machine was busy before this began (load average 64.0 on 2 cores): trust the ratios only." in prose
    assert (told["bench"], told["figure"], told["machine"]["busy"], told["machine"]["cores"]) == (
        "sample",
        1.5,
        True,
        2,
    )
    assert told["commit"]


def test_a_quiet_machine_is_not_excused(capsys, monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (0.1, 9.0, 9.0))

    publish("sample", circumstances(), ["| a |"], {})

    assert "busy before" not in capsys.readouterr().out


def test_without_git_the_commit_is_unknown(monkeypatch):
    monkeypatch.setenv("PATH", "")

    assert circumstances()["commit"] == "unknown"
