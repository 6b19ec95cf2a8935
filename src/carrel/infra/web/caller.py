"""Who asks. A value, so that no room needs to know how it was found out."""

from dataclasses import dataclass

from carrel.core.access import EVERYTHING, Access
from carrel.core.ids import TenantId

NOT_IMPLIED = frozenset({"account", "operator", "owner", "token"})
"""What administering an organisation does not bring: somebody's own account, the whole server, ownership, and a key."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller of one organisation, and what the credentials allow."""

    tenant: TenantId
    subject: str
    name: str
    scopes: frozenset[str]
    multiplier: float | None = None
    """How many times the usual rate limits, as the tier of a user says; None: the usual, or that of administrators."""
    rate_limit: float | None = None
    """Calls a minute that these credentials may make at most, whatever their organisation may."""
    tenant_rate: float | None = None
    """Calls a minute that the organisation may make, where it has a limit of its own; None: what all may."""
    access: Access = EVERYTHING
    """Which documents of the organisation the credentials reach. Whoever reads or writes documents applies it."""

    @property
    def payer(self) -> str:
        """Whose own limit pays for the calls."""
        return self.subject

    def may(self, scope: str) -> bool:
        """Whether the credentials hold `scope`; `admin` implies all that an organisation's administrator may do."""
        return scope in self.scopes or ("admin" in self.scopes and scope not in NOT_IMPLIED)
