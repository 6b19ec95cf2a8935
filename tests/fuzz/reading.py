"""One fuzzer: `python -m tests.fuzz.reading FORMAT FOLDER [libFuzzer's options]`; the folder holds what it starts from.

Whatever the bytes are, reading them gives a text whose places are sound, or a problem that a reader may say.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["carrel.ingestion", "carrel.core", "pypdf", "email"], enable_loader_override=False
):
    from carrel.core.errors import Problem
    from carrel.core.text import canonical
    from carrel.ingestion.extraction import Extracted, extract, registry
    from carrel.ingestion.extraction.errors import READING

    registry.preload()

from tests.fuzz.seeds import DRESS, seeds

Dress = Callable[[bytes], bytes]


def bare(data: bytes) -> bytes:
    return data


def check(data: bytes, name: str) -> None:
    """Raise what no reader may raise; a place outside the text is a fault like any other."""
    found: Extracted | Problem
    try:
        found = extract(data, filename=name, declared_type=None)
    except READING as refused:
        found = refused
    if isinstance(found, Problem):
        assert found.detail.endswith("."), found.detail
        assert found.hint
        return
    assert found.text.strip()
    assert found.text == canonical(found.text)
    for marks in (found.pages, found.headings):
        starts = [mark.start for mark in marks]
        assert starts == sorted(starts), starts
        assert all(0 <= start < len(found.text) for start in starts), starts
    found.text.encode()


def main(ending: str, folder: Path) -> None:
    dressed: Mapping[str, Dress] = DRESS
    dress = dressed.get(ending, bare)
    for number, seed in enumerate(seeds(ending)):
        (folder / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], str(folder), *sys.argv[3:]], lambda data: check(dress(data), f"a.{ending}"))
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
