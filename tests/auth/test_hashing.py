import asyncio
import threading

import pytest
from argon2 import PasswordHasher

from carrel.auth import hashing
from carrel.auth.hashing import Checked, Passwords
from carrel.infra.web.errors import Unavailable
from tests.auth.town import QUICK

pytestmark = pytest.mark.anyio


@pytest.fixture
async def passwords():
    passwords = Passwords(QUICK)
    yield passwords
    await passwords.close()


async def test_a_password_is_known_again_and_another_is_not(passwords):
    stored = await passwords.hash("four quiet herons")

    assert await passwords.check("four quiet herons", stored) == Checked(right=True)
    assert await passwords.check("four loud herons", stored) == Checked(right=False)


async def test_the_same_password_is_kept_differently_each_time(passwords):
    assert await passwords.hash("four quiet herons") != await passwords.hash("four quiet herons")


async def test_two_ways_of_writing_a_letter_are_one_password(passwords):
    stored = await passwords.hash("caf\u00e9 au lait")

    assert (await passwords.check("cafe\u0301 au lait", stored)).right


async def test_nothing_stored_is_never_right(passwords, monkeypatch):
    monkeypatch.setattr(passwords, "_nobody", await passwords.hash("guessed"))

    assert await passwords.check("guessed", None) == Checked(right=False)


async def test_older_parameters_are_raised_when_the_password_is_right(passwords):
    old = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash("four quiet herons")

    right, wrong = await passwords.check("four quiet herons", old), await passwords.check("another", old)

    assert right.better is not None
    assert "m=8," in right.better
    assert (await passwords.check("four quiet herons", right.better)) == Checked(right=True)
    assert wrong == Checked(right=False)


async def test_no_more_than_two_are_worked_on_at_once(passwords, monkeypatch):
    running, most, gate = 0, 0, threading.Lock()
    both = threading.Barrier(2)

    def slow(password):
        nonlocal running, most
        with gate:
            running += 1
            most = max(most, running)
        both.wait(10)
        with gate:
            running -= 1
        return "hash"

    monkeypatch.setattr(passwords, "_hasher", type("Slow", (), {"hash": staticmethod(slow)}))

    await asyncio.gather(*(passwords.hash("x") for _ in range(8)))

    assert most == 2


async def test_a_long_queue_is_refused_instead_of_growing(passwords, monkeypatch):
    monkeypatch.setattr(hashing, "LONGEST_QUEUE", 3)

    outcomes = await asyncio.gather(*(passwords.hash("x") for _ in range(10)), return_exceptions=True)

    assert sum(isinstance(one, Unavailable) for one in outcomes) == 7
    assert await passwords.hash("x")
