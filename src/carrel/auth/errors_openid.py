"""What goes wrong with logins by a provider of identities (OpenID Connect)."""

from carrel.auth.errors import Unauthenticated
from carrel.core.errors import Problem


class OidcNotConfigured(Problem):
    """This server knows no provider of identities."""

    code, title, status = "oidc-not-configured", "There is no single sign-on here", 404


class OidcMisconfigured(Problem):
    """A setting about the provider cannot be used, or the provider does not accept this server."""

    code, title, status = "oidc-misconfigured", "Single sign-on is set up wrongly", 503


class OidcUnavailable(Problem):
    """The provider of identities does not answer."""

    code, title, status = "oidc-unavailable", "The identity provider does not answer", 503


class OidcProviderFailed(Problem):
    """The provider of identities answers with something that cannot be used."""

    code, title, status = "oidc-provider-failed", "The identity provider's answer cannot be used", 502


class OidcLoginFailed(Unauthenticated):
    """The login did not begin in this browser, was used or took too long, or what the provider says proves nothing."""

    code, title = "oidc-login-failed", "The login at the identity provider failed"


class OidcRefused(Problem):
    """The provider knows the person, but this server does not let them in."""

    code, title, status = "oidc-refused", "This person is not let in", 403
