"""What calls cost, and which buckets pay for them. Pure: a caller in, charges out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from carrel.core.ids import TenantId
from carrel.infra.limits.bucket import Charge

MINUTE = 60.0
PREFIX = "carrel:limit:"
OPERATOR_MULTIPLIER = 1000.0
"""For the operators of the server who have no tier of their own, such as the key of the server's administrator."""


@dataclass(frozen=True, slots=True)
class EndpointClass:
    """Endpoints that cost the same. One class may take `share` of what its organisation may ask for."""

    name: str
    cost: float
    share: float = 1.0


READ = EndpointClass("read", cost=1)
SEARCH = EndpointClass("search", cost=1)
# Whoever writes without end leaves something for those who search, and whoever uploads for those who write.
WRITE = EndpointClass("write", cost=2, share=0.8)
UPLOAD = EndpointClass("upload", cost=5, share=0.6)
ADMIN = EndpointClass("admin", cost=1, share=0.3)
CLASSES: Mapping[str, EndpointClass] = {
    "read": READ,
    "account": READ,
    "token": READ,
    "search": SEARCH,
    "write": WRITE,
    "admin": ADMIN,
    "owner": ADMIN,
    "operator": ADMIN,
}
"""By the scope that the endpoint asks for."""


class Spender(Protocol):
    """Who asks."""

    @property
    def tenant(self) -> TenantId: ...
    @property
    def payer(self) -> str: ...
    @property
    def scopes(self) -> Collection[str]: ...
    @property
    def multiplier(self) -> float | None: ...
    @property
    def rate_limit(self) -> float | None: ...
    @property
    def tenant_rate(self) -> float | None: ...


def class_of(scope: str, *, is_file: bool) -> EndpointClass:
    """The class of a call to an endpoint that asks for `scope`; files are dearer than anything else."""
    return UPLOAD if is_file else CLASSES.get(scope, READ)


def charges_of(spender: Spender, kind: EndpointClass, per_minute: float) -> Sequence[Charge]:
    """The buckets that pay for one call: of the organisation, of this class in it, and of the key that has its own.

    A multiplier makes the calls of its holder cheaper; all callers of an organisation still empty the same bucket. The
    limit of a key is taken as it is.
    """
    usual = per_minute if spender.tenant_rate is None else spender.tenant_rate
    whole, own = usual * _multiplier(spender), spender.rate_limit
    return _charges(spender.tenant, kind, whole, None if own is None else (spender.payer, own))


# Who has just called will call again, and to put charges together costs more than to judge them.
@lru_cache(maxsize=10_000)
def _charges(
    tenant: TenantId, kind: EndpointClass, whole: float, limited: tuple[str, float] | None
) -> Sequence[Charge]:
    # All keys of one organisation have one hash tag, so that a cluster keeps them in one place.
    place = f"{PREFIX}{{{tenant.hex}}}:"
    charges = [Charge(place, "tenant", whole, whole / MINUTE, kind.cost)]
    if kind.share < 1:
        part = whole * kind.share
        charges.append(Charge(place + kind.name, kind.name, part, part / MINUTE, kind.cost))
    if limited is not None:
        payer, own = limited
        charges.append(Charge(f"{place}by:{payer}", "key", own, own / MINUTE, kind.cost))
    return tuple(charges)


@lru_cache(maxsize=10_000)
def charge_of(address: str, per_minute: float) -> Charge:
    """The bucket that pays for a call of somebody unknown."""
    place = _neighbourhood(address)
    return Charge(f"{PREFIX}from:{{{place}}}", "address", per_minute, per_minute / MINUTE, 1)


def _multiplier(spender: Spender) -> float:
    if spender.multiplier is not None:
        return spender.multiplier
    return OPERATOR_MULTIPLIER if "operator" in spender.scopes else 1.0


def _neighbourhood(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    # One subscriber has at least 2^64 addresses of the newer kind, and may use another one for each call.
    return str(parsed.ipv4_mapped) if parsed.ipv4_mapped else parsed.exploded[:19]
