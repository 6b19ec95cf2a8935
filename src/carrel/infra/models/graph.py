"""A BERT encoder's weights written as one ONNX graph, from token ids to a unit vector.

The graph takes a single text without padding, so it needs no mask, and the mean over its tokens is a plain sum:
the divisor cancels when the vector is brought to unit length. Attention and the residual layers are written as the
fused operators of onnxruntime, which is why the file runs only there.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper

Pooling = Literal["mean", "cls"]
Weights = dict[str, np.ndarray]

FUSED = "com.microsoft"
OPSET, FUSED_OPSET, IR_VERSION = 20, 1, 9


@dataclass
class Builder:
    """Nodes and constants of a graph under construction; every result has a name of its own."""

    weights: Weights
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def constant(self, value: np.ndarray, name: str | None = None) -> str:
        name = name or f"constant_{len(self.constants)}"
        # Not `ascontiguousarray`, which makes a vector of a scalar.
        self.constants[name] = numpy_helper.from_array(np.array(value, order="C"), name)
        return name

    def weight(self, name: str) -> str:
        return self.constant(self.weights[name], name)

    def matrix(self, name: str) -> str:
        return self.constant(self.weights[name].T, name)

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, domain=domain, **attributes))
        return name


def build(weights: Weights, config: dict[str, Any], pooling: Pooling) -> onnx.ModelProto:
    """The graph of a BERT model: input `ids` (1 x tokens), output `vector` (1 x dimension) of unit length.

    A missing weight is a KeyError that names it.
    """
    b = Builder({name.removeprefix("bert."): array.astype(np.float32) for name, array in weights.items()})
    epsilon = float(config["layer_norm_eps"])
    x = _embeddings(b, epsilon)
    for number in range(config["num_hidden_layers"]):
        x = _layer(b, x, f"encoder.layer.{number}.", config["num_attention_heads"], epsilon)
    b.node("Identity", _unit(b, _pooled(b, x, pooling)))
    b.nodes[-1].output[0] = "vector"
    graph = helper.make_graph(
        b.nodes,
        "encoder",
        [helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, [1, "tokens"])],
        [helper.make_tensor_value_info("vector", onnx.TensorProto.FLOAT, [1, config["hidden_size"]])],
        list(b.constants.values()),
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, FUSED_OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def _embeddings(b: Builder, epsilon: float) -> str:
    words = b.node("Gather", b.weight("embeddings.word_embeddings.weight"), "ids")
    # A single text is all segment 0, so the segment's row is added to every position beforehand.
    segments = b.weights["embeddings.token_type_embeddings.weight"]
    places = b.weights["embeddings.position_embeddings.weight"] + segments[0]
    zero = b.constant(np.array([0], np.int64))
    length = b.node("Shape", "ids", start=1, end=2)
    x = b.node("Add", words, b.node("Slice", b.constant(places), zero, length, zero))
    norm = "embeddings.LayerNorm."
    scale, bias = b.weight(norm + "weight"), b.weight(norm + "bias")
    return b.node("LayerNormalization", x, scale, bias, axis=-1, epsilon=epsilon)


def _layer(b: Builder, x: str, prefix: str, heads: int, epsilon: float) -> str:
    parts = [f"{prefix}attention.self.{part}." for part in ("query", "key", "value")]
    matrix = b.constant(np.concatenate([b.weights[part + "weight"].T for part in parts], 1), prefix + "qkv.weight")
    bias = b.constant(np.concatenate([b.weights[part + "bias"] for part in parts]), prefix + "qkv.bias")
    attended = b.node("Attention", x, matrix, bias, domain=FUSED, num_heads=heads)
    x = _residual(b, attended, x, prefix + "attention.output.", epsilon)
    inner = b.node("MatMul", x, b.matrix(prefix + "intermediate.dense.weight"))
    inner = b.node("BiasGelu", inner, b.weight(prefix + "intermediate.dense.bias"), domain=FUSED)
    return _residual(b, inner, x, prefix + "output.", epsilon)


def _residual(b: Builder, x: str, skip: str, prefix: str, epsilon: float) -> str:
    x = b.node("MatMul", x, b.matrix(prefix + "dense.weight"))
    norm = [b.weight(prefix + name) for name in ("LayerNorm.weight", "LayerNorm.bias", "dense.bias")]
    return b.node("SkipLayerNormalization", x, skip, *norm, domain=FUSED, epsilon=epsilon)


def _pooled(b: Builder, x: str, pooling: Pooling) -> str:
    if pooling == "cls":
        return b.node("Gather", x, b.constant(np.array(0, np.int64)), axis=1)
    return b.node("ReduceSum", x, b.constant(np.array([1], np.int64)), keepdims=0)


def _unit(b: Builder, x: str) -> str:
    return b.node("Div", x, b.node("ReduceL2", x, b.constant(np.array([1], np.int64)), keepdims=1))
