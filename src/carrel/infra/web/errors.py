"""Problems of the protocol itself, before any room is asked."""

from carrel.core.errors import Problem
from carrel.core.ids import TenantId


class BadRequest(Problem):
    """The request cannot be read: malformed JSON, a broken multipart body or an impossible header."""

    code, title, status = "bad-request", "The request cannot be read", 400


class InvalidCursor(Problem):
    """The cursor was not made by this list for this caller, or was changed on the way."""

    code, title, status = "invalid-cursor", "The cursor does not belong here", 400
    made_for: TenantId | None = None
    """The other organisation that the cursor is good for, if it is; not shown to anybody who asks."""


class Forbidden(Problem):
    """The credentials are good, but lack the scope that this operation asks for."""

    code, title, status = "forbidden", "These credentials may not do this", 403


class WrongOrganization(Problem):
    """The credentials are good, but the name that the request was sent to belongs to another organisation."""

    code, title, status = "wrong-organization", "This host belongs to another organization", 403


class NotFound(Problem):
    """There is no such path."""

    code, title, status = "not-found", "Not found", 404


class MethodNotAllowed(Problem):
    """The path exists, the method does not; `Allow` lists those that do."""

    code, title, status = "method-not-allowed", "Method not allowed", 405


class IdempotencyConflict(Problem):
    """A request with this Idempotency-Key is still running."""

    code, title, status = "idempotency-conflict", "The same request is still running", 409


class SecretNotRepeatable(Problem):
    """The request was carried out before; its answer held a secret, which is shown once only."""

    code, title, status = "secret-not-repeatable", "The answer held a secret and is not repeated", 409


class TooLarge(Problem):
    """The body is larger than this server accepts."""

    code, title, status = "too-large", "The request is too large", 413


class HostNotAllowed(Problem):
    """The request is meant for a server of another name than this one has."""

    code, title, status = "host-not-allowed", "This server has another name", 421


class RequestTimeout(Problem):
    """The request came too slowly, and was given up before it was whole."""

    code, title, status = "request-timeout", "The request came too slowly", 408


class UnsupportedMediaType(Problem):
    """The body is of a type that this operation does not read."""

    code, title, status = "unsupported-media-type", "Unsupported media type", 415


class Invalid(Problem):
    """Some fields are missing or out of range; `errors` names each."""

    code, title, status = "invalid-request", "The request is not valid", 422


class IdempotencyMismatch(Problem):
    """The Idempotency-Key was used before with another request."""

    code, title, status = "idempotency-mismatch", "The key belongs to another request", 422


class TooManyRequests(Problem):
    """A rate limit is exhausted; `Retry-After` says when to come back."""

    code, title, status = "rate-limited", "Too many requests", 429


class InternalError(Problem):
    """A fault of ours. The log has its trace under the request id."""

    code, title, status = "internal-error", "Something went wrong on our side", 500


class Unavailable(Problem):
    """The server is starting, stopping, or waits for something it needs."""

    code, title, status = "unavailable", "The server is not ready", 503
