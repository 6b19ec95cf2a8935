"""What a provider's word about somebody means here. Pure: claims and settings in, a guest out."""

from collections.abc import Mapping
from typing import Any, NoReturn

from carrel.auth.emails import key_of, known_email
from carrel.auth.errors_openid import OidcRefused
from carrel.auth.roles import ROLES, RoleName
from carrel.auth.schemas_openid import Guest
from carrel.core.text import plain_name
from carrel.infra.settings import OpenId

ORDER = tuple(ROLES)
LONGEST_NAME = 200
ASK = "Ask the operator of this server."


def guest_of(claims: Mapping[str, Any], settings: OpenId) -> Guest:
    """Raises `OidcRefused` unless there is a verified address in an allowed domain."""
    # Some providers write the truth as text.
    verified = claims.get("email_verified")
    if verified is not True and verified != "true":
        _refuse("The provider has not verified the person's e-mail address.", "Verify it there.")
    try:
        email = known_email(str(claims.get("email", "")))
    except ValueError as error:
        raise OidcRefused("The provider gives no usable e-mail address.", hint=ASK) from error
    domains = {domain.lower() for domain in settings.allowed_domains}
    if domains and key_of(email).rpartition("@")[2] not in domains:
        _refuse("The domain of the e-mail address is not among those that are let in.", ASK)
    return Guest(str(claims["sub"]), email, _name(claims.get("name")), role_of(claims, settings))


def role_of(claims: Mapping[str, Any], settings: OpenId) -> RoleName | None:
    """The highest role that the claim's values stand for; the usual one where none of them stands for any."""
    found = claims.get(settings.role_claim) if settings.role_claim is not None else None
    values = found if isinstance(found, list) else [found]
    roles = [settings.role_map[value] for value in values if isinstance(value, str) and value in settings.role_map]
    return max(roles, key=ORDER.index) if roles else settings.default_role


def lacks(claims: Mapping[str, Any], settings: OpenId) -> bool:
    """Whether something is missing that the provider may tell when it is asked."""
    wanted = ["email", "email_verified", *([settings.role_claim] if settings.role_claim is not None else [])]
    return any(name not in claims for name in wanted)


def _name(found: object) -> str:
    """The name, or none where it could not be a name here: nobody is kept out for that."""
    try:
        return plain_name(found) if isinstance(found, str) and len(found) <= LONGEST_NAME else ""
    except ValueError:
        return ""


def _refuse(detail: str, hint: str) -> NoReturn:
    raise OidcRefused(detail, hint=hint)
