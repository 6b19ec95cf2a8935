"""The names that organisations may have as their own. Pure."""

import re
from collections.abc import Sequence

import httpx

from carrel.auth.errors_domains import InvalidDomain
from carrel.infra.web.hosts import is_allowed

RECORD = "_carrel"
LONGEST = 253 - len(RECORD) - 1
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label begins with a letter, so that no address of a machine is a name.
FORM = re.compile(rf"(?:{LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?")
# Whatever ends the name inside an address: a port, a path, a user, an escape.
FOREIGN = re.compile(r"[\x00-\x20\x7f:/?#@\[\]\\%]")


def host_of(given: str) -> str:
    """A name as it stands in the header Host: ASCII, other letters in their coded form. Raises `InvalidDomain`."""
    if FOREIGN.search(given):
        raise _invalid()
    try:
        host = httpx.URL(f"http://{given}").raw_host.decode("ascii").lower().removesuffix(".")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise _invalid() from error
    if not is_name(host):
        raise _invalid()
    return host


def is_name(host: str) -> bool:
    """Whether this can be the name of somebody's domain."""
    return len(host) <= LONGEST and FORM.fullmatch(host) is not None


def require_foreign(host: str, own: Sequence[str]) -> None:
    """Raises `InvalidDomain` for a name of the server itself."""
    if is_allowed(host, own):
        raise InvalidDomain(f"{host} is a name of this server.", hint="Give a name of your own domain.")


def record_of(host: str) -> str:
    """The name at which the zone of a host says whose it is."""
    return f"{RECORD}.{host}"


def _invalid() -> InvalidDomain:
    return InvalidDomain(
        "A host is a whole domain name, without address, port and path.", hint="Write it like `search.example.org`."
    )
