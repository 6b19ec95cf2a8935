"""Convert a model folder to the file that is run. A program of its own, because converting takes 0.6 GB for seconds.

python -m carrel.infra.models.convert FOLDER TARGET --precision int8
"""

import argparse
import logging
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file

from carrel.infra.models import layout
from carrel.infra.models.graph import build


def convert(folder: Path, target: Path, *, precision: str, reduce_range: bool) -> None:
    """Write the graph of a BERT model to `target`, which is incomplete until this returns."""
    model = layout.read(folder)
    graph = build(load_file(model.weights), model.config, model.pooling)
    if precision == "float32":
        onnx.save(graph, target)
        return
    # Scales per channel, because one scale per matrix changed 38 % of all first hits. The fused operators have no shape
    # inference, so the type of what lies between them has to be told.
    quantize_dynamic(
        graph,
        target,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=reduce_range,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("target", type=Path)
    arguments.add_argument("--precision", choices=["int8", "float32"], required=True)
    arguments.add_argument("--reduce-range", action="store_true")
    given = arguments.parse_args()
    # The quantiser advises a preparation by shape inference, which stops at the fused operators.
    logging.disable(logging.WARNING)
    convert(given.folder, given.target, precision=given.precision, reduce_range=given.reduce_range)


if __name__ == "__main__":
    main()
