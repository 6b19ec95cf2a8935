"""Documents on their way into a server, and the wait until it has read them."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from bench.client import Client
from bench.references import Document

CONNECTIONS = 6
PATIENCE = 300.0
"""Seconds without any document becoming ready after which a bench gives up."""


def body(document: Document) -> dict[str, str]:
    """A document as it is sent: one that is empty but for its title as a text, an empty title left out."""
    titled = {"title": document.title} if document.title and document.text else {}
    return titled | {"content": document.text or document.title, "external_id": document.id}


async def feed(client: Client, documents: Sequence[Document]) -> float:
    """Send documents and wait until all can be found; the seconds from the first byte to the last document."""
    requests = [client.request("POST", "/api/documents", body(one)) for one in documents]
    began = time.perf_counter()
    await client.all(requests, CONNECTIONS)
    await settled(client)
    return time.perf_counter() - began


async def settled(client: Client) -> dict[str, Any]:
    """The organisation's numbers once all its documents are indexed. Raises `RuntimeError` when one is not."""
    ask, began = client.request("GET", "/api/stats"), time.monotonic()
    first, best, heard = None, -1, began
    async with client.connections(1) as [connection]:
        while True:
            numbers: dict[str, Any] = json.loads(await connection.ask(ask))
            by_status = numbers["documents"]["by_status"]
            if by_status.get("failed"):
                await _complain(client)
            if (done := by_status.get("indexed", 0)) == numbers["documents"]["total"]:
                return numbers
            moment, first = time.monotonic(), done if first is None else first
            if done > best:
                best, heard = done, moment
            if moment - heard > PATIENCE:
                raise RuntimeError(f"No document became ready for {PATIENCE:.0f} s: {by_status}.")
            await asyncio.sleep(pause(numbers["documents"]["total"] - done, done - first, moment - began))


def pause(left: int, done: int, seconds: float) -> float:
    """How long to wait before the next look: a quarter of what is left to do, because each look costs the server."""
    expected = left * seconds / done if done else 0.0
    return min(2.0, max(0.05, expected / 4))


async def _complain(client: Client) -> None:
    failed = await client.call("GET", "/api/documents?status=failed&limit=1")
    for one in failed["data"]:
        raise RuntimeError(f"The document {one['external_id']} could not be indexed: {one['error']}.")
