"""Documents and queries to measure speed with: those of a collection, or English of our own making.

What is made is put together from the sentences of Python's own reference, which lies in every installation, with a
fixed seed: the same on every machine with the same Python.
"""

import random
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from pydoc_data.topics import topics

from bench.references import Document, folders, load

PREFERRED = "scifact"
"""Abstracts of some 1,500 characters, which is what these benches are meant for."""

SEED = 20260101
CHARACTERS = range(1000, 2000)
WORDS = range(6, 13)
_SENTENCE = re.compile(r"[A-Z][\w ,;()'-]{40,240}\.")


def documents(data: Path | None, count: int) -> list[Document]:
    """So many documents with a text: of the collection in `data`, else made. Made ones fill up what is missing."""
    found = [one for one in _collected(data) if one.text] if data else []
    return [*found[:count], *made(max(0, count - len(found)))]


def made(count: int) -> list[Document]:
    """Documents of 1,000 to 2,000 characters, half of them with a title."""
    chance, sentences = random.Random(SEED), _sentences()
    return [_made(chance, sentences, number) for number in range(count)]


def spans(among: Sequence[Document], count: int) -> list[str]:
    """So many different queries: 6 to 12 words that follow each other in some document."""
    chance, found = random.Random(SEED), dict[str, None]()
    texts = [words for one in among if len(words := one.text.split()) > WORDS[-1]]
    for _ in range(20 * count):
        words, length = chance.choice(texts), chance.choice(WORDS)
        start = chance.randrange(len(words) - length)
        found[" ".join(words[start : start + length])] = None
        if len(found) == count:
            return list(found)
    raise ValueError(f"{len(texts)} documents do not give {count} different queries.")


def _collected(data: Path) -> list[Document]:
    found = folders(data)
    if not found:
        raise FileNotFoundError(f"There is no collection in {data}: nothing in it holds a corpus.jsonl.")
    named = [folder for folder in found if folder.name == PREFERRED]
    return load((named or found)[0]).documents


def _sentences() -> list[str]:
    text = " ".join(" ".join(topics[name].split()) for name in sorted(topics))
    return list(dict.fromkeys(_SENTENCE.findall(text)))


def _made(chance: random.Random, sentences: Sequence[str], number: int) -> Document:
    wanted, parts, length = chance.choice(CHARACTERS), list[str](), 0
    while length < wanted:
        parts.append(chance.choice(sentences))
        length += len(parts[-1]) + 1
    title = " ".join(islice(chance.choice(sentences).split(), 8)) if number % 2 else ""
    return Document(f"made-{number}", title, " ".join(parts))
