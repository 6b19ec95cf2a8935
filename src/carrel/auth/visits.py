"""One request of somebody whose browser may keep the session for them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response

from carrel.auth.browsers import Browsers
from carrel.auth.desk import Desk
from carrel.auth.login import Logins
from carrel.auth.schemas_users import Login, Refresh, SignedIn, SignedInByCookie
from carrel.infra.web.scope import home_of


@dataclass(frozen=True, slots=True)
class Visit:
    """A request and its answer."""

    request: Request
    response: Response

    def meant(self, wanted: Login) -> Login:
        """The login, which begins in the organisation that the host belongs to unless it names another."""
        home = home_of(self.request)
        return wanted if wanted.organization or home is None else wanted.model_copy(update={"organization": home})

    async def begun(self, desk: Desk, signed: SignedIn, *, cookie: bool) -> SignedIn | SignedInByCookie:
        """What a login is answered with: tokens, or cookies where those were asked for."""
        return await desk.browsers.keep(self.request, self.response, signed) if cookie else signed

    async def went_on(self, desk: Desk, signed: SignedIn) -> SignedIn | SignedInByCookie:
        """What a session that leads to another one is answered with: in cookies, if it came by them."""
        return await self.begun(desk, signed, cookie=desk.browsers.comes_by_cookie(self.request))

    async def refresh(self, logins: Logins, wanted: Refresh) -> SignedIn | SignedInByCookie:
        """The next pair of tokens: for the one that was sent, or for the one in the cookie."""
        if wanted.refresh_token is not None:
            return await logins.refresh(wanted.refresh_token)
        browsers: Browsers = logins.desk.browsers
        token, proof = browsers.refresh_token(self.request), await browsers.proof(self.request)
        return await browsers.keep(self.request, self.response, await logins.refresh(token, proof))

    def ended(self, desk: Desk) -> None:
        desk.browsers.forget(self.request, self.response)


async def _visit(request: Request, response: Response) -> Visit:
    return Visit(request, response)


Visiting = Annotated[Visit, Depends(_visit)]
