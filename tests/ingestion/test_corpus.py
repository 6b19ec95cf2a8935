"""Files of every kind in five languages go through the real sandbox; what comes out is exactly what was put in."""

import itertools
import re

import pytest

from carrel.ingestion.chunking import Splitter
from carrel.ingestion.sandbox import Sandbox
from tests.ingestion.corpus import containers, office, paged, plain
from tests.ingestion.corpus.words import LANGUAGES

MAKERS = (
    *(plain.text, plain.old_text, plain.wide_text, plain.markdown, plain.code, plain.table, plain.tabs, plain.escaped),
    *(plain.one_line, plain.records, plain.xml, plain.rich_text),
    *(paged.pdf, paged.columns, paged.page, paged.book),
    *(office.word, office.word_by_hand, office.slides, office.workbook, office.open_document),
    *(containers.message, containers.attachments, containers.archive),
)
CORPUS = [(make, words) for make, words in itertools.product(MAKERS, LANGUAGES)]

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def sandbox():
    sandbox = Sandbox()
    yield sandbox
    await sandbox.close()


@pytest.mark.parametrize(
    ("make", "words"),
    CORPUS,
    ids=[f"{make.__module__.rpartition('.')[2]}-{make.__name__}-{w.language}" for make, w in CORPUS],
)
async def test_a_file_comes_out_as_it_was_made(make, words, sandbox, tmp_path):
    case = make(words)
    path = tmp_path / "bytes"
    path.write_bytes(case.data)

    found = await sandbox.extract(path, filename=case.name, declared_type=None)

    assert found.text == case.text
    assert found.headings == case.expected_headings()
    assert found.pages == case.expected_pages()
    assert (found.doc_type, found.language, found.title) == (case.doc_type, case.language, case.title)
    assert (found.author, found.created) == (case.author, case.created)
    assert_chunks_lie_where_they_say(found)


@pytest.mark.parametrize(
    "make", [office.word, office.slides, office.workbook, paged.pdf, paged.book, containers.message]
)
async def test_a_file_is_known_by_its_content_whatever_its_name(make, sandbox, tmp_path):
    case = make(LANGUAGES[0])
    path = tmp_path / "bytes"
    path.write_bytes(case.data)

    found = await sandbox.extract(path, filename="rules.txt", declared_type="text/plain")

    assert (found.doc_type, found.text) == (case.doc_type, case.text)


def assert_chunks_lie_where_they_say(found):
    words = [match.start() for match in re.finditer(r"\w+|[^\w\s]", found.text)]
    pieces = Splitter(limit=20).split(found.text, words, kind=found.kind, headings=found.headings)
    assert "".join(found.text[piece.start : piece.end] for piece in pieces).split() == found.text.split()
    for piece in pieces:
        first = piece.end - len(found.text[piece.start : piece.end].lstrip())
        assert piece.heading_path == path_at(first, found.headings)


def path_at(position, headings):
    path: list[tuple[int, str]] = []
    for heading in headings:
        if heading.start <= position:
            path = [(level, text) for level, text in path if level < heading.level] + [(heading.level, heading.text)]
    return tuple(text for _, text in path)
