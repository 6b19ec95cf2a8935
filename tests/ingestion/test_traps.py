"""Files that are built to do harm, and files that are merely broken: each is answered, and the reader lives on."""

import pytest

from carrel.core.errors import Problem
from carrel.ingestion.extraction.errors import ExtractionMemory
from carrel.ingestion.sandbox import Sandbox
from tests.ingestion.traps import pdfs, table

TRAPS = dict(table.traps())
LONG = frozenset(
    (
        *("zip-100000-entries.zip", "zip-total.zip", "text-of-20-mb.xml", "attribute-of-20-mb.xml", "names.xml"),
        *("deep.json", "deep-objects.json", "commas.json", "controls.rtf", "cells.rtf", "header-of-folds.eml"),
        *("parts-deeper.eml", "one-word.txt", "zeros.txt", "same-page-3000-times.pdf", "deep-dictionaries.pdf"),
        *("stream-bomb.pdf", "stream-bomb-of-bombs.pdf", "stream-of-spaces.pdf", "lzw-bomb.pdf", "saved-states.pdf"),
        *("closing.rtf", "braces.rtf", "hex.rtf", "open-quote.csv", "escapes.json"),
    )
)
"""These take a second and more each, to make or to read."""

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def sandbox():
    """With the limits that the server has when nothing is set, but a child that serves for all of them."""
    sandbox = Sandbox(recycle=len(TRAPS) * 2)
    yield sandbox
    await sandbox.close()


async def answer_of(sandbox, path, name):
    try:
        answer = await sandbox.extract(path, filename=name, declared_type=None)
    except Problem as refused:
        answer = refused
    assert answer.hint if isinstance(answer, Problem) else answer.text.strip()
    return answer.code if isinstance(answer, Problem) else "read"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in TRAPS]
)
async def test_a_trap_gets_its_answer_from_a_reader_that_lives_on(name, sandbox, tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(TRAPS[name]())

    answer = await answer_of(sandbox, path, name)

    assert answer == table.expected(name)
    assert len(sandbox._idle) == 1, "the child was killed, or went over a limit"


def test_the_table_lists_nothing_twice_and_nothing_else():
    others = [name for names in table.OTHERS.values() for name in names.split()]

    assert len(set(others)) == len(others)
    assert set(others) | set(table.IN_SOME_DRESS) <= set(TRAPS)
    assert len(TRAPS) > 200


@pytest.mark.slow
@pytest.mark.parametrize("name", pdfs.SLOW)
async def test_a_pdf_that_multiplies_is_refused_in_time(name, sandbox, tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(pdfs.SLOW[name]())

    answer = await answer_of(sandbox, path, f"{name}.pdf")

    assert answer == {"forms-exponential": "read"}.get(name, "content-over-limit")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.txt", "a.pdf", "a.zip"])
async def test_a_gigabyte_of_zeros_is_refused_and_the_next_file_is_read(name, sandbox, tmp_path):
    path = tmp_path / "bytes"
    with path.open("wb") as file:
        file.truncate(2**30)

    with pytest.raises(ExtractionMemory, match="more than 512 MiB"):
        await sandbox.extract(path, filename=name, declared_type=None)

    path.write_bytes(b"some words")
    assert (await sandbox.extract(path, filename=name, declared_type=None)).text == "some words"
