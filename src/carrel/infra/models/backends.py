"""The two ways to get a vector from token ids: our own graph, or one that a model's authors exported."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from carrel.infra.models.errors import ModelBroken
from carrel.infra.models.layout import Layout

if TYPE_CHECKING:
    import numpy as np

FETCH_AGAIN = "Fetch the model's files again, or choose another model."


class Backend(Protocol):
    """Turns the ids of one text into its unit vector. Safe to call from several threads at once."""

    def vector(self, ids: Sequence[int]) -> "np.ndarray": ...


class Converted:
    """The graph that `graph.build` writes: it pools and normalises by itself."""

    def __init__(self, path: Path, threads: int) -> None:
        self._session = _session(path, threads)

    def vector(self, ids: Sequence[int]) -> "np.ndarray":
        import numpy as np

        found: list[np.ndarray] = self._session.run(["vector"], {"ids": np.array([ids], np.int64)})
        return found[0].reshape(-1)


class Exported:
    """A graph in the usual form of an export: ids, mask and segments in, a vector per token out."""

    def __init__(self, model: Layout, threads: int) -> None:
        self._session = _session(model.weights, threads)
        self._pooling = model.pooling
        self._inputs = {given.name for given in self._session.get_inputs()}
        outputs = {given.name for given in self._session.get_outputs()}
        unknown = self._inputs - {"input_ids", "attention_mask", "token_type_ids"}
        if unknown or "last_hidden_state" not in outputs:
            raise ModelBroken(
                f"The graph {model.weights} takes {sorted(self._inputs)} and gives {sorted(outputs)}.",
                hint="Export it with input_ids, attention_mask and token_type_ids in, and last_hidden_state out.",
            )

    def vector(self, ids: Sequence[int]) -> "np.ndarray":
        import numpy as np

        row = np.array([ids], np.int64)
        feeds = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
        wanted = {name: value for name, value in feeds.items() if name in self._inputs}
        found: list[np.ndarray] = self._session.run(["last_hidden_state"], wanted)
        tokens = found[0][0].astype(np.float32)
        # The text is alone and not padded, so the masked mean is the mean.
        pooled = tokens[0] if self._pooling == "cls" else tokens.mean(axis=0)
        length = np.linalg.norm(pooled)
        return np.asarray(pooled / length, np.float32)


def _session(path: Path, threads: int) -> Any:
    import onnxruntime  # 17 MB and 0.1 s, only for a process that embeds.

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # The arena keeps the largest activations it ever saw: 80 MB more for a speed that batches of one do not need.
    options.enable_cpu_mem_arena = False
    # A waiting thread must not spin: beside a database on the same cores that nearly doubled the CPU time per text.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelBroken(f"The graph {path} cannot be run ({error}).", hint=FETCH_AGAIN) from error
