"""What the files of a model folder say about how the model is to be run."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from carrel.infra.models.errors import ModelBroken
from carrel.infra.models.folders import weights_in

Pooling = Literal["mean", "cls"]

PLAIN_MODULES = {"Transformer", "Pooling", "Normalize"}
MOST_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Layout:
    """A model that can be run: BERT weights that we convert, or a graph that its authors exported."""

    folder: Path
    weights: Path
    exported: bool
    config: dict[str, Any]
    pooling: Pooling
    max_tokens: int

    def identity(self, weights_digest: str) -> str:
        """A digest that differs wherever the vectors do: of the weights and of what is done with them."""
        rest = json.dumps([self.pooling, self.config], sort_keys=True)
        return hashlib.sha256(f"{weights_digest}{rest}".encode()).hexdigest()


def read(folder: Path) -> Layout:
    """Read a model folder. Raises `ModelBroken` for a model that would run, but give vectors other than its own."""
    config = _object(folder / "config.json")
    limits = _object(folder / "sentence_bert_config.json", optional=True)
    _refuse_further_modules(folder)
    safetensors, graph = weights_in(folder)
    weights = safetensors if safetensors and _is_plain_bert(config) else graph
    if weights is None:
        raise ModelBroken(
            f"The model in {folder} is of the type {config.get('model_type')!r} and carries no ONNX file.",
            hint="Export it to ONNX as onnx/model.onnx beside its tokenizer.json, or choose a BERT model.",
        )
    positions = int(config.get("max_position_embeddings", MOST_TOKENS))
    return Layout(
        folder=folder,
        weights=weights,
        exported=weights == graph,
        config=config,
        pooling=_pooling(folder),
        max_tokens=min(int(limits.get("max_seq_length") or MOST_TOKENS), positions),
    )


def _is_plain_bert(config: dict[str, Any]) -> bool:
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act", "gelu") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
    )


def _pooling(folder: Path) -> Pooling:
    declared = _object(folder / "1_Pooling" / "config.json", optional=True)
    modes = {name for name, chosen in declared.items() if name.startswith("pooling_mode") and chosen is True}
    if modes <= {"pooling_mode_mean_tokens"}:
        return "mean"
    if modes == {"pooling_mode_cls_token"}:
        return "cls"
    raise ModelBroken(
        f"The model in {folder} pools its tokens by {', '.join(sorted(modes))}.",
        hint="Choose a model that takes the mean of its tokens or the first one.",
    )


def _refuse_further_modules(folder: Path) -> None:
    modules = _json(folder / "modules.json", optional=True)
    kinds = {str(module.get("type")).rpartition(".")[2] for module in modules if isinstance(module, dict)}
    if further := kinds - PLAIN_MODULES:
        raise ModelBroken(
            f"The model in {folder} has further layers behind its encoder: {', '.join(sorted(further))}.",
            hint="Choose a model that consists of encoder, pooling and normalisation.",
        )


def _object(path: Path, *, optional: bool = False) -> dict[str, Any]:
    found = _json(path, optional=optional)
    if not isinstance(found, dict):
        raise ModelBroken(f"The file {path} holds no JSON object.", hint="Fetch the model's files again.")
    return found


def _json(path: Path, *, optional: bool = False) -> Any:
    if optional and not path.exists():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelBroken(
            f"The file {path} cannot be read as JSON ({error}).", hint="Fetch the model's files again."
        ) from error
