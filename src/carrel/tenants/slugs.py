"""Slugs: the names of organisations in addresses. Pure."""

import re

from carrel.tenants.errors import InvalidSlug, ReservedSlug

# Of ASCII only, so that no letter of another alphabet looks like one of these; and without double hyphens, so that none
# is the coded form of such letters either.
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SLUG_LENGTH = 63
RESERVED = frozenset({
    "about", "account", "accounts", "admin", "administrator", "api", "app", "assets", "auth", "billing", "blog",
    "carrel", "cdn", "console", "dashboard", "default", "dev", "docs", "download", "ftp", "graphql", "health", "help",
    "host", "imap", "internal", "localhost", "login", "logout", "mail", "mcp", "me", "metrics", "my", "new", "null",
    "openapi", "operator", "organization", "organizations", "owner", "pop", "postmaster", "problems", "public",
    "register", "root", "security", "settings", "signup", "smtp", "static", "status", "support", "system", "test",
    "undefined", "user", "users", "v1", "webhooks", "webmaster", "well-known", "www",
})  # fmt: skip
"""What would be taken for a part of the server, or for the one who runs it."""


def require_slug(slug: str) -> None:
    """Raises `InvalidSlug` or `ReservedSlug` unless an organisation may be called this in addresses."""
    if len(slug) > SLUG_LENGTH or not SLUG.fullmatch(slug):
        raise InvalidSlug(
            "A slug has 1 to 63 lower-case letters, digits and single hyphens between them.",
            hint="Write it like `acme-corp`.",
        )
    if slug in RESERVED:
        raise ReservedSlug(f"The slug `{slug}` is reserved.", hint="Choose another slug.", slug=slug)
