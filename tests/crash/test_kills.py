"""Whatever is killed while documents come in, each accepted document ends indexed, once, and nobody is left behind."""

import os
import random
import time
from collections.abc import Callable

import pytest

from tests.crash.audit import Audit, Document, wait_for_the_end
from tests.crash.kills import Killer
from tests.crash.load import Letter, Post, Senders
from tests.server import Server

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "50"))


def storm(server: Server, letters: list[Letter], tell: Callable[[str], None], *, each: int, parents: int) -> None:
    """Kill while sending, wait for the end, and compare. Tells a line of figures."""
    began, seed = time.monotonic(), random.randrange(2**32)
    with Senders(server, letters) as senders:
        killer = Killer(server, random.Random(seed), feed=lambda: senders.allow(1))
        plan = killer.plan(each, parents)
        for role in plan:
            senders.allow(len(letters) // len(plan))
            killer.strike(role)
        server.wait_until_ready()
        post = senders.finish(patience=120)
    # A document that was in hand several times when workers died rests for a minute before its next try.
    found = wait_for_the_end(server, patience=150)
    tell(_figures(killer, post, found, time.monotonic() - began, seed))
    assert not killer.orphans
    assert len(post.accepted) == len(letters), f"{len(letters) - len(post.accepted)} were never accepted: {post.broken}"
    Audit(server, post, found).all_of_it()


def _figures(killer: Killer, post: Post, found: list[Document], seconds: float, seed: int) -> str:
    there, promised = {one["id"] for one in found}, set(post.accepted)
    return (
        f"{killer.kills.total()} kills {dict(killer.kills)}, {len(promised)} documents accepted: "
        f"{len(promised - there)} lost, {len(there - promised)} stored twice, {len(killer.orphans)} orphans; "
        f"{post.broken.total()} attempts repeated {dict(post.broken)}; {seconds:.0f} s (seed {seed})"
    )


def test_killing_any_process_loses_and_doubles_nothing(tmp_path, model_cache, tell):
    with Server(tmp_path, model_cache=model_cache) as server:
        storm(server, [Letter.number(number, sentences=80) for number in range(36)], tell, each=2, parents=1)


@pytest.mark.slow
def test_killing_each_process_fifty_times_loses_and_doubles_nothing(tmp_path, model_cache, tell):
    with Server(tmp_path, model_cache=model_cache) as server:
        letters = [Letter.number(number, sentences=200) for number in range(200)]
        storm(server, letters, tell, each=ROUNDS, parents=ROUNDS)
