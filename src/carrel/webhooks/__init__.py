"""News out: signed deliveries of events."""
