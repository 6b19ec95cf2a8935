"""What the index refuses."""

from carrel.core.errors import Problem


class ModelChanged(Problem):
    """The organisation's index was built with another model or analyser than the one this server runs."""

    code, title, status = "model-changed", "The index was built with another model", 503
