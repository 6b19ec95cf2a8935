"""Failures that a caller can act on."""


class Problem(Exception):
    """A failure the caller can act on. Anything else is a bug and becomes a bare 500."""

    code = "problem"
    title = "The request could not be completed"
    status = 400

    def __init__(self, detail: str, *, hint: str | None = None, **facts: object) -> None:
        super().__init__(detail)
        self.detail, self.hint, self.facts = detail, hint, facts
