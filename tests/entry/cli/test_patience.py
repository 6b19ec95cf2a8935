import asyncio

import httpx
import pytest

from carrel.entry.cli.patience import each, patiently

pytestmark = pytest.mark.anyio


class Answers:
    """Gives one after the other, and the last for ever."""

    def __init__(self, *answers):
        self.answers, self.tries = list(answers), 0

    async def __call__(self):
        self.tries += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def busy(status=503, **headers):
    return httpx.Response(status, headers=headers, json={"code": "unavailable"})


async def test_lost_connections_and_busy_servers_are_tried_again():
    send = Answers(httpx.ReadError("lost"), busy(), httpx.ConnectError("refused"), httpx.Response(202))

    assert (await patiently(send)).status_code == 202
    assert send.tries == 4


async def test_a_request_that_still_runs_is_asked_for_again():
    running = httpx.Response(409, json={"code": "idempotency-conflict"})

    assert (await patiently(Answers(running, httpx.Response(202)))).status_code == 202


@pytest.mark.parametrize("status", [200, 401, 409, 413, 500])
async def test_other_answers_are_final(status):
    send = Answers(httpx.Response(status, json={"code": "external-id-exists"}))

    assert (await patiently(send)).status_code == status
    assert send.tries == 1


async def test_it_waits_as_long_as_it_is_asked_to():
    loop = asyncio.get_running_loop()
    began = loop.time()

    await patiently(Answers(busy(**{"Retry-After": "1"}), httpx.Response(202)))

    assert loop.time() - began >= 1


async def test_patience_ends():
    assert (await patiently(Answers(busy(**{"Retry-After": "900"})), patience=0.5)).status_code == 503
    with pytest.raises(httpx.ReadError):
        await patiently(Answers(httpx.ReadError("lost")), patience=0.5)


async def test_a_fault_of_the_request_itself_is_not_tried_again():
    send = Answers(httpx.LocalProtocolError("too much data"))

    with pytest.raises(httpx.LocalProtocolError):
        await patiently(send)
    assert send.tries == 1


async def test_each_item_is_done_once_and_few_at_a_time():
    done, now, most = [], 0, 0

    async def work(item):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        done.append(item)

    await each(range(50), work, at_a_time=3)

    assert sorted(done) == list(range(50))
    assert most == 3


async def test_the_first_failure_ends_the_others():
    begun = []

    async def work(item):
        begun.append(item)
        if item == 2:
            raise ValueError("two")
        await asyncio.Event().wait()

    with pytest.raises(ValueError, match="two"):
        await each(range(50), work, at_a_time=3)
    assert begun == [0, 1, 2]
