"""SIGTERM and Ctrl-C end the whole tree quickly and in order; the next start finds everything."""

import signal
import time

from tests.crash.audit import Audit, documents, wait_for_the_end
from tests.crash.following import until
from tests.crash.load import Letter, Senders
from tests.server import Server

AT_MOST = 5.0


def stop_in_time(server: Server, number: signal.Signals) -> None:
    began = time.monotonic()
    status = server.stop(number)
    took = time.monotonic() - began
    server.assert_nothing_left(patience=0.5)
    assert (status, took < AT_MOST) == (0, True), f"ended with {status} after {took:.1f} s: {server.said()}"


def is_reading(server: Server) -> bool:
    return any(one["status"] == "processing" for one in documents(server.client))


def test_a_stop_in_the_middle_of_the_work_is_quick_and_the_next_start_does_the_rest(tmp_path, model_cache):
    letters = [Letter.number(number, sentences=300) for number in range(12)]
    with Server(tmp_path, model_cache=model_cache) as server, Senders(server, letters) as senders:
        for number in (signal.SIGTERM, signal.SIGINT):
            senders.allow(6)
            until(lambda: is_reading(server), "a document is being read")
            stop_in_time(server, number)
            server.start()

        post = senders.finish(patience=60)
        Audit(server, post, wait_for_the_end(server)).all_of_it()


def test_a_stop_before_it_is_ready_is_quick_too_and_leaves_nothing_half_made(tmp_path, model_cache):
    server = Server(tmp_path, model_cache=model_cache)
    server.start(wait=False)
    with server:
        until((server.data_dir / "postgres" / "cluster.new").exists, "the database is being created")
        stop_in_time(server, signal.SIGTERM)
        assert not list((server.data_dir / "postgres").glob("cluster*"))

        for role, number in (("postgres", signal.SIGINT), ("api", signal.SIGTERM), ("api", signal.SIGINT)):
            server.start(wait=False)
            server.pid(role)
            stop_in_time(server, number)

        server.start()

        assert server.client.get("/health/ready").status_code == 200
