"""People over HTTP: the open doors, and one's own account."""

from typing import Annotated, Any

from fastapi import Response

from carrel.auth.account import Accounts
from carrel.auth.device import From
from carrel.auth.entrance import Entrance
from carrel.auth.schemas_users import (
    Acceptance,
    ForgottenPassword,
    Login,
    MailSent,
    NewPassword,
    PasswordChange,
    Place,
    Profile,
    ProfileChange,
    Refresh,
    Registration,
    Session,
    SessionId,
    SignedIn,
    SignedInByCookie,
    Switch,
    Verification,
)
from carrel.auth.signing import Ring
from carrel.auth.visits import Visiting
from carrel.infra.web import Page, Paged, Router, carries_secret, provided, requires

router = Router(prefix="/api/auth", tags=["accounts"])
published = Router(tags=["accounts"])

Doors = Annotated[Entrance, provided(Entrance)]
Own = Annotated[Accounts, provided(Accounts)]
MAIL_SENT: dict[int | str, dict[str, Any]] = {
    202: {"model": MailSent, "description": "The server sends mail: what happens next is in there."}
}


@router.post("/register", operation_id="register", status_code=201, responses=MAIL_SENT)
async def register(wanted: Registration, device: From, doors: Doors, response: Response) -> SignedIn | MailSent:
    """Become a user with an organization of your own, where REGISTRATION is `open`.

    Where the server sends mail, the answer is 202 whoever asks, and the account is made by the link in the mail.
    """
    return _told(await doors.registrations(device).register(wanted), response)


@router.post("/verify", operation_id="verify_registration", status_code=201)
async def verify_registration(wanted: Verification, device: From, doors: Doors) -> SignedIn:
    """Confirm a registration with the token from the mail and the password that was chosen, and log in."""
    return await doors.registrations(device).verify(wanted)


@router.post("/login", operation_id="login")
async def login(wanted: Login, device: From, visit: Visiting, doors: Doors) -> SignedIn | SignedInByCookie:
    """Begin a session. Wrong passwords and unknown addresses are answered alike; both count as attempts.

    At a host of an organization it begins there unless `organization` names another. With `cookie`, the session is kept
    by the browser, and the answer holds no tokens but `csrf_token`.
    """
    return await visit.begun(doors.desk, await doors.logins(device).login(visit.meant(wanted)), cookie=wanted.cookie)


@router.post("/refresh", operation_id="refresh_tokens")
async def refresh_tokens(wanted: Refresh, device: From, visit: Visiting, doors: Doors) -> SignedIn | SignedInByCookie:
    """Get the next pair of tokens. A refresh token is good once; one that comes back later ends its session.

    Browsers leave it out: theirs is in a cookie, and their request needs X-CSRF-Token.
    """
    return await visit.refresh(doors.logins(device), wanted)


@router.post("/password/forgot", operation_id="forget_password", status_code=202)
async def forget_password(wanted: ForgottenPassword, device: From, doors: Doors) -> MailSent:
    """Ask for a link to choose a new password. The answer does not tell whether the address has an account."""
    return await doors.recovery(device).forget(wanted)


@router.post("/password/reset", operation_id="reset_password", status_code=204)
async def reset_password(wanted: NewPassword, device: From, doors: Doors) -> None:
    """Choose a new password with the token from the mail. Every session of the account ends."""
    await doors.recovery(device).reset(wanted)


@router.post("/invitations/accept", operation_id="accept_invitation", status_code=201)
async def accept_invitation(wanted: Acceptance, device: From, doors: Doors) -> SignedIn:
    """Join an organization with the token from the mail.

    `password` is that of your account; if the invited address has none, an account is made with it.
    """
    return await doors.registrations(device).accept(wanted)


@router.get("/me", operation_id="get_profile", dependencies=[requires("account")])
async def get_profile(account: Own) -> Profile:
    """Who you are, in which organization, and in which of its groups."""
    return await account.profile()


@router.patch("/me", operation_id="change_profile", dependencies=[requires("account")])
async def change_profile(wanted: ProfileChange, account: Own) -> Profile:
    """Change what others call you."""
    return await account.rename(wanted.name)


@router.post("/password", operation_id="change_password", status_code=204, dependencies=[requires("account")])
async def change_password(wanted: PasswordChange, account: Own) -> None:
    """Change your password. All your other sessions end."""
    await account.change_password(wanted.current_password, wanted.new_password)


@router.get("/sessions", operation_id="list_sessions", dependencies=[requires("account")])
async def list_sessions(paging: Paged, account: Own) -> Page[Session]:
    """Your sessions on all devices and in all organizations, newest first."""
    return await account.sessions(paging)


@router.delete(
    "/sessions/{session_id}", operation_id="revoke_session", status_code=204, dependencies=[requires("account")]
)
async def revoke_session(session_id: SessionId, account: Own) -> None:
    """End one of your sessions. Within 5 seconds no server accepts it any more."""
    await account.revoke(session_id)


@router.post("/logout", operation_id="logout", status_code=204, dependencies=[requires("account")])
async def logout(visit: Visiting, account: Own) -> None:
    """End this session. Within 5 seconds no server accepts it any more."""
    await account.logout()
    visit.ended(account.desk)


@router.get("/organizations", operation_id="list_own_organizations", dependencies=[requires("account")])
async def list_own_organizations(account: Own) -> list[Place]:
    """The organizations that you belong to, and your role in each; the one used last comes first."""
    return await account.organizations()


@router.post("/switch", operation_id="switch_organization", dependencies=[requires("account"), carries_secret()])
async def switch_organization(
    wanted: Switch, device: From, visit: Visiting, account: Own
) -> SignedIn | SignedInByCookie:
    """Begin a session in another of your organizations. It ends when this one would; this one goes on."""
    return await visit.went_on(account.desk, await account.switch(wanted.organization, device))


@published.get("/.well-known/jwks.json", operation_id="list_public_keys")
async def list_public_keys(ring: Annotated[Ring, provided(Ring)]) -> dict[str, list[dict[str, str]]]:
    """The public keys by which others can check access tokens (RFC 7517); none where a shared secret signs."""
    return ring.published()


def _told(outcome: SignedIn | MailSent, response: Response) -> SignedIn | MailSent:
    if isinstance(outcome, MailSent):
        response.status_code = 202
    return outcome
