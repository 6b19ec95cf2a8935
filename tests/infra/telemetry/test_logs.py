"""The log as an operator reads it: each in a process of its own, because there is one log per process."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging, sys
import structlog
from carrel.infra.telemetry import logs

logs.configure(sys.argv[1], process="api")
log, library = structlog.get_logger("carrel"), logging.getLogger("library")
log.debug("small")
log.info("told", number=1, thing=object)
library.info("chatter")
library.warning("heard", extra={"of": "library"})
log.critical("grave \\ud800")

def fail():
    key = "ck_" + "secret"
    raise RuntimeError("broken")

for say in (log.exception, library.exception):
    try:
        fail()
    except RuntimeError:
        with structlog.contextvars.bound_contextvars(request_id="r1"):
            say("bug")
"""


def lines(level: str) -> list[dict[str, object]]:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, level], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == ""
    assert "ck_secret" not in ended.stderr
    return [json.loads(line) for line in ended.stderr.splitlines()]


@pytest.fixture(scope="module")
def told():
    return lines("info")


def test_it_is_one_object_a_line_with_time_level_and_process(told):
    for line in told:
        assert str(line["timestamp"]).endswith("Z")
        assert line["process"] == "api"
        assert line["level"] in {"info", "warning", "error", "critical"}
    assert [line["event"] for line in told] == ["told", "heard", "grave \ud800", "bug", "bug"]


def test_libraries_speak_in_the_same_form(told):
    heard = next(line for line in told if line["event"] == "heard")

    assert (heard["level"], heard["of"]) == ("warning", "library")


def test_traces_name_the_place_and_no_value(told):
    for bug in (line for line in told if line["event"] == "bug"):
        [trace] = bug["exception"]
        assert (trace["exc_type"], trace["exc_value"]) == ("RuntimeError", "broken")
        assert trace["frames"][-1]["name"] == "fail"
        assert "locals" not in trace["frames"][-1]
        assert bug["request_id"] == "r1"


@pytest.mark.parametrize(
    ("level", "events"),
    [
        (" DEBUG ", ["small", "told", "heard", "grave \ud800", "bug", "bug"]),
        ("error", ["grave \ud800", "bug", "bug"]),
        ("off", ["grave \ud800"]),
        ("info,carrel=debug", ["told", "heard", "grave \ud800", "bug", "bug"]),
    ],
)
def test_the_level_says_what_is_heard(level, events):
    assert [line["event"] for line in lines(level)] == events
