"""What is noted of a job as it goes. Pure: parts of the statements that change it."""

LONGEST = 100
"""Entries that a job keeps: the first ones, because a job that is tried for ever tells nothing new."""


def noting(event: str, **facts: str) -> str:
    """An assignment that adds an entry to a job's history: an SQL expression for the event and for each fact.

    Facts that are null are left out.
    """
    pairs = "".join(f", '{name}', {expression}" for name, expression in facts.items())
    entry = f"jsonb_strip_nulls(jsonb_build_object('at', clock_timestamp(), 'event', {event}{pairs}))"
    return f"""history = CASE WHEN jsonb_array_length(history) < {LONGEST}
                           THEN history || {entry} ELSE history END"""
