"""A provider of identities, found by discovery (OpenID Connect Discovery 1.0)."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from carrel.auth.errors_openid import OidcLoginFailed, OidcMisconfigured, OidcProviderFailed
from carrel.auth.id_tokens import Expected, Head, Key, NotBelieved, claims_of, head_of, key_for
from carrel.auth.openid_flow import Flow, address_of
from carrel.auth.openid_line import LOOK, Line
from carrel.core.errors import Problem
from carrel.infra.settings import OpenId

KEPT_FOR = 3600.0
"""Seconds after which addresses and keys are read anew, so that a withdrawn key is not believed for longer."""
KEYS_EVERY, KEYS_AGAIN = 60.0, 2.0
"""Seconds between two readings of the keys for names that are unknown, and after one that failed."""
AGAIN = "Begin again with GET /api/auth/oidc/login."


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the provider does what."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    by_form: bool
    """The client's secret goes into the form, because the provider reads it nowhere else."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What the provider gives for a code."""

    id_token: str = field(repr=False)
    access_token: str | None = field(repr=False)


class Provider:
    """The one provider of this server. Keeps its addresses and keys for an hour. Close it at the end."""

    def __init__(self, settings: OpenId, *, production: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings, self._production, self._clock = settings, production, clock
        self._issuer, self._client_id = settings.issuer or "", settings.client_id or ""
        _require_safe(self._issuer, production=production)
        self._line = Line(settings.timeout)
        self._addresses: Addresses | None = None
        self._addresses_until = 0.0
        self._keys: Sequence[Key] = ()
        self._keys_until = self._keys_not_before = 0.0
        self._reading_keys = asyncio.Lock()

    @property
    def issuer(self) -> str:
        return self._issuer

    async def entrance(self, flow: Flow, redirect_uri: str) -> str:
        """Where a browser is sent to log in."""
        return address_of(
            (await self._found()).authorization,
            response_type="code",
            client_id=self._client_id,
            redirect_uri=redirect_uri,
            scope=self.settings.scopes,
            state=flow.state,
            nonce=flow.nonce,
            code_challenge=flow.challenge,
            code_challenge_method="S256",
        )

    async def exchange(self, code: str, flow: Flow, redirect_uri: str) -> Grant:
        """What the provider gives for the code. Raises `OidcLoginFailed` when it gives nothing for this one."""
        found = await self._found()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        form |= {"client_id": self._client_id, "code_verifier": flow.verifier}
        status, answer = await self._line.ask("POST", found.token, **self._authenticated(form, found))
        if status != 200:
            raise _not_given(status, answer)
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str):
            raise OidcProviderFailed("The identity provider gave no id_token.", hint="OIDC_SCOPES must have `openid`.")
        return Grant(id_token, access_token if isinstance(access_token, str) else None)

    async def claims(self, grant: Grant, flow: Flow) -> dict[str, Any]:
        """What the provider says of somebody, proven for this login. Raises `OidcLoginFailed`."""
        expected = Expected(self._issuer, self._client_id, flow.nonce)
        try:
            head = head_of(grant.id_token)
            return claims_of(grant.id_token, head, await self._key(head), expected)
        except NotBelieved as reason:
            raise OidcLoginFailed(f"The provider's word is not believed: {reason}.", hint=AGAIN) from reason

    async def more_claims(self, grant: Grant, subject: str) -> dict[str, Any]:
        """What the provider tells only when it is asked; nothing where it cannot be asked."""
        found = await self._found()
        if found.userinfo is None or grant.access_token is None:
            return {}
        headers = {"Authorization": f"Bearer {grant.access_token}"}
        status, answer = await self._line.ask("GET", found.userinfo, headers=headers)
        if status != 200 or answer.get("sub") != subject:
            raise OidcLoginFailed("The provider tells nothing of this person, or of another.", hint=AGAIN)
        return answer

    async def close(self) -> None:
        await self._line.close()

    async def _found(self) -> Addresses:
        if self._addresses is None or self._clock() >= self._addresses_until:
            url = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
            status, answer = await self._line.ask("GET", url)
            if status != 200 or answer.get("issuer") != self._issuer:
                raise OidcProviderFailed("There is no provider of this name at OIDC_ISSUER.", hint=LOOK)
            self._addresses = self._read(answer)
            self._addresses_until = self._clock() + KEPT_FOR
        return self._addresses

    def _read(self, answer: dict[str, Any]) -> Addresses:
        ways = answer.get("token_endpoint_auth_methods_supported")
        return Addresses(
            authorization=self._address(answer, "authorization_endpoint"),
            token=self._address(answer, "token_endpoint"),
            keys=self._address(answer, "jwks_uri"),
            userinfo=self._address(answer, "userinfo_endpoint") if "userinfo_endpoint" in answer else None,
            by_form=isinstance(ways, list) and "client_secret_basic" not in ways and "client_secret_post" in ways,
        )

    def _address(self, answer: dict[str, Any], name: str) -> str:
        found = answer.get(name)
        if not isinstance(found, str) or not _is_safe(found, production=self._production):
            raise OidcProviderFailed(f"The provider's `{name}` is no address that can be used.", hint=LOOK)
        return found

    def _authenticated(self, form: dict[str, str], found: Addresses) -> dict[str, Any]:
        secret = self.settings.client_secret
        if secret is None:
            return {"data": form}
        if found.by_form:
            return {"data": {**form, "client_secret": secret.get_secret_value()}}
        # RFC 6749, 2.3.1: both are encoded as in a form before they are joined.
        return {"data": form, "auth": (quote(self._client_id, safe=""), quote(secret.get_secret_value(), safe=""))}

    async def _key(self, head: Head) -> Key:
        """The key that a token names. For unknown names the keys are read anew, but at most once a minute."""
        if (key := self._known_key(head)) is not None:
            return key
        async with self._reading_keys:
            if (key := self._known_key(head)) is None and self._clock() >= self._keys_not_before:
                await self._read_keys()
                key = key_for(head, self._keys)
        if key is None:
            raise NotBelieved("its key is unknown")
        return key

    def _known_key(self, head: Head) -> Key | None:
        return key_for(head, self._keys) if self._clock() < self._keys_until else None

    async def _read_keys(self) -> None:
        self._keys_not_before = self._clock() + KEYS_AGAIN
        status, answer = await self._line.ask("GET", (await self._found()).keys)
        keys = answer.get("keys")
        if status != 200 or not isinstance(keys, list):
            raise OidcProviderFailed("The identity provider shows no keys.", hint=LOOK)
        self._keys = [key for key in keys if isinstance(key, dict)]
        self._keys_until = self._clock() + KEPT_FOR
        self._keys_not_before = self._clock() + KEYS_EVERY


def _not_given(status: int, answer: dict[str, Any]) -> Problem:
    if status == 401 or answer.get("error") in {"invalid_client", "unauthorized_client"}:
        return OidcMisconfigured(
            "The identity provider does not accept this server.",
            hint="Set OIDC_CLIENT_ID and OIDC_CLIENT_SECRET to what is registered there.",
        )
    return OidcLoginFailed("The identity provider gives nothing for this code.", hint=AGAIN)


def _require_safe(issuer: str, *, production: bool) -> None:
    if not _is_safe(issuer, production=production) or "?" in issuer or "#" in issuer:
        raise OidcMisconfigured(
            "OIDC_ISSUER is no address that can be used.",
            hint="Write it as https://login.example.org; plain http is taken outside production only.",
        )


def _is_safe(url: str, *, production: bool) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ({"https"} if production else {"https", "http"}) and bool(parts.hostname)
    except ValueError:
        return False
