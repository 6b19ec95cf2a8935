"""What goes wrong with second factors."""

from carrel.auth.errors import Unauthenticated
from carrel.core.errors import Problem


class SecondFactorRequired(Unauthenticated):
    """The password is right, and the account asks for more: send `ticket` and a code to /api/auth/login/totp."""

    code, title = "second-factor-required", "A second factor is required"


class InvalidTicket(Unauthenticated):
    """The ticket of a login's first step is unknown, was used, or has expired."""

    code, title = "invalid-ticket", "The ticket is not valid"


class WrongCode(Problem):
    """The code is wrong, too old, or was used before."""

    code, title, status = "wrong-code", "The code is not valid", 403


class SecondFactorExists(Problem):
    """The account has a second factor; another comes only in its place."""

    code, title, status = "second-factor-exists", "There is a second factor already", 409


class SecondFactorMissing(Problem):
    """The account has no second factor, or none that waits to be confirmed."""

    code, title, status = "second-factor-missing", "There is no second factor", 409


class EncryptionKeyMissing(Problem):
    """In production, secrets are encrypted with a key that the settings give; they give none."""

    code, title, status = "encryption-key-missing", "There is no key to encrypt with", 503


class EncryptionKeyUnusable(Problem):
    """ENCRYPTION_KEY is too short, or is not the one that a secret was encrypted with."""

    code, title, status = "encryption-key-unusable", "The encryption key cannot be used", 503
