"""Numbers in: what was searched, and how it went."""
