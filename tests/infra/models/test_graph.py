"""The converted graph against the same model written down in plain numpy."""

import math
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from carrel.infra.models import load
from carrel.infra.models.layout import read

erf = np.vectorize(math.erf)


def normed(x, w, name, eps):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps) * w[f"{name}.weight"] + w[f"{name}.bias"]


def attended(x, w, prefix, heads):
    def split(part):
        dense = x @ w[f"{prefix}{part}.weight"].T + w[f"{prefix}{part}.bias"]
        return dense.reshape(len(x), heads, -1).transpose(1, 0, 2)

    query, key, value = split("query"), split("key"), split("value")
    weights = np.exp(query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1]))
    weights /= weights.sum(-1, keepdims=True)
    return (weights @ value).transpose(1, 0, 2).reshape(x.shape)


def reference(folder, ids) -> np.ndarray:
    model = read(folder)
    w: dict[str, Any] = {name: array.astype(np.float64) for name, array in load_file(model.weights).items()}
    eps = model.config["layer_norm_eps"]

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = normed(x + w["embeddings.token_type_embeddings.weight"][0], w, "embeddings.LayerNorm", eps)
    for layer in range(model.config["num_hidden_layers"]):
        p = f"encoder.layer.{layer}."
        context = attended(x, w, f"{p}attention.self.", model.config["num_attention_heads"])
        context = dense(context, f"{p}attention.output.dense")
        x = normed(x + context, w, f"{p}attention.output.LayerNorm", eps)
        inner = dense(x, f"{p}intermediate.dense")
        inner = dense(inner * (1 + erf(inner / math.sqrt(2))) / 2, f"{p}output.dense")
        x = normed(x + inner, w, f"{p}output.LayerNorm", eps)
    pooled = x[0] if model.pooling == "cls" else x.mean(0)
    return np.asarray(pooled / np.linalg.norm(pooled))


@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token"])
def test_in_float32_the_graph_computes_the_model_exactly(given_bert, tmp_path, pooling):
    folder = given_bert(**{"1_Pooling__config": {f"pooling_mode_{pooling}": True}})

    embedder = load(folder, cache=tmp_path / "cache", precision="float32")

    for text in ("one", "one two three", "a b c d e f g h i j k l m"):
        ids = embedder.tokenizer.ids(text, limit=embedder.max_tokens)
        assert embedder.encode(text) == pytest.approx(reference(folder, ids), abs=1e-5)


def test_in_8_bits_the_real_model_stays_near_its_exact_vectors(minilm, minilm_folder):
    for text in ("How warm is the sea?", "The lease ends on the first of May and is not renewed."):
        exact = reference(minilm_folder, minilm.tokenizer.ids(text, limit=minilm.max_tokens))

        assert minilm.encode(text) @ exact > 0.97
