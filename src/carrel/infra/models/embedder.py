"""Text in, unit vector out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from carrel.infra.models import layout
from carrel.infra.models.backends import Backend, Converted, Exported
from carrel.infra.models.conversion import Precision, converted
from carrel.infra.models.files import Progress, remembered_sha256_of, silent
from carrel.infra.models.layout import Layout
from carrel.infra.models.release import MINILM
from carrel.infra.models.tokenizer import Tokenizer

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Embedder:
    """A loaded model. Blocking, and safe to call from several threads at once, which is how it uses several cores.

    Every text is encoded alone, so its vector depends on nothing but the text and the model: in 8 bits the scale of
    the activations is taken over the whole batch, and batch mates would move a vector (cosine 0.973 at worst).
    """

    model: str
    """Names the model and the precision. Vectors may be compared only where this is equal."""
    dimension: int
    max_tokens: int
    """What is read of a text, special tokens included; the rest is left out."""
    tokenizer: Tokenizer
    backend: Backend

    def encode(self, text: str) -> "np.ndarray":
        """The unit vector of a text, in float32."""
        return self.backend.vector(self.tokenizer.ids(text, limit=self.max_tokens))

    def encode_many(self, texts: Sequence[str]) -> "np.ndarray":
        """One row per text, each as `encode` gives it."""
        import numpy as np

        rows = np.empty((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[:] = self.encode(text)
        return rows

    def knows(self, text: str) -> bool:
        """Whether the script of a text is known to the model. Where it is not, its vector means next to nothing."""
        return self.tokenizer.knows(text)


def load(
    folder: Path,
    *,
    cache: Path,
    precision: Precision = "int8",
    threads: int | None = None,
    progress: Progress = silent,
) -> Embedder:
    """Load a model, converting it first where that has not been done, and run it once so that the next run is fast.

    `precision` concerns BERT weights; an exported graph keeps the one it has. `threads` work on one text together. One
    is the default: two callers then fill two cores as well, for less CPU time per text. Raises `ModelBroken` when the
    files cannot be used.
    """
    model = layout.read(folder)
    tokenizer = Tokenizer.load(folder)
    weights = remembered_sha256_of(model.weights, cache)
    identity = model.identity(weights)
    backend: Backend
    if model.exported:
        backend = Exported(model, threads or 1)
    else:
        path = converted(model, identity, cache=cache, precision=precision, progress=progress)
        backend = Converted(path, threads or 1)
    return Embedder(
        model=f"{_name(model, weights, identity)}/{'onnx' if model.exported else precision}",
        dimension=len(backend.vector(tokenizer.ids("warm", limit=model.max_tokens))),
        max_tokens=model.max_tokens,
        tokenizer=tokenizer,
        backend=backend,
    )


def _name(model: Layout, weights: str, identity: str) -> str:
    if weights == MINILM.weights_sha256 and model.pooling == "mean":
        return MINILM.name
    # Another model in a folder of the same name must never pass for this one.
    return f"{model.folder.resolve().name}@{identity[:12]}"
