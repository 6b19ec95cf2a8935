"""Codes that change with time (RFC 6238), and codes for when they are lost. Pure but for the random numbers.

What authenticator programs all understand: SHA-1, six digits, 30 seconds.
"""

import base64
import hashlib
import hmac
import os
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode
from uuid import UUID

STEP_SECONDS, DIGITS, WINDOW = 30, 6, 1
SECRET_BYTES = 20
RECOVERY_CODES = 10
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
GROUPS, GROUP = 4, 4  # 80 bits: too many to be tried out against a stolen digest


def new_secret() -> bytes:
    return os.urandom(SECRET_BYTES)


def step_of(moment: datetime) -> int:
    return int(moment.timestamp()) // STEP_SECONDS


def code_at(secret: bytes, step: int) -> str:
    """The code of one time step."""
    mac = hmac.digest(secret, step.to_bytes(8), hashlib.sha1)
    place = mac[-1] & 15
    number = int.from_bytes(mac[place : place + 4]) & 0x7FFF_FFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def step_that_fits(secret: bytes, code: str, moment: datetime, *, after: int) -> int | None:
    """The step whose code this is, among the present one and its neighbours; None for those up to `after`."""
    present, found = step_of(moment), None
    # All are compared, so that the time tells nothing of which it was.
    for step in range(present - WINDOW, present + WINDOW + 1):
        if hmac.compare_digest(code_at(secret, step), code) and step > after:
            found = step
    return found


def shown(secret: bytes) -> str:
    """The secret as people type it into a program."""
    return base64.b32encode(secret).decode()


def uri_of(secret: bytes, email: str, issuer: str) -> str:
    """The address that programs read from a QR code."""
    query = {"secret": shown(secret), "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_SECONDS}
    return f"otpauth://totp/{quote(issuer)}:{quote(email)}?{urlencode(query, quote_via=quote)}"


def new_recovery_codes() -> list[str]:
    return [_recovery_code() for _ in range(RECOVERY_CODES)]


def recovery_digest(user: UUID, code: str) -> bytes:
    """What is stored of a recovery code. How it is grouped and capitalised makes no difference."""
    plain = "".join(char for char in code.upper() if char not in "- ")
    return hashlib.sha256(user.bytes + plain.encode()).digest()


def _recovery_code() -> str:
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))
