"""Everything that is written into the audit log, by name. The names are stable: programs look for them."""

from enum import StrEnum


class Action(StrEnum):
    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGIN_THROTTLED = "login.throttled"
    LOGOUT = "logout"
    REGISTRATION_ASKED = "registration.asked"
    USER_REGISTERED = "user.registered"
    USER_VERIFIED = "user.verified"
    ORGANIZATION_CREATED = "organization.created"
    ORGANIZATION_SWITCHED = "organization.switched"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105  (the name of what happened)
    PASSWORD_REFUSED = "password.refused"  # noqa: S105
    PASSWORD_RESET_ASKED = "password.reset_asked"  # noqa: S105
    PASSWORD_RESET = "password.reset"  # noqa: S105
    SESSION_REVOKED = "session.revoked"
    REFRESH_REUSED = "refresh.reused"
    MEMBER_INVITED = "member.invited"
    MEMBER_JOINED = "member.joined"
    MEMBER_ROLE_CHANGED = "member.role_changed"
    MEMBER_REMOVED = "member.removed"
    INVITATION_WITHDRAWN = "invitation.withdrawn"
    KEY_CREATED = "key.created"
    KEY_CHANGED = "key.changed"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"
    ADMIN_KEY_CREATED = "admin_key.created"
    ADMIN_KEY_ADOPTED = "admin_key.adopted"
    PERMISSION_REFUSED = "permission.refused"
    CREDENTIALS_REFUSED = "credentials.refused"
    RATE_REFUSED = "rate.refused"
    ACCESS_REFUSED = "access.refused"
    TENANT_CROSSED = "tenant.crossed"
