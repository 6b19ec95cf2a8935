"""Sessions in cookies, for the pages of this server, and what keeps pages of others from using them."""

import base64
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.datastructures import Headers

from carrel.auth.credentials import AUTHORIZATION, KEY_HEADER
from carrel.auth.errors import CredentialsConflict, CsrfFailed, InvalidCredentials
from carrel.auth.schemas_users import Person, SessionId, SignedIn, SignedInByCookie
from carrel.auth.signing import Ring
from carrel.infra.db import Database
from carrel.infra.web import Caller
from carrel.infra.web.cookies import Jar
from carrel.infra.web.errors import Invalid

SECRET = "tokens against forgery"  # noqa: S105  (the name of a secret)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADER = "X-CSRF-Token"


class Knows(Protocol):
    """Knows callers by their credentials."""

    async def authenticate(self, headers: Headers, /) -> Caller: ...
    async def caller_with(self, key: bytes, /) -> Caller: ...


@dataclass(slots=True)
class Browsers:
    """Lets people in by the cookie of their session. One per process.

    A browser sends cookies along wherever a request comes from. So whatever changes something must come from a page of
    this server, or of an origin that the settings name, and bring a token that only such a page can read.
    """

    database: Database
    ring: Ring
    public_url: str
    origins: Sequence[str]
    lifetime: int
    """Seconds that a session lasts at most."""
    _secret: bytes | None = None

    def jar(self, request: Request) -> Jar:
        return Jar(request, secure="https" in {request.scope["scheme"], urlsplit(self.public_url).scheme})

    def comes_by_cookie(self, request: Request) -> bool:
        """Whether nothing but a cookie says who asks: credentials in a header, which no page sends alone, go first."""
        in_headers = KEY_HEADER in request.headers or AUTHORIZATION in request.headers
        jar = self.jar(request)
        return not in_headers and bool(jar.read(jar.session))

    async def caller_of(self, request: Request, known: Knows) -> Caller:
        """Who asks, by header or by cookie. Raises a 401, `OrganizationDisabled`, or `CsrfFailed`."""
        if not self.comes_by_cookie(request):
            return await known.authenticate(request.headers)
        jar, is_safe = self.jar(request), request.method in SAFE
        if not is_safe:
            self.require_own_page(request)
        caller = await known.caller_with(_only(jar.read(jar.session)).encode("latin-1"))
        if not isinstance(caller, Person):
            raise InvalidCredentials("The cookie holds no session.", hint="Log in with POST /api/auth/login.")
        if not is_safe:
            (await self.proof(request))(caller.session)
        return caller

    def require_own_page(self, request: Request) -> None:
        """Raises `CsrfFailed` unless the browser says that one of our own pages has sent this."""
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        own = {f"{request.scope['scheme']}://{request.headers.get('host', '')}".lower(), _origin_of(self.public_url)}
        if origin is None and site == "same-origin":
            return
        if origin is None or origin.lower() not in own | (set(self.origins) - {"*"}):
            raise CsrfFailed(
                f"The request comes from {origin[:200] if origin else 'no page that is known'}.",
                hint="With a session in a cookie, only pages of this server and of CORS_ORIGINS may change something.",
            )

    async def proof(self, request: Request) -> Callable[[SessionId], None]:
        """A check, to be made once the session is known, that the request brings its token."""
        secret, given = await self._key(), request.headers.get(HEADER, "")

        def check(session: SessionId) -> None:
            if not hmac.compare_digest(given.encode(), _token(secret, session).encode()):
                raise CsrfFailed(
                    f"The header {HEADER} is {'not that of this session' if given else 'missing'}.",
                    hint="Send the `csrf_token` of the login; the cookie carrel_csrf holds it too.",
                )

        return check

    def refresh_token(self, request: Request) -> str:
        """The refresh token in the cookie. Raises `Invalid`, `CredentialsConflict` or `CsrfFailed`."""
        jar = self.jar(request)
        if not (found := jar.read(jar.refresh)):
            missing = {"field": "body.refresh_token", "code": "missing", "message": "Field required"}
            raise Invalid("body.refresh_token: Field required.", hint="See `errors` for each field.", errors=[missing])
        self.require_own_page(request)
        return _only(found)

    async def keep(self, request: Request, response: Response, signed: SignedIn) -> SignedInByCookie:
        """Put the tokens of a session into cookies, where no script can read them."""
        jar, read = self.jar(request), self.ring.read(signed.access_token.encode())
        if read is None:
            raise RuntimeError("A token that was just made is good.")
        token = _token(await self._key(), SessionId(read[0].session))
        jar.write(response, jar.session, signed.access_token, signed.expires_in)
        jar.write(response, jar.refresh, signed.refresh_token, self.lifetime)
        jar.write(response, jar.csrf, token, self.lifetime)
        return SignedInByCookie(token, signed.expires_in, signed.user, signed.organization)

    def forget(self, request: Request, response: Response) -> None:
        """Let the browser forget the session that has asked, if it came by cookie."""
        if self.comes_by_cookie(request):
            self.jar(request).clear(response)

    async def _key(self) -> bytes:
        if self._secret is None:
            self._secret = await self.database.shared_secret(SECRET)
        return self._secret


def _token(secret: bytes, session: SessionId) -> str:
    mac = hmac.digest(secret, b"csrf\0" + session.bytes, "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def _only(values: Sequence[str]) -> str:
    """The one value of a cookie. A neighbouring name may have set another one, and choosing would be a guess."""
    if len(set(values)) > 1:
        raise CredentialsConflict("The request carries two different cookies of a session.", hint="Delete one of them.")
    return values[0]


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
