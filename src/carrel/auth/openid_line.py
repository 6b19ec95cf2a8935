"""The line to a provider of identities: short, and without detours."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx

from carrel.auth.errors_openid import OidcProviderFailed, OidcUnavailable

LONGEST_ANSWER = 2**20
LOOK = "An operator finds the reason in the log, and what the provider should be in OIDC_ISSUER."


class Line:
    """Asks for JSON and gets it soon, or a Problem. Open it once per process, and close it at the end."""

    def __init__(self, timeout: timedelta) -> None:
        self._seconds = timeout.total_seconds()
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            timeout=self._seconds,
            # What is not packed cannot grow while it is unpacked.
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        )

    async def ask(self, method: str, url: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """The status and the object of an answer. Raises `OidcUnavailable` or `OidcProviderFailed`."""
        try:
            async with asyncio.timeout(self._seconds), self._client.stream(method, url, **options) as answer:
                status, body = answer.status_code, await _limited(answer)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise OidcUnavailable(
                "The identity provider does not answer.", hint="Try again in a moment.", retry_after=5
            ) from error
        if status >= 500:
            raise OidcUnavailable("The identity provider is out of order.", hint="Try again later.", retry_after=30)
        return status, _object(body)

    async def close(self) -> None:
        await self._client.aclose()


async def _limited(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > LONGEST_ANSWER:
            raise OidcProviderFailed("The identity provider's answer is too long.", hint=LOOK)
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise OidcProviderFailed("The identity provider's answer is no JSON.", hint=LOOK) from error
    if not isinstance(found, dict):
        raise OidcProviderFailed("The identity provider's answer is no JSON object.", hint=LOOK)
    return found
