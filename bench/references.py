"""What a retrieval server must be measured against: a good BM25, exact vectors, and the two fused by rank.

Nothing here uses the product's ranking code, only its model (in float32): a reference that shared the analyser would
follow every mistake in it.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import bm25s
import ir_measures
import numpy as np
import snowballstemmer
from ir_measures import RR, R, nDCG
from numpy.typing import NDArray

from bench.server import usable_cores
from carrel.infra import models
from carrel.infra.settings import Settings

Run = dict[str, dict[str, float]]
"""For each query the documents found, with scores of which only the order counts."""
Qrels = dict[str, dict[str, int]]
Floats = NDArray[np.floating]

DEPTH = 100
RRF_K = 60
MEASURES = {"nDCG@10": nDCG @ 10, "Recall@100": R @ 100, "MRR@10": RR @ 10}


@dataclass(frozen=True, slots=True)
class Document:
    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents, the judged queries, and for each of these the documents that answer it, with their grades."""

    name: str
    documents: list[Document]
    queries: dict[str, str]
    qrels: Qrels

    @property
    def language(self) -> str:
        """`ar` where most letters of the first documents are Arabic, else `en`."""
        letters = [letter for one in self.documents[:20] for letter in one.text if letter.isalpha()]
        return "ar" if sum("\u0600" <= letter <= "\u06ff" for letter in letters) * 2 > len(letters) else "en"


class References(NamedTuple):
    words: Run
    vectors: Run
    fused: Run


class Window(NamedTuple):
    """A piece of a document that the model reads whole, its title before it."""

    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.title}\n{self.text}" if self.title else self.text


@dataclass(frozen=True, slots=True)
class Encoder:
    """The product's model in float32. Vectors are kept in the cache folder, which is never inside the repository."""

    model: models.Embedder
    cache: Path

    @classmethod
    def load(cls, cache: Path) -> "Encoder":
        """The model that the product would load here; converts it first unless the cache holds it already."""
        folder = models.resolve(Settings().model.path, data_dir=cache)
        return cls(models.load(folder, cache=cache, precision="float32"), cache)

    def vectors(self, texts: Sequence[str]) -> Floats:
        """The unit vectors of texts, one row each."""
        kept = self.cache / f"{sha256(json.dumps([self.model.model, *texts]).encode()).hexdigest()}.npy"
        if not kept.exists():
            with ThreadPoolExecutor(usable_cores()) as pool:
                np.save(kept, np.stack(list(pool.map(self.model.encode, texts))))
        return np.asarray(np.load(kept))

    def windows(self, document: Document) -> list[Window]:
        """The document cut, blindly, into pieces that fit the model together with the title."""
        titled = len(self.model.tokenizer.starts(document.title))
        room = max(self.model.max_tokens - 2 - titled, self.model.max_tokens // 2)
        cuts = [0, *self.model.tokenizer.starts(document.text)[room::room], len(document.text)]
        return [Window(document.title, document.text[start:end]) for start, end in pairwise(cuts)]


def folders(data: Path) -> list[Path]:
    """The collections in a data folder, or the folder itself if it is one."""
    if (data / "corpus.jsonl").is_file():
        return [data]
    return sorted(path.parent for path in data.glob("*/corpus.jsonl"))


def load(folder: Path) -> Collection:
    """Read `corpus.jsonl`, `queries.jsonl` and `qrels.tsv`; queries without a judgement are left out."""
    qrels: Qrels = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        qrels.setdefault(query, {})[document] = int(grade)
    documents = [Document(one["id"], one["title"], one["text"]) for one in _lines(folder / "corpus.jsonl")]
    queries = {one["id"]: one["text"] for one in _lines(folder / "queries.jsonl") if one["id"] in qrels}
    return Collection(folder.name, documents, queries, qrels)


def _lines(path: Path) -> list[dict[str, str]]:
    # Not splitlines(): JSON leaves U+2028 and its like inside a line.
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def placed(documents: Sequence[str]) -> dict[str, float]:
    """A ranking as a run: a document counts at its first place, and equal scores cannot change the order."""
    return {document: 1 / place for place, document in enumerate(dict.fromkeys(documents), start=1)}


def measure(run: Mapping[str, Mapping[str, float]], qrels: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """nDCG@10 (linear gain), Recall@100 and MRR@10, means over the judged queries; a query without results counts 0."""
    # A query that is missing from a run would be left out of the mean by some providers.
    whole = {query: dict(run.get(query, {})) for query in qrels}
    judged = {query: dict(grades) for query, grades in qrels.items()}
    means = ir_measures.calc_aggregate(list(MEASURES.values()), judged, whole)
    return {name: round(float(means[key]), 4) for name, key in MEASURES.items()}


def references(collection: Collection, encoder: Encoder) -> References:
    """The three runs that the product is held against."""
    words = by_words(collection)
    vectors = by_vectors(collection, encoder)
    return References(words, vectors, fused(words, vectors))


def by_words(collection: Collection) -> Run:
    """BM25 by bm25s with its own settings (k1 1.5, b 0.75, Lucene's idf), title and text as one document.

    English: bm25s' own tokeniser and stop words with the Snowball stemmer; k1 1.2 and k1 0.9, b 0.4 came out weaker on
    all three English collections. Arabic: the three-letter pieces of its normalised words, the strongest of what was
    tried on xquad-ar by nDCG@10 (pieces of three 0.946, of four 0.942, Snowball stems 0.939, light10 0.937, bare words
    0.887).
    """
    tokens = _arabic if collection.language == "ar" else _english
    index = bm25s.BM25()
    index.index(tokens([f"{one.title} {one.text}" for one in collection.documents]), show_progress=False)
    run: Run = {}
    for query, terms in zip(collection.queries, tokens(list(collection.queries.values())), strict=True):
        known = [term for term in terms if term in index.vocab_dict]
        run[query] = _best(collection, index.get_scores(known)) if known else {}
    return run


def by_vectors(collection: Collection, encoder: Encoder) -> Run:
    """Exact cosine; a document counts as its best window.

    Against its first window alone that gave nDCG@10 0.654 (0.645) on scifact, 0.944 (0.943) on xquad-en and 0.370
    (0.374) on cranfield.
    """
    windows = [encoder.windows(one) for one in collection.documents]
    starts = np.cumsum([0, *(len(pieces) for pieces in windows)])[:-1]
    passages = encoder.vectors([str(piece) for pieces in windows for piece in pieces])
    queries = encoder.vectors(list(collection.queries.values()))
    best = np.maximum.reduceat(queries @ passages.T, starts, axis=1)
    # Cosines below 0 are hits as well; a run's scores only order it.
    return {query: _best(collection, row + 2) for query, row in zip(collection.queries, best, strict=True)}


def fused(*runs: Run) -> Run:
    """Reciprocal rank fusion (Cormack, Clarke and Buettcher, 2009) with k 60 of the first hundred of each."""
    merged: Run = {}
    for run in runs:
        for query, scores in run.items():
            places = merged.setdefault(query, {})
            for rank, document in enumerate(sorted(scores, key=lambda one: -scores[one]), start=1):
                places[document] = places.get(document, 0.0) + 1 / (RRF_K + rank)
    return merged


def _best(collection: Collection, scores: Floats) -> dict[str, float]:
    order = np.argsort(-scores, kind="stable")[:DEPTH]
    return {collection.documents[place].id: float(scores[place]) for place in order if scores[place] > 0}


def _english(texts: list[str]) -> list[list[str]]:
    stemmer = snowballstemmer.stemmer("english")
    tokens: list[list[str]] = bm25s.tokenize(
        texts, stopwords="en", stemmer=stemmer.stemWords, return_ids=False, show_progress=False
    )
    return tokens


_VOWELS = re.compile("[\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed]")
_STOP_WORDS = """
في من على إلى عن أن إن هذا هذه ذلك تلك التي الذي الذين هو هي هم ما ماذا متى أين كيف كم هل لم لن لا قد كان كانت كل بعض
أو و ثم بين عند مع بعد قبل منذ حتى كما أي لماذا
"""


def _arabic(texts: list[str]) -> list[list[str]]:
    return [[piece for word in _arabic_words(text) for piece in _pieces(word)] for text in texts]


def _arabic_words(text: str) -> list[str]:
    words = re.findall(r"\w\w+", _VOWELS.sub("", unicodedata.normalize("NFKC", text)).lower())
    stopped = frozenset(_STOP_WORDS.split())
    kept = (word for word in words if word not in stopped)
    return [re.sub("[أإآٱ]", "ا", word).replace("ى", "ي").replace("ة", "ه") for word in kept]


def _pieces(word: str) -> list[str]:
    return [word[start : start + 3] for start in range(len(word) - 2)] or [word]
