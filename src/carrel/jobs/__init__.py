"""Later: the queue, its leases, retries, progress and events."""
