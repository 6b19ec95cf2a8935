import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from carrel.infra.models import ModelBroken, load

TABLE = np.random.default_rng(3).normal(size=(64, 8)).astype(np.float32)
CONFIG = {"model_type": "somebody-elses", "max_position_embeddings": 10}
USUAL = ("input_ids", "attention_mask", "token_type_ids")


def export(folder, inputs=USUAL, output="last_hidden_state"):
    """A graph that gives each token its row of the table, plus its segment, which must be zero."""
    nodes = [helper.make_node("Gather", ["table", inputs[0]], ["rows"])]
    result = "rows"
    for name in inputs[1:]:
        nodes.append(helper.make_node("Cast", [name], [f"{name}_f"], to=onnx.TensorProto.FLOAT))
        nodes.append(helper.make_node("Unsqueeze", [f"{name}_f", "last"], [f"{name}_3"]))
        kind = "Mul" if name == "attention_mask" else "Add"
        nodes.append(helper.make_node(kind, [result, f"{name}_3"], [f"after_{name}"]))
        result = f"after_{name}"
    nodes.append(helper.make_node("Identity", [result], [output]))
    graph = helper.make_graph(
        nodes,
        "exported",
        [helper.make_tensor_value_info(name, onnx.TensorProto.INT64, ["b", "t"]) for name in inputs],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["b", "t", 8])],
        [numpy_helper.from_array(TABLE, "table"), numpy_helper.from_array(np.array([2], np.int64), "last")],
    )
    (folder / "onnx").mkdir(exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.save(model, folder / "onnx" / "model.onnx")


class TestExported:
    @pytest.mark.parametrize("inputs", [USUAL, USUAL[:2], USUAL[:1]])
    def test_gives_the_unit_mean_of_the_tokens(self, given_folder, tmp_path, inputs):
        folder = given_folder(config=CONFIG)
        export(folder, inputs)

        embedder = load(folder, cache=tmp_path / "cache")

        rows = TABLE[embedder.tokenizer.ids("one two three", limit=10)]
        mean = rows.mean(0)
        assert len(rows) == 5
        assert embedder.encode("one two three") == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
        assert (embedder.dimension, embedder.max_tokens) == (8, 10)
        assert embedder.encode("one").dtype == np.float32

    def test_takes_the_first_token_where_the_model_says_so(self, given_folder, tmp_path):
        folder = given_folder(config=CONFIG, **{"1_Pooling__config": {"pooling_mode_cls_token": True}})
        export(folder)

        vector = load(folder, cache=tmp_path / "cache").encode("one two")

        assert vector == pytest.approx(TABLE[2] / np.linalg.norm(TABLE[2]), abs=1e-6)

    def test_is_named_by_folder_and_content(self, given_folder, tmp_path):
        folder = given_folder("bespoke", config=CONFIG)
        export(folder)

        name = load(folder, cache=tmp_path / "cache").model

        assert name.startswith("bespoke@")
        assert name.endswith("/onnx")

    def test_refuses_a_graph_with_other_inputs(self, given_folder, tmp_path):
        folder = given_folder(config=CONFIG)
        export(folder, ("input_ids", "pixel_values"))

        with pytest.raises(ModelBroken, match="pixel_values"):
            load(folder, cache=tmp_path / "cache")

    def test_refuses_a_graph_without_a_vector_per_token(self, given_folder, tmp_path):
        folder = given_folder(config=CONFIG)
        export(folder, output="logits")

        with pytest.raises(ModelBroken, match="logits"):
            load(folder, cache=tmp_path / "cache")

    def test_refuses_a_damaged_graph(self, given_folder, tmp_path):
        folder = given_folder(config=CONFIG)
        (folder / "model.onnx").write_bytes(b"\x00garbage")

        with pytest.raises(ModelBroken, match="cannot be run"):
            load(folder, cache=tmp_path / "cache")
