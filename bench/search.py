"""How fast a search is that nobody asked before, held against its parts, and against the least an answer can cost.

A server of its own is filled with passages and asked over kept connections, every query a new one. What is compared is
measured in turns, in one run, so that a disturbance meets both sides. Prints Markdown tables, then one line of JSON.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import uvloop

from bench import corpus
from bench.admission import BAR_US, admission_us
from bench.client import Client, Connection, Load, checked
from bench.feeding import feed, settled
from bench.floor import beside
from bench.footprint import cpu_seconds, tree
from bench.parts import HITS, Parts
from bench.references import Document
from bench.report import circumstances, publish, say, table
from bench.server import Server, convert, heed_termination, running

KINDS = ("hybrid", "keyword", "semantic")
PORTION = 250
CROWDS = (8, 32)
REPEATED = 20
TURNS = 3
BAR = 2.0
FLOOR_REQUESTS = 3000

Figures = dict[str, Any]
Times = dict[str, list[float]]
"""Milliseconds."""


def main() -> int:
    options = _options()
    if options.data is None:
        say("No folder with collections is given (DATA=folder): the passages are made up.")
    heed_termination()
    with tempfile.TemporaryDirectory(prefix="carrel-bench-") as own:
        cache, folder = options.cache or Path(own) / "cache", Path(own) / "data"
        folder.mkdir()
        where = circumstances()
        convert(cache)
        with running(folder, cache) as server:
            tables, figures = uvloop.run(_measured(server, cache, options))
    publish("search", where, tables, figures)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of collections, or one collection")
    parser.add_argument("--cache", type=Path, help="where the converted model may stay")
    parser.add_argument("--chunks", type=int, default=5000, help="passages in the index")
    parser.add_argument("--rounds", type=int, default=300, help="queries of each kind with one client")
    parser.add_argument("--crowd-queries", type=int, default=600, help="queries of each turn with many clients")
    return parser.parse_args()


async def _measured(server: Server, cache: Path, options: argparse.Namespace) -> tuple[list[str], Figures]:
    client = Client(server.host, server.port, server.key)
    chunks, documents = await _filled(client, options.data, options.chunks)
    rounds, crowd = options.rounds, options.crowd_queries
    wanted = len(KINDS) * (rounds + rounds // 5) + len(CROWDS) * TURNS * crowd + REPEATED + 1
    queries = iter(corpus.spans(documents, wanted))
    async with Parts.of(server, cache) as parts:
        await _alone(client, parts, queries, rounds // 5)
        say("one client")
        alone = await _alone(client, parts, queries, rounds)
        say("who may ask")
        admission = await admission_us(server, parts.database)
    say("many clients")
    crowds = await _crowds(server, client, queries, crowd)
    say("the floor")
    floor = await _floor(server, client, queries)
    figures = {"chunks": chunks, "documents": len(documents), **_summed(alone), **crowds, **floor}
    figures["admission_us"] = {**admission, "bar": BAR_US}
    return _tables(figures), figures


async def _filled(client: Client, data: Path | None, chunks: int) -> tuple[int, list[Document]]:
    """Portion after portion until there are so many chunks; the documents that were sent."""
    # No document of these has less than one chunk, so this many are enough in any case.
    pool, sent, there = corpus.documents(data, chunks), list[Document](), 0
    while there < chunks:
        portion = pool[len(sent) : len(sent) + min(PORTION, chunks)]
        seconds = await feed(client, portion)
        sent += portion
        there = (await settled(client))["index"]["chunks"]
        say(f"{len(sent)} documents, {there} passages ({len(portion) / seconds:.1f} documents a second)")
    return there, sent


async def _alone(client: Client, parts: Parts, queries: Iterator[str], rounds: int) -> Times:
    """Each kind of search and the parts, taken in turns over one connection."""
    times: Times = {name: [] for name in (*KINDS, "inside", "trivial", "encoder", "statements")}
    async with client.connections(1) as [connection]:
        for _ in range(rounds):
            texts = dict(zip(KINDS, islice(queries, len(KINDS)), strict=True))
            await _ask_each(client, connection, texts, times)
            with _timed(times["encoder"]):
                vector = parts.embedder.encode(texts["hybrid"])
            with _timed(times["statements"]):
                await parts.statements(texts["hybrid"], vector)
    return times


async def _ask_each(client: Client, connection: Connection, texts: Mapping[str, str], times: Times) -> None:
    for kind, text in texts.items():
        with _timed(times[kind]):
            answer = await checked(connection, _search(client, text, kind))
        if kind == "hybrid":
            times["inside"].append(json.loads(answer)["took_ms"])
    with _timed(times["trivial"]):
        await checked(connection, client.request("GET", "/health"))


@contextmanager
def _timed(times: list[float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    times.append((time.perf_counter() - began) * 1000)


async def _crowds(server: Server, client: Client, queries: Iterator[str], count: int) -> Figures:
    loads: dict[int, list[Load]] = {crowd: [] for crowd in CROWDS}
    for _ in range(TURNS):
        for crowd in CROWDS:
            requests = [_search(client, text, "hybrid") for text in islice(queries, count)]
            before = sum(cpu_seconds(tree(server.pid)).values())
            load = await client.load(requests, crowd)
            spent = sum(cpu_seconds(tree(server.pid)).values()) - before
            loads[crowd].append(replace(load, server_cpu_ms=spent / count * 1000))
    few, many = CROWDS
    rates = [after.rate / before.rate for before, after in zip(loads[few], loads[many], strict=True)]
    return {f"clients_{crowd}": _load(loads[crowd]) for crowd in CROWDS} | {"rate_32_over_8": round(median(rates), 3)}


async def _floor(server: Server, client: Client, queries: Iterator[str]) -> Figures:
    """A bare route that returns what a search returned, and repeated searches where those are cached."""
    repeated = [_search(client, text, "hybrid") for text in islice(queries, REPEATED)]
    first = (await client.all(repeated, 1))[0]
    again = json.loads((await client.all(repeated[:1], 1))[0])
    floors, cached = list[Load](), list[Load]()
    with beside(server, first) as floor:
        bare = floor.request("POST", "/api/search", _question("floor", "hybrid"))
        await floor.load([bare] * 200, 1)
        for _ in range(TURNS):
            floors.append(await floor.load([bare] * FLOOR_REQUESTS, CROWDS[0]))
            if again["cached"]:
                cached.append(await client.load(repeated * (FLOOR_REQUESTS // REPEATED), CROWDS[0]))
    figures: Figures = {"answer_bytes": len(first), "floor": _load(floors), "cached": None, "cached_over_floor": None}
    if cached:
        ratios = [one.rate / under.rate for one, under in zip(cached, floors, strict=True)]
        figures |= {"cached": _load(cached), "cached_over_floor": round(median(ratios), 3)}
    return figures


def _search(client: Client, text: str, kind: str) -> bytes:
    return client.request("POST", "/api/search", _question(text, kind))


def _question(text: str, kind: str) -> dict[str, object]:
    return {"query": text, "type": kind, "limit": HITS}


def _load(turns: Sequence[Load]) -> dict[str, float | None]:
    spent = [one.server_cpu_ms for one in turns if one.server_cpu_ms is not None]
    return {
        "rate": round(median(one.rate for one in turns), 1),
        "p50_ms": round(median(one.percentile(50) for one in turns), 2),
        "p99_ms": round(median(one.percentile(99) for one in turns), 2),
        "client_cpu_ms": round(median(one.client_cpu_ms for one in turns), 3),
        "server_cpu_ms": round(median(spent), 2) if spent else None,
    }


def _summed(alone: Mapping[str, Sequence[float]]) -> Figures:
    shown = {
        name: {f"p{percent}_ms": round(float(np.percentile(times, percent)), 3) for percent in (50, 95)}
        for name, times in alone.items()
    }
    parts = shown["encoder"]["p50_ms"] + shown["statements"]["p50_ms"]
    return {"alone": shown, "hybrid_over_parts": round(shown["hybrid"]["p50_ms"] / parts, 3), "bar": BAR}


def _tables(figures: Figures) -> list[str]:
    alone = figures["alone"]
    names = {
        "hybrid": "hybrid search",
        "keyword": "keyword search",
        "semantic": "semantic search",
        "inside": "hybrid search, inside the server",
        "trivial": "trivial route (HTTP, client and middleware)",
        "encoder": "encoder alone",
        "statements": "index statements alone",
    }
    rows: list[list[object]] = [[shown, alone[name]["p50_ms"], alone[name]["p95_ms"]] for name, shown in names.items()]
    rows.append([f"hybrid / (encoder + statements), bar {BAR:g}", figures["hybrid_over_parts"], None])
    crowds = {f"hybrid search, {crowd} clients": figures[f"clients_{crowd}"] for crowd in CROWDS}
    crowds |= {f"bare route with the same bytes, {CROWDS[0]} clients": figures["floor"]}
    loads: list[list[object]] = [[name, *load.values()] for name, load in crowds.items()]
    loads.append(["32 clients / 8 clients", figures["rate_32_over_8"], None, None, None, None])
    if figures["cached"]:
        loads.append([f"repeated search, {CROWDS[0]} clients", *figures["cached"].values()])
        loads.append(["repeated / bare route", figures["cached_over_floor"], None, None, None, None])
    else:
        loads.append(["repeated search: no cache yet", None, None, None, None, None])
    size = f"{figures['chunks']} passages, one client, every query new"
    return [
        table([size, "p50 ms", "p95 ms"], rows),
        table(["load", "requests/s", "p50 ms", "p99 ms", "client CPU ms", "server CPU ms"], loads),
        _admission(figures),
    ]


def _admission(figures: Figures) -> str:
    spent, whole = figures["admission_us"], figures[f"clients_{CROWDS[0]}"]["server_cpu_ms"]
    names = {
        "key": "key check",
        "limits": "rate limits",
        "unit": "unit of work for the tenant, beyond its statement",
        "sum": "all of it",
    }
    rows: list[list[object]] = [[shown, spent[name]] for name, shown in names.items()]
    rows.append([f"bar {spent['bar']:g}: all of it", "kept" if spent["sum"] < spent["bar"] else "missed"])
    rows.append([f"a whole search, {CROWDS[0]} clients", None if whole is None else round(whole * 1000, 1)])
    return table(["who may ask, CPU of the process and its backend", "us"], rows)


if __name__ == "__main__":
    sys.exit(main())
