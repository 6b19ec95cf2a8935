"""Clients that send documents through every outage, and remember what they were promised."""

import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

import httpx

from tests.server import Server

SENDERS = 3
PAUSE = 0.2
# Neither stemming nor a stop list changes such a word, and none of them is another one's beginning.
LETTERS = "bcdfgkmpvxz"
VOCABULARY = (
    "lease",
    "notice",
    "tenant",
    "deposit",
    "garden",
    "roof",
    "winter",
    "heating",
    "repair",
    "invoice",
    "window",
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A document to be sent. `word` stands in it once, and in no other."""

    word: str
    text: str
    as_file: bool

    @classmethod
    def number(cls, number: int, *, sentences: int = 60) -> Self:
        chance = random.Random(number)
        lines = [" ".join(chance.choices(VOCABULARY, k=14)) + "." for _ in range(sentences)]
        word = _word(number)
        return cls(word, f"The letter {word} begins here. " + " ".join(lines), as_file=number % 2 == 1)

    def body(self) -> dict[str, Any]:
        """Either of the two forms in which a document is sent."""
        if self.as_file:
            return {"files": {"file": ("letter.txt", self.text.encode(), "text/plain")}}
        return {"json": {"title": "A letter", "content": self.text}}


def _word(number: int) -> str:
    digits = [LETTERS[number // len(LETTERS) ** place % len(LETTERS)] for place in range(4)]
    return f"q{''.join(digits)}q"


@dataclass(slots=True)
class Post:
    """What became of the letters so far. Only what was answered with 202 is promised."""

    accepted: dict[str, Letter] = field(default_factory=dict)
    """By the id of the document that the server named."""
    broken: Counter[str] = field(default_factory=Counter)
    """Attempts that ended without the answer to them, by what ended them. Each was repeated."""
    refused: list[str] = field(default_factory=list)
    """Answers that no crash excuses."""


class Senders:
    """Threads that send `letters` with an Idempotency-Key, again and again until each is accepted.

    They send as many as `allow` has let them. At the end of the block they have stopped; what then was not accepted
    never will be.
    """

    def __init__(self, server: Server, letters: Sequence[Letter]) -> None:
        self.post = Post()
        self._server, self._letters = server, iter(letters)
        self._lock, self._allowed, self._over = threading.Lock(), threading.Semaphore(0), threading.Event()
        self._threads = [threading.Thread(target=self._run, name=f"sender {n}") for n in range(SENDERS)]
        self._failures: list[BaseException] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.allow(SENDERS)
        for thread in self._threads:
            thread.join()

    def allow(self, count: int) -> None:
        """Let so many more letters go."""
        self._allowed.release(count)

    def finish(self, patience: float) -> Post:
        """Let all that is left go, and return when everything was accepted, or after `patience` seconds."""
        for thread in self._threads:
            self.allow(10_000)
            thread.join(patience)
        self._over.set()
        assert not self._failures, self._failures
        return self.post

    def _run(self) -> None:
        try:
            with httpx.Client(timeout=30.0, trust_env=False) as client:
                while (letter := self._next()) is not None:
                    self._send(client, letter)
        except BaseException as error:  # the thread has nobody above it; the test looks at the list
            self._failures.append(error)
            raise

    def _next(self) -> Letter | None:
        self._allowed.acquire()
        if self._over.is_set():
            return None
        with self._lock:
            return next(self._letters, None)

    def _send(self, client: httpx.Client, letter: Letter) -> None:
        key = uuid4().hex
        while not self._over.is_set():
            answer = self._attempt(client, letter, key)
            if answer is not None and answer.status_code == 202:
                with self._lock:
                    self.post.accepted[answer.json()["id"]] = letter
                return
            if answer is not None and not _is_passing(answer):
                self.post.refused.append(f"{letter.word}: {answer.status_code} {answer.text}")
                return
            self._over.wait(PAUSE)

    def _attempt(self, client: httpx.Client, letter: Letter, key: str) -> httpx.Response | None:
        try:
            answer = client.post(
                f"{self._server.url}/api/documents",
                headers={"X-API-Key": self._server.key, "Idempotency-Key": key},
                **letter.body(),
            )
        except httpx.TransportError as error:
            with self._lock:
                self.post.broken[type(error).__name__] += 1
            return None
        if answer.status_code != 202:
            with self._lock:
                self.post.broken[answer.json()["code"]] += 1
        return answer


def _is_passing(answer: httpx.Response) -> bool:
    """Whether the answer itself says that a repetition may succeed."""
    return answer.status_code == 503 or (answer.status_code == 409 and answer.json()["code"] == "idempotency-conflict")
