"""The rule of quotas. Pure: the same rule as the statement that counts, and the words for saying no."""

from carrel.tenants.errors import DocumentQuotaExceeded, QuotaExceeded, StorageQuotaExceeded
from carrel.tenants.schemas import UsageView

ADVICE = "Delete documents that are no longer needed, or ask an operator to raise the quota."


def refusal(usage: UsageView, size_bytes: int) -> QuotaExceeded | None:
    """Why one more document of `size_bytes` may not be stored, or None when it may."""
    if usage.max_documents is not None and usage.documents >= usage.max_documents:
        return DocumentQuotaExceeded(
            f"The organization holds {usage.documents:,} of {usage.max_documents:,} documents.",
            hint=ADVICE,
            limit=usage.max_documents,
            used=usage.documents,
        )
    room = usage.max_storage_bytes
    if room is not None and usage.storage_bytes + size_bytes > room:
        return StorageQuotaExceeded(
            f"The document has {size_bytes:,} bytes; {max(0, room - usage.storage_bytes):,} of {room:,} are left.",
            hint=ADVICE,
            limit=room,
            used=usage.storage_bytes,
            size_bytes=size_bytes,
        )
    return None
