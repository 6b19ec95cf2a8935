import asyncio
import threading

import numpy as np
import pytest

from carrel.infra.models import AsyncEmbedder, Embedder, ModelBusy, Tokenizer
from tests.infra.models.tiny import WORDS, word_tokenizer

pytestmark = pytest.mark.anyio


class Gate:
    """A backend that notes what it encodes and holds it until it is opened."""

    def __init__(self) -> None:
        self.open, self.entered = threading.Event(), threading.Event()
        self.order: list[str] = []

    def vector(self, ids):
        [word] = ids
        self.order.append(WORDS[word])
        self.entered.set()
        assert self.open.wait(60)
        if WORDS[word] == "zero":
            raise ZeroDivisionError
        return np.full(4, word, np.float32)

    async def is_busy(self) -> None:
        assert await asyncio.to_thread(self.entered.wait, 60)


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def embedder(gate):
    return Embedder("gated", 4, 8, Tokenizer(word_tokenizer(special=False)), gate)


@pytest.fixture
def waiting(embedder, gate):
    waiting = AsyncEmbedder(embedder, workers=1)
    yield waiting
    gate.open.set()
    waiting.close()


async def started(coroutine):
    """A task that has run up to its first wait."""
    task = asyncio.ensure_future(coroutine)
    await asyncio.sleep(0)
    return task


async def test_queries_go_before_passages_that_wait(waiting, gate):
    passages = await started(waiting.passages(["a", "b", "c"]))
    await gate.is_busy()
    query = await started(waiting.query("q"))

    gate.open.set()
    await asyncio.gather(passages, query)

    assert gate.order == ["a", "q", "b", "c"]


async def test_passages_come_back_in_order_with_progress(waiting, gate):
    gate.open.set()
    heard = []

    rows = await waiting.passages(list("edcba"), on_progress=lambda done, total: heard.append((done, total)))

    assert rows[:, 0].tolist() == [WORDS.index(letter) for letter in "edcba"]
    assert heard == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


async def test_no_passages_give_no_rows(waiting):
    assert (await waiting.passages([])).shape == (0, 4)


async def test_a_long_document_does_not_fill_the_line(waiting, gate):
    task = await started(waiting.passages(["a"] * 1000))
    await gate.is_busy()

    assert len(waiting._passages) <= 2

    task.cancel()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await waiting.query("q"))[0] == WORDS.index("q")
    assert len(gate.order) <= 3


async def test_what_a_cancelled_caller_asked_for_is_not_computed(waiting, gate):
    first = await started(waiting.query("a"))
    await gate.is_busy()
    second, third = await started(waiting.query("b")), await started(waiting.query("c"))
    second.cancel()
    await asyncio.sleep(0)

    gate.open.set()
    await asyncio.gather(first, third)

    assert gate.order == ["a", "c"]


async def test_too_many_waiting_queries_are_turned_away(waiting, gate, monkeypatch):
    monkeypatch.setattr("carrel.infra.models.waiting.MOST_WAITING", 2)
    first = await started(waiting.query("a"))
    await gate.is_busy()
    others = [await started(waiting.query(word)) for word in "bc"]

    with pytest.raises(ModelBusy) as refused:
        await waiting.query("d")

    assert (refused.value.code, refused.value.status) == ("model-busy", 503)
    gate.open.set()
    await asyncio.gather(first, *others)
    assert (await waiting.query("d"))[0] == WORDS.index("d")


async def test_a_failure_reaches_the_one_who_asked_and_nobody_else(waiting, gate):
    gate.open.set()

    with pytest.raises(ZeroDivisionError):
        await waiting.query("zero")
    with pytest.raises(ZeroDivisionError):
        await waiting.passages(["a", "zero", "b", "c"])

    assert (await waiting.query("b"))[0] == WORDS.index("b")


async def test_closing_finishes_what_runs_and_cancels_what_waits(waiting, gate):
    running = await started(waiting.query("a"))
    await gate.is_busy()
    left = await started(waiting.query("b"))
    closing = asyncio.create_task(asyncio.to_thread(waiting.close))
    with pytest.raises(asyncio.CancelledError):
        await left

    gate.open.set()
    await closing

    assert (await running)[0] == WORDS.index("a")
    assert gate.order == ["a"]
    with pytest.raises(RuntimeError):
        await waiting.query("c")


async def test_the_real_model_gives_the_same_vectors_in_the_pool(minilm):
    waiting = AsyncEmbedder(minilm, workers=2)
    texts = [f"Paragraph {number} of the lease." for number in range(12)]

    rows, query = await asyncio.gather(waiting.passages(texts), waiting.query("Who pays?"))
    waiting.close()

    assert np.array_equal(rows, minilm.encode_many(texts))
    assert np.array_equal(query, minilm.encode("Who pays?"))
    assert waiting.knows("Who pays?")
    assert not waiting.knows("من يدفع؟")
