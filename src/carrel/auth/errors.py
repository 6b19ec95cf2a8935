"""Why somebody is not let in, and what about keys can be refused."""

from collections.abc import Mapping
from typing import ClassVar

from carrel.core.errors import Problem


class Unauthenticated(Problem):
    """Nobody knows who is asking."""

    code, title, status = "unauthenticated", "Nobody knows who is asking", 401
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer"}


class CredentialsRequired(Unauthenticated):
    """The request carries no credentials."""

    code, title = "credentials-required", "Credentials are required"


class CredentialsConflict(Unauthenticated):
    """The request carries two different credentials, and choosing one would be a guess."""

    code, title = "credentials-conflict", "The credentials contradict each other"


class AuthorizationUnsupported(Unauthenticated):
    """The header `Authorization` uses a scheme other than Bearer."""

    code, title = "authorization-unsupported", "The authorization scheme is not supported"


class InvalidCredentials(Unauthenticated):
    """The key is unknown, expired or revoked; which of these it is, the answer does not tell."""

    code, title = "invalid-credentials", "The credentials are not valid"


class CsrfFailed(Problem):
    """A session in a cookie was used by a page that may not use it, or without the token of the session."""

    code, title, status = "csrf-failed", "The request may be forged", 403


class KeyNotFound(Problem):
    """The organisation has no living API key with this id."""

    code, title, status = "api-key-not-found", "API key not found", 404


class ScopeNotHeld(Problem):
    """A key can be given only what its creator may do."""

    code, title, status = "scope-not-held", "The creator lacks this scope", 403


class ExpiryInThePast(Problem):
    """The key would have expired before its first use."""

    code, title, status = "expiry-in-the-past", "The key would have expired already", 422


class ReachNotHeld(Problem):
    """A key can be given only documents that its creator reaches."""

    code, title, status = "reach-not-held", "The creator does not reach that far", 403


class NarrowedAdministrator(Problem):
    """A key with the scope `admin` reaches everything, so it cannot be limited to tags, collections or groups."""

    code, title, status = "narrowed-administrator", "An administrator cannot be narrowed", 422


class KeyRotated(Problem):
    """Another key has taken the place of this one, which only works until it expires."""

    code, title, status = "api-key-rotated", "The key was rotated already", 409


class KeyOfTheServer(Problem):
    """The key came with the server: its settings or its data directory say what it is."""

    code, title, status = "api-key-of-the-server", "The key belongs to the server", 409


class PeriodNotValid(Problem):
    """The days that are asked for end before they begin, or are too many."""

    code, title, status = "period-not-valid", "The period is not valid", 422


class TokenTooLong(Problem):
    """The filter names so much that the token would not fit into a header everywhere."""

    code, title, status = "token-too-long", "The token would be too long", 422


class AdminKeyUnusable(Problem):
    """The administrator's key cannot be taken from where the settings say."""

    code, title, status = "admin-key-unusable", "The administrator's key cannot be used", 503


class TokenKeyMissing(Problem):
    """In production, access tokens are signed with a key that the settings give; they give none."""

    code, title, status = "token-key-missing", "There is no key to sign tokens with", 503


class TokenKeyUnusable(Problem):
    """A key of the settings is too short, of another kind, or cannot be read."""

    code, title, status = "token-key-unusable", "A key for tokens cannot be used", 503
