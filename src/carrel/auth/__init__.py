"""Who: users, sessions, tokens, API keys, roles and the bootstrap administrator."""
