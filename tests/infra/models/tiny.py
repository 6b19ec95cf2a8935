"""A BERT model of random weights, small enough to be made in every test."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from safetensors.numpy import save_file

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz", "zero", "one", "two", "three", "four"]

BERT = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 12,
    "vocab_size": len(WORDS),
}


def word_tokenizer(*, special: bool = True) -> tokenizers.Tokenizer:
    raw = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: n for n, word in enumerate(WORDS)}, "[UNK]"))
    raw.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    if special:
        raw.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return raw


def write_folder(folder: Path, **files: Any) -> Path:
    """A model folder without weights; keywords are JSON files, with `__` for the slash."""
    folder.mkdir(parents=True, exist_ok=True)
    word_tokenizer().save(str(folder / "tokenizer.json"))
    for file, content in files.items():
        path = folder / f"{file.replace('__', '/')}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def write_bert(folder: Path, *, seed: int = 1, **files: Any) -> Path:
    write_folder(folder, **{"config": BERT, **files})
    save_file(random_weights(seed), folder / "model.safetensors")
    return folder


def random_weights(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    dim, inner = 16, 32
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), dim),
        "embeddings.position_embeddings.weight": (12, dim),
        "embeddings.token_type_embeddings.weight": (2, dim),
    }
    norms = ["embeddings.LayerNorm"]
    for prefix in ("encoder.layer.0.", "encoder.layer.1."):
        squares = [f"attention.self.{part}" for part in ("query", "key", "value")] + ["attention.output.dense"]
        dense = {prefix + name: (dim, dim) for name in squares}
        dense |= {prefix + "intermediate.dense": (inner, dim), prefix + "output.dense": (dim, inner)}
        shapes |= {f"{name}.weight": shape for name, shape in dense.items()}
        shapes |= {f"{name}.bias": shape[:1] for name, shape in dense.items()}
        norms += [prefix + "attention.output.LayerNorm", prefix + "output.LayerNorm"]
    shapes |= {f"{name}.{part}": (dim,) for name in norms for part in ("weight", "bias")}
    return {name: random.normal(scale=0.5, size=shape).astype(np.float32) for name, shape in shapes.items()}
