"""What organisations can be refused about their domains."""

from carrel.core.errors import Problem


class DomainNotFound(Problem):
    """The organisation has no domain with this id."""

    code, title, status = "domain-not-found", "Domain not found", 404


class InvalidDomain(Problem):
    """The host is no domain name, or one of the server's own."""

    code, title, status = "invalid-domain", "The host cannot be taken", 422


class DomainExists(Problem):
    """The organisation has named this host already."""

    code, title, status = "domain-exists", "The host is there already", 409


class TooManyDomains(Problem):
    """An organisation has at most ten domains."""

    code, title, status = "too-many-domains", "Too many domains", 409


class DomainNotVerified(Problem):
    """The zone of the host does not say that it is this organisation's."""

    code, title, status = "domain-not-verified", "The domain is not verified", 409


class DomainTaken(Problem):
    """Another organisation of this server was verified for the host first."""

    code, title, status = "domain-taken", "The host belongs to another organization", 409
