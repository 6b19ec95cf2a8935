"""The product's ranking without its server: windows as chunks, vectors in float32."""

from dataclasses import dataclass

import numpy as np

from bench.references import DEPTH, Collection, Encoder, Run, placed
from carrel.index import bm25, terms
from carrel.search import fusion

TYPES = ("keyword", "semantic", "hybrid")


@dataclass(frozen=True, slots=True)
class InProcess:
    """Ranks a collection with the product's own code, in this process."""

    encoder: Encoder

    def search(self, collection: Collection) -> dict[str, Run]:
        language = collection.language
        owned = [(one.id, window) for one in collection.documents for window in self.encoder.windows(one)]
        forward = [terms.forward(window.title, window.text, language) for _, window in owned]
        lengths = [row.length for row in forward]
        packed = b"".join(row.terms for row in forward)
        rows = terms.unpack(range(len(owned)), lengths, [row.count for row in forward], packed)
        passages = self.encoder.vectors([str(window) for _, window in owned])
        vectors = self.encoder.vectors(list(collection.queries.values()))
        runs: dict[str, Run] = {kind: {} for kind in TYPES}
        for (query, text), vector in zip(collection.queries.items(), vectors, strict=True):
            asked = terms.query(text, [language])
            words = bm25.score(rows, asked, count=len(rows), average_length=float(np.mean(lengths)))
            w = fusion.vote(script_known=self.encoder.model.knows(text))
            for kind, places in _rankings(words, (passages @ vector).astype(np.float64), w).items():
                runs[kind][query] = placed([owned[place][0] for place in places])
        return runs


def _rankings(words: bm25.Scores, cosines: bm25.Scores, w: float) -> dict[str, list[int]]:
    by_words, by_vectors = bm25.top(words, DEPTH).tolist(), np.argsort(-cosines)[:DEPTH].tolist()
    pool = [fusion.Candidate(one, words[one], cosines[one]) for one in {*by_words, *by_vectors}]
    return {"keyword": by_words, "semantic": by_vectors, "hybrid": [one.id for one in fusion.recipe(pool, w=w)]}
