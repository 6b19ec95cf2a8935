"""Workers that die over a document, and workers that stand still."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from carrel.infra.postgres import read_dsn
from tests.crash.audit import Audit, wait_for_the_end
from tests.crash.following import document, job_of, running, until
from tests.crash.load import Letter, Post
from tests.server import PROGRAM, Server

LEASE = 2.0
LONG = 3_000
"""Sentences of a letter that is read for seconds, so that its worker can be met over it."""


OVERDUE = "SELECT count(*) FROM jobs WHERE state = 'running' AND lease_until < clock_timestamp()"
AT_REST = "SELECT running = 0 FROM job_workers WHERE process_id = %(pid)s AND seen_at > %(since)s"


def send(server: Server, letter: Letter) -> str:
    answer = server.client.post("/api/documents", **letter.body())
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def until_it_ended(server: Server, document_id: str) -> dict[str, Any]:
    ended = {"indexed", "failed"}
    until(lambda: document(server.client, document_id)["status"] in ended, "the document has ended")
    return document(server.client, document_id)


def test_a_document_over_which_three_workers_die_is_given_up_and_no_other_is(tmp_path, model_cache):
    with Server(tmp_path, model_cache=model_cache, JOB_LEASE=str(LEASE)) as server:
        deadly = send(server, Letter.number(0, sentences=LONG))
        for attempt in (1, 2, 3):
            until(running(server.client, deadly, attempt=attempt), f"the document is being read, try {attempt}")
            os.kill(server.pid("worker"), signal.SIGKILL)
        harmless = send(server, Letter.number(1))

        failed, indexed = until_it_ended(server, deadly), until_it_ended(server, harmless)
        job = job_of(server.client, deadly)

    assert (failed["status"], failed["error"]["code"]) == ("failed", "worker-lost")
    assert "died" in failed["error"]["detail"]
    assert (job["state"], job["attempt"]) == ("failed", 3)
    assert indexed["status"] == "indexed"


def test_what_a_worker_had_in_hand_when_it_stood_still_is_done_once(tmp_path, model_cache):
    with Server(tmp_path, model_cache=model_cache, JOB_LEASE=str(LEASE)) as server:
        slept_over, taken_over = Letter.number(0, sentences=LONG), Letter.number(1, sentences=LONG)

        first = send(server, slept_over)
        until(running(server.client, first, attempt=1), "the first document is being read")
        with standing_still(server):
            until(lambda: ask(server, OVERDUE), "its lease has run out")
        until_it_ended(server, first)

        second = send(server, taken_over)
        until(running(server.client, second, attempt=1), "the second document is being read")
        with another_worker(server):
            with standing_still(server):
                until_it_ended(server, second)
                assert job_of(server.client, second)["attempt"] == 2
            post = Post({first: slept_over, second: taken_over})
            Audit(server, post, wait_for_the_end(server)).all_of_it()


@contextmanager
def standing_still(server: Server) -> Iterator[None]:
    """The worker does nothing inside the block, and at its end has let go of what it had in hand before."""
    pid = server.pid("worker")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
        since = ask(server, "SELECT clock_timestamp()")
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: ask(server, AT_REST, pid=pid, since=since), "the worker is heard of again, with nothing in hand")


@contextmanager
def another_worker(server: Server) -> Iterator[None]:
    """A worker beside the server, as on a second machine of a cluster."""
    with server.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(os.getpid()), "worker"],
            env=server.environment(DATABASE_URL=read_dsn(server.data_dir / "postgres")),
            cwd=server.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield
        process.terminate()
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()


def ask(server: Server, question: str, **about: object) -> Any:
    with psycopg.connect(read_dsn(server.data_dir / "postgres"), autocommit=True) as connection:
        found = connection.execute(question, about).fetchone()
    return found and found[0]
