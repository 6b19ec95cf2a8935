"""What operators can be refused when they look after people."""

from carrel.core.errors import Problem


class UserNotFound(Problem):
    """Nobody has an account with this id or address."""

    code, title, status = "user-not-found", "User not found", 404


class UserFileInvalid(Problem):
    """A file with users cannot be read as a whole; nothing was imported."""

    code, title, status = "user-file-invalid", "The file with users cannot be read", 422


class UserLineInvalid(Problem):
    """A line of a file with users cannot be imported; the detail says why."""

    code, title, status = "user-line-invalid", "A line with a user cannot be imported", 422
