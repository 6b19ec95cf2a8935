"""The one way to ask what time it is."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, always with its time zone (UTC)."""
    return datetime.now(UTC)
