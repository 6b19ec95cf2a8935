"""Where a request comes from. Pure: what the socket says and what proxies wrote, in; one address, out."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_of(peer: str, forwarded: Iterable[str], trusted: Sequence[Network]) -> str:
    """The address of the client behind `peer`: the last one on the way that is not one of our proxies.

    `forwarded` are the values of X-Forwarded-For in their order. They count only as far as trusted proxies wrote them:
    whatever a client has put there itself stands before its own address and is never read.
    """
    client = peer
    for hop in reversed([hop for value in forwarded for hop in value.split(",")]):
        if not is_trusted(client, trusted) or (found := _parsed(hop.strip())) is None:
            break
        client = str(found)
    return client


def is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    """Whether this is the address of a proxy whose word counts."""
    found = _parsed(address)
    return found is not None and any(found in network for network in trusted)


def _parsed(hop: str) -> Address | None:
    """The address of a hop; some proxies add its port."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        found = ip_address(hop)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
