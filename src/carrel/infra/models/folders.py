"""Where the model lies."""

from importlib.util import find_spec
from pathlib import Path

from carrel.infra.models.errors import ModelBroken, ModelMissing
from carrel.infra.models.release import MINILM, Release

PULL = (
    f"Run `carrel models pull`. Without a network, carry the wheel {MINILM.wheel} over from another machine "
    "and run `carrel models pull PATH_OF_THE_WHEEL`."
)


def models_folder(data_dir: Path) -> Path:
    return data_dir / "models"


def cache_folder(data_dir: Path) -> Path:
    """Holds only what can be made again from a model's own files; may be deleted while nothing runs."""
    return models_folder(data_dir) / "cache"


def resolve(explicit: Path | None = None, *, data_dir: Path, name: str = MINILM.name) -> Path:
    """Find the model's folder: the explicit path, else the data directory, else the installed package.

    An explicit path is never silently replaced by another place. Raises `ModelMissing` when there is no model, and
    `ModelBroken` when a folder is there but lacks the files of a model.
    """
    if explicit is not None:
        if not explicit.is_dir():
            raise ModelMissing(f"There is no folder {explicit}.", hint="Correct the path of the model, or unset it.")
        return _complete(explicit, "Give the folder of a model in the layout of Hugging Face, or unset the path.")
    pulled = models_folder(data_dir) / name
    if pulled.is_dir():
        return _complete(pulled, f"Delete the folder, if it holds nothing of yours. {PULL}")
    installed = installed_folder(MINILM) if name == MINILM.name else None
    if installed is None:
        raise ModelMissing(f"The embedding model {name} was found neither in {pulled} nor as a package.", hint=PULL)
    return _complete(installed, f"Install {MINILM.package} again. {PULL}")


def installed_folder(release: Release) -> Path | None:
    """The model inside an installed package, found without importing it: importing it would need torch."""
    spec = find_spec(release.module)
    for location in (spec.submodule_search_locations if spec else None) or ():
        folder = Path(location).parent / release.inside
        if folder.is_dir():
            return folder
    return None


def weights_in(folder: Path) -> tuple[Path | None, Path | None]:
    """The safetensors file and the ONNX file of a model folder, where it has them."""
    safetensors = folder / "model.safetensors"
    exported = [path for path in (folder / "onnx" / "model.onnx", folder / "model.onnx") if path.is_file()]
    return safetensors if safetensors.is_file() else None, exported[0] if exported else None


def missing_in(folder: Path) -> list[str]:
    """The files without which a model cannot be run."""
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    if weights_in(folder) == (None, None):
        missing.append("model.safetensors or onnx/model.onnx")
    return missing


def _complete(folder: Path, hint: str) -> Path:
    if missing := missing_in(folder):
        raise ModelBroken(f"The model folder {folder} lacks {', '.join(missing)}.", hint=hint)
    return folder
