"""The embedding model: found or fetched, converted once, run on the CPU without torch.

Importing this loads no numerical library; `load` does.
"""

from carrel.infra.models.conversion import Precision
from carrel.infra.models.embedder import Embedder, load
from carrel.infra.models.errors import ModelBroken, ModelBusy, ModelDownloadFailed, ModelMissing
from carrel.infra.models.folders import cache_folder, models_folder, resolve
from carrel.infra.models.pull import pull
from carrel.infra.models.tokenizer import Tokenizer
from carrel.infra.models.waiting import AsyncEmbedder

__all__ = [
    "AsyncEmbedder",
    "Embedder",
    "ModelBroken",
    "ModelBusy",
    "ModelDownloadFailed",
    "ModelMissing",
    "Precision",
    "Tokenizer",
    "cache_folder",
    "load",
    "models_folder",
    "pull",
    "resolve",
]
