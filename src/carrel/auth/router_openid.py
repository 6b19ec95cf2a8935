"""Logins by a provider of identities over HTTP. A browser walks here, so they are GETs."""

from typing import Annotated

from fastapi import Cookie, Query
from fastapi.responses import RedirectResponse

from carrel.auth.device import From
from carrel.auth.entrance import Entrance
from carrel.auth.openid_flow import LIFE, wants_cookie
from carrel.auth.schemas_openid import Arrival, SingleSignOn
from carrel.auth.schemas_users import SignedIn, SignedInByCookie
from carrel.auth.visits import Visiting
from carrel.infra.web import Router, provided

router = Router(prefix="/api/auth/oidc", tags=["accounts"])

Doors = Annotated[Entrance, provided(Entrance)]
COOKIE, PATH = "carrel_oidc", "/api/auth/oidc"


@router.get("", operation_id="get_single_sign_on")
async def get_single_sign_on(device: From, doors: Doors) -> SingleSignOn:
    """Whether people can log in at an identity provider."""
    return doors.openid(device).offer()


@router.get("/login", operation_id="begin_single_sign_on", status_code=302, response_class=RedirectResponse)
async def begin_single_sign_on(
    device: From,
    doors: Doors,
    cookie: Annotated[bool, Query(description="Let the browser keep the session, as in a login.")] = False,
) -> RedirectResponse:
    """Go to the identity provider to log in. A cookie of 10 minutes ties its answer to this browser."""
    departure = await doors.openid(device).begin(cookie=cookie)
    answer = RedirectResponse(departure.url, 302)
    answer.set_cookie(
        COOKIE,
        departure.mark,
        max_age=int(LIFE.total_seconds()),
        path=PATH,
        secure=doors.desk.letters.url.startswith("https://"),
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get("/callback", operation_id="finish_single_sign_on")
async def finish_single_sign_on(
    arrival: Annotated[Arrival, Query()],
    device: From,
    doors: Doors,
    visit: Visiting,
    carrel_oidc: Annotated[str | None, Cookie(max_length=200)] = None,
) -> SignedIn | SignedInByCookie:
    """Come back from the identity provider, in the browser that went there, and begin a session.

    The identity provider sends browsers here. Each of its answers is good once.
    """
    signed = await doors.openid(device).arrive(arrival, carrel_oidc)
    visit.response.delete_cookie(COOKIE, path=PATH)
    return await visit.begun(doors.desk, signed, cookie=wants_cookie(carrel_oidc or ""))
