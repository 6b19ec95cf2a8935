"""The cookies of a session in a browser: what they are called, and how they are read and written.

Over HTTPS their names begin with `__Host-` or `__Secure-`: browsers let nobody set those from a neighbouring name or
without encryption, and the plain names count for nothing there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request, Response

SESSION, REFRESH, CSRF = "carrel_session", "carrel_refresh", "carrel_csrf"
REFRESH_PATH = "/api/auth/refresh"


@dataclass(frozen=True, slots=True)
class Jar:
    """The cookies of one request and of its answer."""

    request: Request
    secure: bool

    @property
    def session(self) -> str:
        return f"__Host-{SESSION}" if self.secure else SESSION

    @property
    def csrf(self) -> str:
        return f"__Host-{CSRF}" if self.secure else CSRF

    @property
    def refresh(self) -> str:
        # `__Host-` cookies go everywhere; this one goes nowhere but where it is needed.
        return f"__Secure-{REFRESH}" if self.secure else REFRESH

    def read(self, name: str) -> Sequence[str]:
        """Every value that was sent under this name; there are several when somebody else has set one."""
        return [value for one, value in sent(self.request) if one == name and value]

    def write(self, response: Response, name: str, value: str, seconds: int) -> None:
        """Set a cookie for so many seconds. Only the token against forgery can be read by scripts."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=REFRESH_PATH if name == self.refresh else "/",
            secure=self.secure,
            httponly=name != self.csrf,
            samesite="lax",
        )

    def clear(self, response: Response) -> None:
        for name in (self.session, self.refresh, self.csrf):
            self.write(response, name, "", 0)


def sent(request: Request) -> Sequence[tuple[str, str]]:
    """The cookies of a request, in their order, with what stands there twice."""
    pairs = [pair.partition("=") for header in request.headers.getlist("cookie") for pair in header.split(";")]
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def sessions_sent(request: Request) -> bytes:
    """Whatever was sent as the cookie of a session, under either name."""
    return "\0".join(value for name, value in sent(request) if name.endswith(SESSION)).encode("latin-1")
