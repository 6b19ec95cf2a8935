"""What the tiers of organisations may use. The one table; everything else reads it."""

from collections.abc import Mapping

from carrel.tenants.schemas import Quota, TierName

TIERS: Mapping[TierName, Quota] = {
    "free": Quota(max_documents=100, max_storage_mb=100, max_searches_per_day=1_000),
    "standard": Quota(max_documents=10_000, max_storage_mb=10_240, max_searches_per_day=100_000),
    "enterprise": Quota(max_documents=1_000_000, max_storage_mb=1_048_576, max_searches_per_day=10_000_000),
    "unlimited": Quota(max_documents=None, max_storage_mb=None, max_searches_per_day=None),
}
UNNAMED: TierName = "standard"
"""What an organisation is called that was made without a tier. Its quotas are then those of `Quota()`."""
