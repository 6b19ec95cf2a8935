"""Waiting for what is to be seen through the API."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from tests.server import Server

POLL = 0.05
T = TypeVar("T")


def until(look: Callable[[], T | None], what: str, *, patience: float = 60.0) -> T:
    """What `look` finds, once it finds something."""
    end = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < end, f"not within {patience:.0f} s: {what}"
        time.sleep(POLL)
    return found


def until_it_answers(server: Server, path: str = "/health") -> None:
    """Return when the running server, one of whose processes was killed, answers with 200."""

    def look() -> bool:
        try:
            return server.client.get(path, timeout=5.0).status_code == 200
        except httpx.TransportError:
            return False

    until(look, f"{path} answers")


def document(client: httpx.Client, document_id: str) -> dict[str, Any]:
    return _json(client.get(f"/api/documents/{document_id}"))


def job_of(client: httpx.Client, document_id: str) -> dict[str, Any]:
    return _json(client.get(f"/api/jobs/{document(client, document_id)['job_id']}"))


def running(client: httpx.Client, document_id: str, *, attempt: int) -> Callable[[], bool]:
    """A look whether the document is being read, for the `attempt`-th time."""

    def look() -> bool:
        job = job_of(client, document_id)
        assert job["state"] in {"queued", "running"}, f"it ended before it could be caught: {job}"
        return job["state"] == "running" and job["attempt"] == attempt and job["step"] is not None

    return look


def _json(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, f"{answer.request.url}: {answer.status_code} {answer.text}"
    told: dict[str, Any] = answer.json()
    return told
