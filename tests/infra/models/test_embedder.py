from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.infra.models import ModelBroken, load

MATRIX = "The contract was signed in Geneva by both parties."

any_text = st.text(st.characters(codec=None), max_size=60)


def test_the_default_model_carries_its_name_and_precision(minilm):
    assert minilm.model == "all-MiniLM-L6-v2/int8"
    assert (minilm.dimension, minilm.max_tokens) == (384, 256)


def test_similar_sentences_are_closer_than_others(minilm):
    cat, kitten, revenue = minilm.encode_many(
        ["A cat sits on the mat.", "A kitten lies on a rug.", "Quarterly revenue rose by four per cent."]
    )

    assert cat @ kitten > 0.5
    assert max(cat @ revenue, kitten @ revenue) < 0.2


@settings(deadline=None, max_examples=40)
@given(text=any_text)
def test_every_text_has_a_unit_vector(minilm, text):
    vector = minilm.encode(text)

    assert vector.dtype == np.float32
    assert vector.shape == (384,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@settings(deadline=None, max_examples=20)
@given(others=st.lists(any_text, max_size=4))
def test_a_vector_does_not_depend_on_what_else_is_encoded(minilm, others):
    alone = minilm.encode(MATRIX)

    among = minilm.encode_many([*others, MATRIX, *others])[len(others)]

    assert np.array_equal(alone, among)


def test_a_vector_does_not_depend_on_other_threads(minilm):
    texts = [f"{MATRIX} Copy {number}." * (1 + number % 5) for number in range(24)]
    alone = minilm.encode_many(texts)

    with ThreadPoolExecutor(4) as pool:
        together = np.stack(list(pool.map(minilm.encode, texts)))

    assert np.array_equal(alone, together)


def test_256_tokens_are_read_and_not_128(minilm):
    words = ["river"] * 300

    def changed_at(place):
        return " ".join([*words[:place], "galaxy", *words[place + 1 :]])

    base = minilm.encode(" ".join(words))

    # 254 words of one token each, and the two special ones.
    assert not np.array_equal(minilm.encode(changed_at(200)), base)
    assert not np.array_equal(minilm.encode(changed_at(253)), base)
    assert np.array_equal(minilm.encode(changed_at(254)), base)


def test_no_texts_give_no_rows(minilm):
    assert minilm.encode_many([]).shape == (0, 384)


def test_more_threads_give_the_same_vectors(given_bert, warm_cache):
    folder = given_bert()

    one, two = (load(folder, cache=warm_cache, threads=threads) for threads in (1, 2))

    assert np.array_equal(one.encode("one two three"), two.encode("one two three"))


def test_a_damaged_tokenizer_is_reported(given_bert, tmp_path):
    folder = given_bert()
    (folder / "tokenizer.json").write_text('{"version": "1.0"', encoding="ascii")

    with pytest.raises(ModelBroken, match=r"tokenizer\.json"):
        load(folder, cache=tmp_path / "cache")
