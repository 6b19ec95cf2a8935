"""The tiers of users. Data, so that limits and caches share one table."""

from collections.abc import Mapping
from typing import Literal

TierName = Literal["free", "pro", "enterprise", "admin"]

MULTIPLIERS: Mapping[TierName, int] = {"free": 1, "pro": 10, "enterprise": 100, "admin": 1000}
"""How many times the usual rate a user of this tier may ask."""
