"""Killed in the middle of beginning something: a start, or a request."""

import json
import os
import signal
import time
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from carrel.infra.postgres import read_dsn
from tests.crash.audit import Audit, wait_for_the_end
from tests.crash.following import until, until_it_answers
from tests.crash.load import Letter, Post
from tests.server import Server

AT_ONCE = 1.0
"""Far less than a process needs to import itself on a busy machine."""


def test_processes_that_are_killed_while_they_start_come_back(tmp_path, model_cache):
    with Server(tmp_path, model_cache=model_cache) as server:
        for role in ("postgres", "postgres", "postgres", "api", "worker", "api", "postgres"):
            os.kill(server.pid(role), signal.SIGKILL)

        until_it_answers(server, "/health/ready")

        assert server.process.poll() is None


def test_no_process_outlives_a_parent_that_is_killed_while_it_starts_them(tmp_path, model_cache):
    with Server(tmp_path, model_cache=model_cache) as server:
        server.stop()
        for role in ("api", "worker"):
            server.start(wait=False)
            server.pid(role)
            server.kill()
            # The database shuts down in its own time; nobody else has a reason to stay.
            time.sleep(AT_ONCE)
            assert not server.pids().keys() & {"api", "worker", "reader"}
            server.assert_nothing_left()

        server.start()


def test_a_request_whose_process_was_killed_can_soon_be_repeated_and_is_carried_out_once(tmp_path, model_cache):
    letter = Letter.number(0)
    headers = {"Idempotency-Key": "halfway", "Content-Type": "application/json"}
    body = json.dumps({"content": letter.text}).encode()
    with Server(tmp_path, model_cache=model_cache) as server:

        def interrupted() -> Iterator[bytes]:
            yield body[:100]
            until(lambda: is_claimed(server), "the request is under way")
            os.kill(server.pid("api"), signal.SIGKILL)
            yield body[100:]

        with pytest.raises(httpx.TransportError):
            server.client.post("/api/documents", headers=headers, content=interrupted())
        until_it_answers(server)
        accepted = until(lambda: repeated(server, headers, body), "the repetition is accepted", patience=20)

        post = Post({accepted: letter})
        Audit(server, post, wait_for_the_end(server)).every_promise_is_kept_once()


def is_claimed(server: Server) -> bool:
    with psycopg.connect(read_dsn(server.data_dir / "postgres"), autocommit=True) as connection:
        return connection.execute("SELECT count(*) FROM idempotency_keys").fetchone() == (1,)


def repeated(server: Server, headers: dict[str, str], body: bytes) -> str | None:
    answer = server.client.post("/api/documents", headers=headers, content=body)
    if answer.status_code == 409:
        assert answer.json()["code"] == "idempotency-conflict"
        return None
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])
