"""How fast documents become searchable, held against the model alone; and what a server takes before it has any.

The model reads the same passages in this process while the server is idle, before and after each portion of documents,
with as many threads as the server's worker has. Where other programs want the cores as well, a server of several
processes may get more of them than one process does, and the ratio of the speeds then comes out too high: a portion
near or above 1 tells of that. The ratio of processor times depends far less on who else is there, and on a quiet
machine whose cores are all at work the ratio of the speeds can hardly be better. Prints Markdown tables, then one line
of JSON.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from bench import corpus
from bench.client import Client
from bench.feeding import CONNECTIONS, feed, settled
from bench.footprint import cpu_seconds, idle_memory_mb, installed_mb, memory_mb, tree
from bench.references import Document
from bench.report import circumstances, publish, say, table
from bench.server import Server, convert, heed_termination, running
from carrel.entry.wiring import SPLITTER
from carrel.infra import models
from carrel.infra.models import AsyncEmbedder
from carrel.infra.settings import Settings
from carrel.ingestion.chunking import Splitter
from carrel.ingestion.service import TITLE_TOKENS

PORTIONS = 4
WARM_UP = 20
BAR = 0.8
MEMORY_BAR, COLD_BAR, WARM_BAR, SIZE_BAR = 350, 15, 3, 700

Figures = dict[str, Any]


def main() -> int:
    options = _options()
    if options.data is None:
        say("No folder with collections is given (DATA=folder): the documents are made up.")
    heed_termination()
    with tempfile.TemporaryDirectory(prefix="carrel-bench-") as own:
        cache = options.cache or Path(own) / "cache"
        where = circumstances()
        convert(cache)
        figures = _started(Path(own), cache, options.starts)
        folder = Path(own) / "data"
        folder.mkdir()
        with running(folder, cache) as server:
            figures |= uvloop.run(_measured(server, cache, options))
    figures["installed_mb"] = round(installed_mb())
    publish("ingest", where, _tables(figures), figures)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of collections, or one collection")
    parser.add_argument("--cache", type=Path, help="where the converted model may stay")
    parser.add_argument("--documents", type=int, default=1000, help="how many are sent")
    parser.add_argument("--starts", type=int, default=3, help="cold and warm starts to take the median of")
    return parser.parse_args()


def _started(own: Path, cache: Path, times: int) -> Figures:
    """Seconds until a server is ready, in a folder that holds nothing but the model and in one that it made before."""
    cold, warm = list[float](), list[float]()
    for number in range(times):
        folder = own / f"start-{number}"
        folder.mkdir()
        for seconds in (cold, warm):
            with running(folder, cache) as server:
                seconds.append(server.seconds)
    return {"cold_start_s": round(median(cold), 2), "warm_start_s": round(median(warm), 2)}


async def _measured(server: Server, cache: Path, options: argparse.Namespace) -> Figures:
    client = Client(server.host, server.port, server.key)
    # One search, so that nothing is still waiting to be loaded for the first one.
    await client.call("POST", "/api/search", {"query": "warm"})
    idle = _readable(lambda: idle_memory_mb(server.pid))
    documents = corpus.documents(options.data, options.documents + WARM_UP)
    await feed(client, documents[:WARM_UP])
    before, chunks = cpu_seconds(tree(server.pid)), await _chunks(client)
    speeds = await _portions(client, cache, documents[WARM_UP:])
    spent = {name: seconds - before.get(name, 0) for name, seconds in cpu_seconds(tree(server.pid)).items()}
    indexed = await _chunks(client) - chunks
    if indexed != speeds["passages"]:
        say(f"The server made {indexed} passages of the documents, this bench {speeds['passages']}.")
    return {
        **speeds,
        "passages_of_server": indexed,
        "idle_memory_mb": idle,
        "loaded_memory_mb": _readable(lambda: memory_mb(tree(server.pid))),
        "cpu_ms_per_document": {name: round(s * 1000 / options.documents, 2) for name, s in sorted(spent.items())},
        "encoder_cpu_over_server_cpu": round(
            speeds["encoder_cpu_ms_per_passage"] * speeds["passages"] / 1000 / sum(spent.values()), 3
        ),
        "job_ms": await _jobs(client),
    }


async def _portions(client: Client, cache: Path, documents: Sequence[Document]) -> Figures:
    """Portions of documents by turns with the model alone on their passages."""
    embedder = models.load(models.resolve(Settings().model.path, data_dir=cache), cache=cache)
    encoder, size = AsyncEmbedder(embedder), -(-len(documents) // PORTIONS)
    served, alone, ratios, costs, passages = list[float](), list[float](), list[float](), list[float](), 0
    try:
        for start in range(0, len(documents), size):
            portion = documents[start : start + size]
            texts = [text for one in portion for text in cut(one, embedder.tokenizer)]
            first, cost_before = await _speed(encoder, texts)
            seconds = await feed(client, portion)
            second, cost_after = await _speed(encoder, texts)
            passages += len(texts)
            served.append(len(portion) / seconds)
            alone += [first, second]
            costs += [cost_before, cost_after]
            ratios.append(len(texts) / seconds / ((first + second) / 2))
            say(f"{start + len(portion)} documents: {served[-1]:.1f}/s, {ratios[-1]:.2f} of the model's own speed")
    finally:
        encoder.close()
    return {
        "documents": len(documents),
        "passages": passages,
        "documents_per_s": round(median(served), 2),
        "passages_per_s": round(median(served) * passages / len(documents), 1),
        "encoder_passages_per_s": round(median(alone), 1),
        "encoder_cpu_ms_per_passage": round(median(costs), 2),
        "ingest_over_encoder": round(median(ratios), 3),
        "ingest_over_encoder_by_portion": [round(ratio, 3) for ratio in ratios],
        "bar": BAR,
    }


def cut(document: Document, tokens: models.Tokenizer) -> list[str]:
    """The passages that the product makes of a plain text: pieces of it, each after the title."""
    titled = tokens.starts(document.title)
    shown = document.title[: titled[TITLE_TOKENS]] if len(titled) > TITLE_TOKENS else document.title
    room = SPLITTER.limit - min(len(titled), TITLE_TOKENS)
    pieces = Splitter(room, SPLITTER.cap, SPLITTER.overlap).split(document.text, tokens.starts(document.text))
    texts = [document.text[piece.start : piece.end] for piece in pieces]
    return [f"{shown}\n{text}" if shown else text for text in texts]


async def _speed(encoder: AsyncEmbedder, texts: Sequence[str]) -> tuple[float, float]:
    """Passages a second, and the milliseconds of processor time that one takes."""
    began, cpu = time.perf_counter(), time.process_time()
    await encoder.passages(texts)
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    return len(texts) / seconds, spent / len(texts) * 1000


async def _chunks(client: Client) -> int:
    return int((await settled(client))["index"]["chunks"])


async def _jobs(client: Client) -> dict[str, float]:
    """Where the latest jobs spent their time: waiting for a worker, then being done."""
    page = await client.call("GET", "/api/jobs?state=succeeded&limit=200")
    waited, done = list[float](), list[float]()
    for job in page["data"]:
        created, began, ended = (
            datetime.fromisoformat(job[f"{name}_at"]) for name in ("created", "started", "finished")
        )
        waited.append((began - created).total_seconds() * 1000)
        done.append((ended - began).total_seconds() * 1000)
    return {"waiting": round(median(waited), 1), "running": round(median(done), 1)}


def _readable(look: Callable[[], dict[str, float]]) -> dict[str, float] | None:
    try:
        return look()
    except PermissionError as refused:
        say(f"The server's memory cannot be read: {refused}.")
        return None


def _tables(figures: Figures) -> list[str]:
    speeds: list[list[object]] = [
        ["documents a second", figures["documents_per_s"], None],
        ["passages a second", figures["passages_per_s"], None],
        ["passages a second, model alone", figures["encoder_passages_per_s"], None],
        ["ingestion / model alone", figures["ingest_over_encoder"], f">= {BAR}"],
        ["the same, lowest and highest portion", _range(figures["ingest_over_encoder_by_portion"]), None],
        ["processor time: model alone / whole server", figures["encoder_cpu_over_server_cpu"], None],
        ["CPU ms a passage, model alone", figures["encoder_cpu_ms_per_passage"], None],
        ["job: waiting, ms", figures["job_ms"]["waiting"], None],
        ["job: running, ms", figures["job_ms"]["running"], None],
        *([f"CPU ms a document, {name}", spent, None] for name, spent in figures["cpu_ms_per_document"].items()),
        ["start, cold (model converted), s", figures["cold_start_s"], f"<= {COLD_BAR}"],
        ["start, warm, s", figures["warm_start_s"], f"<= {WARM_BAR}"],
        ["idle memory of all processes, MB", _sum(figures["idle_memory_mb"]), f"<= {MEMORY_BAR}"],
        ["memory after the load, MB", _sum(figures["loaded_memory_mb"]), None],
        ["installed, MB", figures["installed_mb"], f"<= {SIZE_BAR}"],
    ]
    title = f"{figures['documents']} documents, {figures['passages']} passages, {CONNECTIONS} connections"
    memory = _memory_table(figures["idle_memory_mb"], figures["loaded_memory_mb"])
    return [table([title, "", "bar"], speeds), *([memory] if memory else [])]


def _memory_table(idle: Mapping[str, float] | None, loaded: Mapping[str, float] | None) -> str | None:
    if idle is None or loaded is None:
        return None
    kinds = sorted({*idle, *loaded})
    return table(
        ["memory (PSS), MB", "idle", "after the load"], [[name, idle.get(name), loaded.get(name)] for name in kinds]
    )


def _range(ratios: Sequence[float]) -> str:
    return f"{min(ratios):.2f} to {max(ratios):.2f}"


def _sum(memory: Mapping[str, float] | None) -> float | None:
    return None if memory is None else round(sum(memory.values()), 1)


if __name__ == "__main__":
    sys.exit(main())
