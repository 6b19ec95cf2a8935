"""Reading, cutting and embedding a document, with the real model and the real sandbox."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carrel.core.clock import now
from carrel.core.ids import DocumentId, uuid7
from carrel.documents.schemas import Source
from carrel.entry.wiring import SPLITTER, Tools, for_jobs
from carrel.index.service import words_of
from carrel.infra.models import AsyncEmbedder
from carrel.ingestion.extraction import extract
from carrel.ingestion.service import TITLE_TOKENS, Ingestion, assemble

pytestmark = pytest.mark.anyio

ARABIC = "ينتهي عقد الإيجار في شهر مايو. يجب إخطار المالك قبل ثلاثة أشهر من نهاية العقد. " * 12
GERMAN = "Der Vertrag endet im Mai und ist mit einer Frist von drei Monaten zu kündigen. " * 12
ENGLISH = "The lease ends in May, and it is to be ended with a notice of three months. " * 12
HOUSE, FAMILY = "\U0001f3e0", "\U0001f469\u200d\U0001f467"
EMOJI = f"Rent {HOUSE} is due {FAMILY} in June. "
MIXED = {
    "text/plain": f"{ENGLISH}\n\n{ARABIC}\n\n{EMOJI * 40}\r\n\r\n{GERMAN}",
    "text/markdown": f"# Lease {HOUSE}\n\n{ENGLISH}\n\n## عقد\n\n{ARABIC}\n\n```\ncode\n```\n\n"
    f"| a | b |\n|---|---|\n| 1 | 2 |\n\n{EMOJI}",
    "text/html": f"<html><head><title>Lease</title></head><body><h1>عقد</h1><p>{ARABIC}</p>"
    f"<h2>Rent {HOUSE}</h2><p>{EMOJI * 40}</p><table><tr><td>1</td></tr></table><p>{GERMAN}</p></body></html>",
}


def source(title: str = "Untitled", *, given: bool = False, kind: str = "text/plain") -> Source:
    document = DocumentId(uuid7())
    return Source(document, 1, f"x/{document}/1", title, given, None, None, kind, 1, "", [], now())


@pytest.fixture
def ingestion(home: Any) -> Ingestion:
    found = for_jobs(home.house, home.model, home.sandbox)[Ingestion](None)  # type: ignore[arg-type]
    assert isinstance(found, Ingestion)
    return found


async def ignore(done: int, total: int) -> None:
    """Hears and forgets."""


class TestPieces:
    @pytest.mark.parametrize("kind", MIXED)
    async def test_are_exactly_the_characters_they_name(self, ingestion, kind):
        extracted = extract(MIXED[kind].encode(), filename=None, declared_type=kind)

        cut = await ingestion.cut(source(kind=kind), extracted)
        chunks = assemble(extracted, cut, np.zeros((len(cut.pieces), 384), np.float32))

        assert len(chunks) > 2
        assert all(extracted.text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
        left_out = list(extracted.text)
        for chunk in chunks:
            left_out[chunk.start : chunk.end] = " " * (chunk.end - chunk.start)
        assert not "".join(left_out).strip()

    @settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        text=st.text(max_size=600).map(
            lambda text: extract(f"x {text}".encode("utf-8", "replace"), filename="a.txt", declared_type=None)
        )
    )
    async def test_are_exact_for_any_text(self, ingestion, text):
        cut = await ingestion.cut(source(), text)

        chunks = assemble(text, cut, np.zeros((len(cut.pieces), 384), np.float32))

        assert chunks
        assert all(text.text[chunk.start : chunk.end] == chunk.text for chunk in chunks)

    async def test_know_their_own_language(self, ingestion):
        extracted = extract(MIXED["text/plain"].encode(), filename=None, declared_type=None)

        cut = await ingestion.cut(source(), extracted)

        said = dict(zip(cut.languages, (extracted.text[one.start : one.end] for one in cut.pieces), strict=True))
        assert {"en", "ar", "de"} <= set(cut.languages)
        assert "مايو" in said["ar"]
        assert "Vertrag" in said["de"]

    async def test_that_tell_no_language_take_that_of_the_document(self, ingestion):
        numbers = "\n\n" + "4711 0815 " * 150
        extracted = extract((GERMAN * 3 + numbers).encode(), filename=None, declared_type=None)

        cut = await ingestion.cut(source(), extracted)

        assert extracted.text[cut.pieces[-1].start : cut.pieces[-1].end].strip().startswith(("4711", "0815"))
        assert set(cut.languages) == {"de"}

    async def test_fit_into_what_the_model_reads_with_their_title(self, ingestion, home):
        title = "A rather long title of a lease " * 20
        extracted = extract(MIXED["text/plain"].encode(), filename=None, declared_type=None)

        cut = await ingestion.cut(source(title, given=True), extracted)

        model = home.model._encoder.embedder
        lengths = [len(model.tokenizer.ids(passage, limit=10_000)) for passage in cut.passages]
        assert max(lengths) <= model.max_tokens


class TestTitles:
    async def test_that_were_given_count_for_every_piece(self, ingestion):
        extracted = extract(ENGLISH.encode() * 3, filename=None, declared_type=None)

        cut = await ingestion.cut(source("Heating manual", given=True), extracted)

        texts = [extracted.text[piece.start : piece.end] for piece in cut.pieces]
        assert len(texts) > 1
        assert list(cut.words) == [words_of("Heating manual", text, "en") for text in texts]
        assert list(cut.passages) == [f"Heating manual\n{text}" for text in texts]

    async def test_that_were_made_up_from_the_text_do_not_count(self, ingestion):
        extracted = extract(b"The lease ends in May.", filename=None, declared_type=None)

        cut = await ingestion.cut(source("The lease ends in May."), extracted)

        assert list(cut.words) == [words_of("", "The lease ends in May.", "en")]
        assert list(cut.passages) == ["The lease ends in May."]

    async def test_that_the_page_has_count_where_none_was_given(self, ingestion):
        page = b"<html><head><title>Opening hours</title></head><body><p>We open at nine.</p></body></html>"
        extracted = extract(page, filename=None, declared_type="text/html")

        cut = await ingestion.cut(source("page.html"), extracted)

        assert list(cut.passages) == ["Opening hours\nWe open at nine."]

    async def test_are_cut_for_the_model_but_not_for_the_words(self, ingestion):
        title = " ".join(f"word{number}" for number in range(200))
        extracted = extract(b"A short text.", filename=None, declared_type=None)

        cut = await ingestion.cut(source(title, given=True), extracted)

        shown = cut.passages[0].partition("\n")[0]
        assert title.startswith(shown)
        assert len(shown) < len(title) / 4
        assert len((await ingestion.tools()).tokens.starts(shown)) == TITLE_TOKENS
        assert cut.words[0] == words_of(title, "A short text.", cut.languages[0])


class TestEmbedding:
    async def test_gives_each_passage_its_own_vector(self, ingestion, home):
        extracted = extract(MIXED["text/plain"].encode(), filename=None, declared_type=None)
        cut = await ingestion.cut(source(), extracted)

        vectors = await ingestion.embed(cut, ignore)

        alone = [home.model._encoder.embedder.encode(passage) for passage in cut.passages]
        assert np.array_equal(vectors, np.array(alone))

    async def test_tells_in_rising_order_how_far_it_is_and_when_all_is_done(self, ingestion):
        heard: list[tuple[int, int]] = []

        async def hear(done: int, total: int) -> None:
            await asyncio.sleep(0)
            heard.append((done, total))

        cut = await ingestion.cut(source(), extract(ENGLISH.encode() * 6, filename=None, declared_type=None))
        await ingestion.embed(cut, hear)

        total = len(cut.pieces)
        assert heard == sorted(heard)
        assert heard[-1] == (total, total)

    async def test_never_tells_twice_at_once(self, ingestion):
        telling = most = 0

        async def hear(done: int, total: int) -> None:
            nonlocal telling, most
            telling += 1
            most = max(most, telling)
            await asyncio.sleep(0.01)
            telling -= 1

        cut = await ingestion.cut(source(), extract(ENGLISH.encode() * 6, filename=None, declared_type=None))
        await ingestion.embed(cut, hear)

        assert (telling, most) == (0, 1)

    async def test_ends_when_nobody_wants_to_hear_of_it_any_more(self, ingestion):
        encoded = 0

        class Counting(AsyncEmbedder):
            async def passages(self, texts: Any, *, on_progress: Any = None) -> Any:
                nonlocal encoded
                for encoded in range(1, 1000):
                    await asyncio.sleep(0)
                    on_progress(encoded, 1000)

        async def refuse(done: int, total: int) -> None:
            raise LookupError("The job is not ours.")

        tools = await ingestion.tools()
        stubborn = Ingestion(
            ingestion.store,
            ingestion.sandbox,
            SPLITTER,
            ingestion.rooms,
            lambda: ready(Tools(Counting(tools.encoder.embedder))),
        )
        cut = await ingestion.cut(source(), extract(b"A text.", filename=None, declared_type=None))

        with pytest.raises(LookupError):
            await stubborn.embed(cut, refuse)

        assert encoded < 10


async def ready(tools: Tools) -> Tools:
    return tools


class FarAway:
    """An object store that is no folder."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def local_path(self, key: str) -> Path | None:
        return None

    async def get(self, key: str) -> AsyncIterator[bytes]:
        async def parts() -> AsyncIterator[bytes]:
            for start in range(0, len(self.content), 7):
                yield self.content[start : start + 7]

        return parts()


async def test_bytes_in_a_cloud_are_read_from_a_copy_that_is_gone_afterwards(ingestion, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    content = f"Der Vertrag endet im Mai {HOUSE}.".encode()
    far = Ingestion(FarAway(content), ingestion.sandbox, SPLITTER, ingestion.rooms, ingestion.tools)

    extracted = await far.extract(source())

    assert extracted.text.encode() == content
    assert list(tmp_path.iterdir()) == []
