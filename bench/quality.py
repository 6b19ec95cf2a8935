"""How well the whole pipeline finds what people judged relevant, held against independent references.

Every collection is sent to a real server of its own and searched there; with --in-process the ranking code alone is
measured, in this process. Prints a Markdown table, then one line of JSON; leaves with 1 when a bar is missed, which
depends on rankings only and never on time.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.inprocess import InProcess
from bench.references import MEASURES, Collection, Encoder, Run, folders, load, measure, references
from bench.report import circumstances, publish, say, table
from bench.served import Served
from bench.server import convert, heed_termination

ENOUGH = 0.97
DECIDING = "nDCG@10"
COLUMNS = {
    "reference words": "reference BM25",
    "keyword": "keyword",
    "reference vectors": "reference dense",
    "semantic": "semantic",
    "reference fused": "reference RRF",
    "hybrid": "hybrid",
    "hybrid rrf": "hybrid rrf",
}

Measured = dict[str, dict[str, float]]
Searcher = Callable[[Collection], dict[str, Run]]


def main() -> int:
    options = _options()
    if options.data is None:
        return _refuse("Give a folder of collections (each with corpus.jsonl, queries.jsonl, qrels.tsv): DATA=folder.")
    found = folders(options.data)
    if not found:
        return _refuse(f"There is no collection in {options.data}: nothing in it holds a corpus.jsonl.")
    heed_termination()
    with tempfile.TemporaryDirectory(prefix="carrel-bench-") as own:
        return _run(found, options.cache or Path(own), in_process=options.in_process)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of collections, or one collection")
    parser.add_argument("--in-process", action="store_true", help="measure the ranking code without a server")
    parser.add_argument("--cache", type=Path, help="where converted model and reference vectors may stay")
    return parser.parse_args()


def _refuse(reason: str) -> int:
    say(reason)
    return 2


def _run(found: list[Path], cache: Path, *, in_process: bool) -> int:
    where = circumstances()
    convert(cache)
    encoder = Encoder.load(cache)
    search = InProcess(encoder).search if in_process else Served(cache).search
    results = {}
    for folder in found:
        collection = load(folder)
        say(f"{folder.name}: {len(collection.documents)} documents, {len(collection.queries)} queries")
        results[folder.name] = _held(collection, encoder, search)
    measured = "in process" if in_process else "over HTTP"
    publish("quality", where, [_table(results)], {"measured": measured, "quality": results})
    passed = all(ratio >= 1 for measured in results.values() for ratio in measured["bars"].values())
    return 0 if passed else 1


def _held(collection: Collection, encoder: Encoder, search: Searcher) -> Measured:
    wanted = references(collection, encoder)
    runs = {f"reference {leg}": run for leg, run in wanted._asdict().items()} | search(collection)
    measured = {name: measure(run, collection.qrels) for name, run in runs.items()}
    return measured | {"bars": bars(measured, collection.language)}


def bars(measured: Mapping[str, Mapping[str, float]], language: str) -> dict[str, float]:
    """What was reached over what is demanded, by nDCG@10: from 1 on a bar is passed."""
    reached = {name: values[DECIDING] for name, values in measured.items()}
    words = ENOUGH * reached["reference words"]
    hybrid = words if language == "ar" else reached["reference fused"]
    return {"keyword": round(reached["keyword"] / words, 4), "hybrid": round(reached["hybrid"] / hybrid, 4)}


def _table(results: Mapping[str, Measured]) -> str:
    header = ["collection", "measure", *COLUMNS.values(), "keyword / bar", "hybrid / bar"]
    return table(header, [_row(name, one, results[name]) for name in results for one in MEASURES])


def _row(collection: str, measure: str, measured: Measured) -> list[str | None]:
    figures = [f"{measured[run][measure]:.4f}" if run in measured else None for run in COLUMNS]
    reached = [f"{measured['bars'][kind]:.3f}" if measure == DECIDING else None for kind in ("keyword", "hybrid")]
    return [collection, measure, *figures, *reached]


if __name__ == "__main__":
    sys.exit(main())
