"""What can go wrong with an embedding model, in words an operator can act on."""

from carrel.core.errors import Problem


class ModelMissing(Problem):
    code, title, status = "model-missing", "The embedding model is not there", 503


class ModelBroken(Problem):
    code, title, status = "model-broken", "The embedding model cannot be used", 503


class ModelDownloadFailed(Problem):
    code, title, status = "model-download-failed", "The embedding model could not be downloaded", 503


class ModelBusy(Problem):
    code, title, status = "model-busy", "Too many queries wait for the embedding model", 503
