"""What operators can be refused."""

from carrel.core.errors import Problem


class ConfirmationWrong(Problem):
    """`confirm` must be the slug of the organisation that is to be erased."""

    code, title, status = "confirmation-wrong", "The erasure is not confirmed", 422


class ErasureNotFound(Problem):
    """Nobody has asked for this organisation to be erased."""

    code, title, status = "erasure-not-found", "Erasure not found", 404


class ErasureIncomplete(Problem):
    """Something of the organisation is left, or cannot be counted at the moment. The job tries again."""

    code, title, status = "erasure-incomplete", "The erasure is not complete", 503
