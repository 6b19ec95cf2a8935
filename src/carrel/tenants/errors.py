"""What can be refused because of whose it is."""

from carrel.core.errors import Problem


class OrganizationNotFound(Problem):
    """No organisation has this id."""

    code, title, status = "organization-not-found", "Organization not found", 404


class OrganizationDisabled(Problem):
    """The credentials are good, but an operator has switched the organisation off."""

    code, title, status = "organization-disabled", "The organization is disabled", 403


class SlugTaken(Problem):
    """Another organisation has this slug already."""

    code, title, status = "slug-taken", "The slug is taken", 409


class InvalidSlug(Problem):
    """A slug has 1 to 63 lower-case letters, digits and single hyphens between them."""

    code, title, status = "invalid-slug", "The slug is not valid", 422


class ReservedSlug(Problem):
    """The slug would be taken for a part of the server, or for the one who runs it."""

    code, title, status = "slug-reserved", "The slug is reserved", 422


class DefaultOrganization(Problem):
    """The organisation `default` belongs to the server: it is not disabled, erased or given another slug."""

    code, title, status = "default-organization", "The default organization stays", 409


class OrganizationErasing(Problem):
    """The organisation is being erased. That is not taken back, and nothing of it is changed any more."""

    code, title, status = "organization-erasing", "The organization is being erased", 409


class SingleOrganization(Problem):
    """The server has one organisation only (MULTI_TENANT_MODE=false): none is made, and there is none to switch to."""

    code, title, status = "single-organization", "This server has one organization", 409


class InvalidPeriod(Problem):
    """The days or the month that were asked for are none, or the end lies before the beginning."""

    code, title, status = "invalid-period", "The period is not valid", 422


class QuotaExceeded(Problem):
    """The organisation has used up what it may use. `limit` and `used` say how much that is; nothing was counted."""

    code, title, status = "quota-exceeded", "Quota exceeded", 403


class DocumentQuotaExceeded(QuotaExceeded):
    """The organisation holds as many documents as it may."""

    code, title = "document-quota-exceeded", "Document quota exceeded"


class StorageQuotaExceeded(QuotaExceeded):
    """The document does not fit into the storage that the organisation has left."""

    code, title = "storage-quota-exceeded", "Storage quota exceeded"


class SearchQuotaExceeded(QuotaExceeded):
    """The organisation has made as many searches today as it may. Days turn at 00:00 UTC."""

    code, title = "search-quota-exceeded", "Daily search quota exceeded"


class InvalidLogo(Problem):
    """A logo is a PNG, JPEG or WebP picture of at most 256 kB, sent as base64."""

    code, title, status = "invalid-logo", "The logo cannot be taken", 422


class LogoNotFound(Problem):
    """The host belongs to nobody who has a logo."""

    code, title, status = "logo-not-found", "There is no logo", 404
