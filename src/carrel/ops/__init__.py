"""Health, metrics and statistics of the house itself."""
