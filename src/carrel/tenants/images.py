"""Which pictures may be shown as logos. Pure."""

import base64
import binascii

from carrel.tenants.errors import InvalidLogo

LARGEST = 256 * 1024
LONGEST_TEXT = -(-LARGEST // 3) * 4
"""As base64."""
HINT = "Send a PNG, JPEG or WebP picture of at most 256 kB as base64."


def picture_of(text: str) -> bytes:
    """The bytes behind base64. Raises `InvalidLogo`."""
    try:
        picture = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidLogo("The logo is not base64.", hint=HINT) from error
    if len(picture) > LARGEST:
        raise InvalidLogo(f"The logo has {len(picture):,} bytes.", hint=HINT)
    return picture


def type_of(picture: bytes) -> str:
    """The media type, by how the picture begins. Raises `InvalidLogo`, also for SVG: scripts can be in there."""
    if picture.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if picture.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    raise InvalidLogo("The logo is no PNG, JPEG or WebP picture.", hint=HINT)
