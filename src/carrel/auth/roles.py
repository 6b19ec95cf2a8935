"""What the roles of an organisation may do. The one table of permissions; everything else reads it."""

from collections.abc import Collection, Mapping
from typing import Literal

RoleName = Literal["viewer", "member", "admin", "owner"]

ACCOUNT = "account"
"""One's own user account. Every session holds it, no API key does."""
OPERATOR = "operator"
"""The whole server and all organisations: not a role of an organisation, and no role of one brings it."""
OWNER = "owner"
TOKEN = "token"  # noqa: S105  (the name of a scope)
"""Making tokens from a key. The key itself holds it, if it may read or search; no session and no token does."""

ROLES: Mapping[RoleName, frozenset[str]] = {
    "viewer": frozenset({"read", "search"}),
    "member": frozenset({"read", "search", "write"}),
    "admin": frozenset({"read", "search", "write", "admin"}),
    "owner": frozenset({"read", "search", "write", "admin", OWNER}),
}
BY_ADMINISTRATION = ROLES["admin"]
"""What the scope `admin` means where it stands alone, as in an API key."""


def scopes_of(role: RoleName, *, operator: bool = False) -> frozenset[str]:
    """What a session of somebody with this role may do."""
    return ROLES[role] | {ACCOUNT} | ({OPERATOR} if operator else frozenset())


def may_give(held: Collection[str], role: RoleName, *, has_owner: bool = True) -> bool:
    """Whether somebody who holds these scopes may make another a `role`, or decide over one. Nobody gives more.

    An organisation without an owner takes its first from whoever administers it.
    """
    own = frozenset(held) | (BY_ADMINISTRATION if "admin" in held else frozenset())
    wanted = ROLES[role] if has_owner or "admin" not in held else ROLES[role] - {OWNER}
    return "admin" in own and wanted <= own
