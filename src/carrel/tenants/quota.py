"""The rule of quotas. Pure: the same rule as the statement that counts, and the words for saying no."""

from carrel.tenants.errors import DocumentQuotaExceeded, QuotaExceeded, StorageQuotaExceeded
from carrel.tenants.schemas import MEBIBYTE, Limits, Percent, UsageReport, UsageView

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


def reported(usage: UsageView, unused: int) -> UsageReport:
    """The usage as people read it. `unused` of the searches were taken in stock and not made yet."""
    searches = max(0, usage.searches_today - unused)
    return UsageReport(
        documents=usage.documents,
        storage_bytes=usage.storage_bytes,
        storage_mb=round(usage.storage_bytes / MEBIBYTE, 3),
        searches_today=searches,
        day=usage.today,
        limits=Limits(usage.max_documents, usage.max_storage_bytes, usage.max_searches_per_day),
        percent=Percent(
            documents=_percent(usage.documents, usage.max_documents),
            storage=_percent(usage.storage_bytes, usage.max_storage_bytes),
            searches=_percent(searches, usage.max_searches_per_day),
        ),
    )


def _percent(used: int, limit: int | None) -> float | None:
    """May be more than 100, because a limit can be set below what is used. Where nothing is allowed, all is used."""
    if limit is None:
        return None
    return round(100 * used / limit, 2) if limit else 100.0
