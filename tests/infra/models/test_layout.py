import pytest

from carrel.infra.models import ModelBroken
from carrel.infra.models.layout import read
from tests.infra.models.tiny import BERT

MEAN = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
CLS = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
LARGEST = {"pooling_mode_max_tokens": True}


def test_the_default_model_reads_256_tokens_and_takes_their_mean(minilm_folder):
    model = read(minilm_folder)

    assert (model.max_tokens, model.pooling, model.exported) == (256, "mean", False)


@pytest.mark.parametrize(("declared", "pooling"), [(MEAN, "mean"), (CLS, "cls")])
def test_the_pooling_is_read(given_bert, declared, pooling):
    folder = given_bert(**{"1_Pooling__config": declared})

    assert read(folder).pooling == pooling


def test_no_more_tokens_are_read_than_the_model_has_positions_for(given_bert):
    folder = given_bert(sentence_bert_config={"max_seq_length": 512})

    assert read(folder).max_tokens == BERT["max_position_embeddings"]


@pytest.mark.parametrize("file", ["model.onnx", "onnx/model.onnx"])
def test_an_exported_graph_is_found_where_the_weights_are_of_another_kind(given_bert, file):
    folder = given_bert(config={**BERT, "model_type": "mpnet"})
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).touch()

    model = read(folder)

    assert model.exported
    assert model.weights == folder / file


class TestRefuses:
    def test_another_kind_of_model_without_an_exported_graph(self, given_bert):
        folder = given_bert(config={**BERT, "model_type": "mpnet"})

        with pytest.raises(ModelBroken, match="mpnet") as refused:
            read(folder)

        assert "onnx/model.onnx" in str(refused.value.hint)

    def test_a_pooling_that_it_cannot_do(self, given_bert):
        with pytest.raises(ModelBroken, match="pooling_mode_max_tokens"):
            read(given_bert(**{"1_Pooling__config": LARGEST}))

    def test_layers_behind_the_encoder(self, given_bert):
        modules = [{"type": f"sentence_transformers.models.{kind}"} for kind in ("Transformer", "Pooling", "Dense")]

        with pytest.raises(ModelBroken, match="Dense"):
            read(given_bert(modules=modules))

    def test_a_damaged_configuration(self, given_bert):
        folder = given_bert()
        (folder / "config.json").write_bytes(b'{"model_type": "be')

        with pytest.raises(ModelBroken, match=r"config\.json cannot be read"):
            read(folder)

    def test_a_configuration_that_is_no_object(self, given_bert):
        with pytest.raises(ModelBroken, match="holds no JSON object"):
            read(given_bert(config=[1, 2]))
