"""Where a request comes from."""

import ipaddress
from typing import Annotated

from fastapi import Depends, Request

from carrel.auth.schemas_users import Device

LONGEST = 200


def device_of(request: Request) -> Device:
    """The address and the program of a request, as far as they can be shown to people."""
    agent = request.headers.get("user-agent", "")
    shown = "".join(char for char in agent if char.isprintable())[:LONGEST]
    return Device(network_of(request.client.host if request.client else ""), shown)


def network_of(host: str) -> str:
    """The address that attempts are counted by: of IPv6 the half that one household or machine has to itself."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:LONGEST]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


From = Annotated[Device, Depends(device_of)]
