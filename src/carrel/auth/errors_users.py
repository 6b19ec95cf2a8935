"""What people can be refused: at the door, in their account, in their organisation."""

from uuid import UUID

from carrel.auth.errors import Unauthenticated
from carrel.core.errors import Problem


class Concerning:
    """What the audit log must know of a refusal, and whoever was refused must not be told."""

    user: UUID | None = None
    """Whose account it was about."""
    organization: UUID | None = None
    """The organisation that was asked for."""


class InvalidLogin(Concerning, Unauthenticated):
    """E-mail and password do not belong together; whether the e-mail is known, the answer does not tell."""

    code, title = "invalid-login", "E-mail or password is wrong"


class InvalidRefreshToken(Unauthenticated):
    """The refresh token is unknown, used up, or its session is over. One that was used before ends its session."""

    code, title = "invalid-refresh-token", "The refresh token is not valid"


class TooManyAttempts(Problem):
    """Somebody tries too often; nothing was checked this time."""

    code, title, status = "too-many-attempts", "Too many attempts", 429


class RegistrationClosed(Problem):
    """This server takes no new users in this way."""

    code, title, status = "registration-closed", "Registration is closed", 403


class EmailTaken(Problem):
    """Somebody has an account with this e-mail address."""

    code, title, status = "email-taken", "The e-mail address is taken", 409


class WeakPassword(Problem):
    """The password would be guessed soon, or cannot be kept."""

    code, title, status = "weak-password", "The password is too weak", 422


class WrongPassword(Problem):
    """The present password, which a change asks for, is another."""

    code, title, status = "wrong-password", "The present password is another", 403


class LinkNotValid(Problem):
    """The link from the mail was used, has expired, was replaced by a newer one, or was never sent."""

    code, title, status = "link-not-valid", "The link is not valid", 410


class UserDisabled(Concerning, Problem):
    """E-mail and password are right, but an operator has switched the account off."""

    code, title, status = "user-disabled", "The account is disabled", 403


class NoOrganization(Concerning, Problem):
    """The account is good, but belongs to no organisation."""

    code, title, status = "no-organization", "The account belongs to no organization", 403


class SessionNotFound(Problem):
    """The account has no living session with this id."""

    code, title, status = "session-not-found", "Session not found", 404


class MemberNotFound(Problem):
    """The organisation has no member with this id."""

    code, title, status = "member-not-found", "Member not found", 404


class InvitationNotFound(Problem):
    """The organisation has no open invitation with this id."""

    code, title, status = "invitation-not-found", "Invitation not found", 404


class GroupNotFound(Problem):
    """The organisation has no group with this id."""

    code, title, status = "group-not-found", "Group not found", 404


class GroupNameTaken(Problem):
    """Another group of the organisation has this name."""

    code, title, status = "group-name-taken", "The name is taken", 409


class AlreadyMember(Problem):
    """The person belongs to the organisation already."""

    code, title, status = "already-member", "The person is a member already", 409


class RoleNotHeld(Problem):
    """Nobody makes another more than they are themselves, or decides over somebody who is more."""

    code, title, status = "role-not-held", "The role is above your own", 403


class LastOwner(Problem):
    """An organisation keeps at least one owner."""

    code, title, status = "last-owner", "The organization would have no owner", 409
