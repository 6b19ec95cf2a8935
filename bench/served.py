"""A collection sent to a server of its own and searched there, as any client would do it."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.client import Client
from bench.feeding import CONNECTIONS, feed
from bench.references import DEPTH, Collection, Run, placed
from bench.report import say
from bench.server import running

ASKED = {
    "keyword": {"type": "keyword"},
    "semantic": {"type": "semantic"},
    "hybrid": {"type": "hybrid"},
    "hybrid rrf": {"type": "hybrid", "fusion": "rrf"},
}


@dataclass(frozen=True, slots=True)
class Served:
    """The whole pipeline: sockets, queue, reading, cutting, vectors, index, ranking."""

    cache: Path

    def search(self, collection: Collection) -> dict[str, Run]:
        """The answers of a fresh server that holds nothing but this collection."""
        with tempfile.TemporaryDirectory(prefix="carrel-bench-") as folder, running(Path(folder), self.cache) as server:
            return uvloop.run(_searched(Client(server.host, server.port, server.key), collection))


async def _searched(client: Client, collection: Collection) -> dict[str, Run]:
    # A document of which there is nothing to read cannot be stored, let alone found.
    readable = [one for one in collection.documents if one.title or one.text]
    seconds = await feed(client, readable)
    say(f"{collection.name}: {len(readable)} documents are indexed after {seconds:.0f} s")
    return {name: await _run(client, collection, how) for name, how in ASKED.items()}


async def _run(client: Client, collection: Collection, how: dict[str, str]) -> Run:
    wanted = how | {"limit": DEPTH, "group_by": "document"}
    requests = [client.request("POST", "/api/search", wanted | {"query": text}) for text in collection.queries.values()]
    answers = await client.all(requests, CONNECTIONS)
    found = ([hit["external_id"] for hit in json.loads(answer)["results"]] for answer in answers)
    return {query: placed(ids) for query, ids in zip(collection.queries, found, strict=True)}
