import sys

import pytest

from carrel.infra.models import ModelBroken, ModelMissing, models_folder, resolve
from carrel.infra.models.release import MINILM


class TestResolve:
    def test_takes_the_explicit_folder_before_any_other(self, tmp_path, given_bert):
        explicit = given_bert("explicit")
        given_bert("pulled").rename(_pulled(tmp_path))

        assert resolve(explicit, data_dir=tmp_path) == explicit

    def test_takes_the_data_directory_before_the_installed_package(self, tmp_path, given_bert):
        given_bert("pulled").rename(_pulled(tmp_path))

        assert resolve(data_dir=tmp_path) == models_folder(tmp_path) / MINILM.name

    def test_finds_the_installed_package_without_importing_it(self, tmp_path):
        found = resolve(data_dir=tmp_path)

        assert (found / "model.safetensors").is_file()
        assert MINILM.module not in sys.modules

    def test_says_how_to_get_the_model_when_there_is_none(self, tmp_path, monkeypatch):
        monkeypatch.setattr(sys, "path", [])

        with pytest.raises(ModelMissing) as missing:
            resolve(data_dir=tmp_path)

        assert missing.value.code == "model-missing"
        assert "carrel models pull" in str(missing.value.hint)
        assert MINILM.wheel in str(missing.value.hint)

    def test_never_takes_the_default_for_a_model_of_another_name(self, tmp_path):
        with pytest.raises(ModelMissing, match="another-model"):
            resolve(data_dir=tmp_path, name="another-model")

    def test_never_replaces_a_missing_explicit_folder_by_another_place(self, tmp_path):
        with pytest.raises(ModelMissing, match="nowhere"):
            resolve(tmp_path / "nowhere", data_dir=tmp_path)

    def test_refuses_a_folder_without_the_files_of_a_model(self, tmp_path, given_folder):
        with pytest.raises(ModelBroken, match=r"lacks config\.json, model\.safetensors"):
            resolve(given_folder(), data_dir=tmp_path)


def _pulled(data_dir):
    target = models_folder(data_dir) / MINILM.name
    target.parent.mkdir(parents=True)
    return target
