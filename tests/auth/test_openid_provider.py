"""A provider that is slow, broken or not there."""

import time
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from carrel.auth.errors_openid import OidcMisconfigured, OidcUnavailable
from carrel.auth.openid_flow import flow_of
from carrel.auth.openid_provider import Provider
from carrel.infra.settings import OpenId
from tests.auth.world import CALLBACK, LOGIN, told

pytestmark = pytest.mark.anyio
FAILED = (401, "oidc-login-failed")


class TestKeys:
    async def test_are_read_once(self, world):
        await world.walk()
        await world.walk()

        assert (await world.asked("/jwks"), await world.asked("/.well-known/openid-configuration")) == (1, 1)

    async def test_are_read_anew_for_an_unknown_name_but_not_for_each(self, world):
        await world.orders(header={"kid": "nobody"})
        for _ in range(3):
            assert told(await world.walk()) == FAILED
        assert await world.asked("/jwks") == 1

        world.provider._keys_not_before = 0.0  # a minute later
        await world.orders(rotate=True)

        assert (await world.walk()).status_code == 200
        assert await world.asked("/jwks") == 1

    async def test_that_were_withdrawn_are_believed_for_an_hour_at_most(self, world):
        await world.walk()
        await world.orders(rotate=True, header={"kid": "RS256 1"})

        world.provider._keys_until = world.provider._keys_not_before = 0.0  # an hour later

        assert told(await world.walk()) == FAILED


TROUBLE: dict[str, tuple[dict[str, Any], tuple[int, str]]] = {
    "out of order": ({"status": 500}, (503, "oidc-unavailable")),
    "no JSON": ({"body": "<html>"}, (502, "oidc-provider-failed")),
    "a list": ({"body": "[]"}, (502, "oidc-provider-failed")),
    "nested without end": ({"body": "[", "times": 100_000}, (502, "oidc-provider-failed")),
    "too long": ({"body": "x" * 1000, "times": 2000}, (502, "oidc-provider-failed")),
    "slow": ({"sleep": 1.5}, (503, "oidc-unavailable")),
    "slow byte by byte": ({"body": "{" + " " * 50, "drip": 0.1}, (503, "oidc-unavailable")),
}


class TestTrouble:
    @pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
    @pytest.mark.parametrize("trouble", TROUBLE)
    async def test_of_the_provider_is_told_soon(self, opened, path, trouble):
        world = await opened(timeout=timedelta(seconds=0.7))
        order, expected = TROUBLE[trouble]
        back = None if path.startswith("/.well") else await world.leave()
        await world.orders(trouble={path: order}, forgetful=True)
        began = time.monotonic()

        answer = await (world.browser.get(LOGIN) if back is None else world.browser.get(CALLBACK, params=back))

        assert told(answer) == expected, answer.text
        assert answer.json()["hint"]
        assert time.monotonic() - began < 6

    async def test_of_a_provider_that_is_not_there_is_told_at_once(self):
        gone = Provider(OpenId(issuer="http://127.0.0.1:9", client_id="carrel"), production=False)

        with pytest.raises(OidcUnavailable) as refused:
            await gone.entrance(flow_of(b"key", "mark"), "http://127.0.0.1/callback")
        await gone.close()

        assert refused.value.status == 503

    async def test_no_redirect_is_followed(self, world):
        await world.leave()
        back = await world.leave()
        await world.orders(
            trouble={"/jwks": {"status": 302, "headers": {"Location": f"{world.provider.issuer}/asked"}, "body": "{}"}}
        )

        answer = await world.browser.get(CALLBACK, params=back)

        assert answer.status_code in {401, 502}
        assert await world.asked("/asked") == 1  # this question alone

    @pytest.mark.parametrize(
        "discovery",
        [
            {"issuer": "https://evil.test"},
            {"issuer": None},
            {"token_endpoint": None},
            {"jwks_uri": "file:///etc/passwd"},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"userinfo_endpoint": 7},
        ],
    )
    async def test_of_its_description_is_told(self, world, discovery):
        await world.orders(discovery=discovery)

        assert told(await world.browser.get(LOGIN)) == (502, "oidc-provider-failed")

    async def test_goes_away_by_itself(self, opened):
        world = await opened()
        await world.orders(trouble={"/.well-known/openid-configuration": {"status": 500}})
        assert told(await world.browser.get(LOGIN)) == (503, "oidc-unavailable")

        await world.orders()

        assert (await world.walk()).status_code == 200

    async def test_with_our_own_secret_is_the_operators(self, opened):
        world = await opened(client_secret=None)

        assert told(await world.walk()) == (503, "oidc-misconfigured")


class TestSettings:
    @pytest.mark.parametrize(
        "issuer",
        [
            "http://login.example.org",
            "login.example.org",
            "https://",
            "https://x.test?a=b",
            "ftp://x.test",
            "https://[",
        ],
    )
    def test_production_takes_https_only(self, issuer):
        with pytest.raises(OidcMisconfigured):
            Provider(OpenId(issuer=issuer, client_id="carrel"), production=True)

    def test_are_read_from_the_environment(self, monkeypatch):
        for name, value in {
            "ISSUER": "https://login.example.org",
            "CLIENT_ID": "carrel",
            "ROLE_MAP": "cn=staff=member, heads = admin",
            "ALLOWED_DOMAINS": "example.org, example.net",
            "DEFAULT_ROLE": "",
        }.items():
            monkeypatch.setenv(f"OIDC_{name}", value)

        settings = OpenId()

        assert settings.role_map == {"cn=staff": "member", "heads": "admin"}
        assert settings.allowed_domains == ("example.org", "example.net")
        assert settings.default_role is None

    @pytest.mark.parametrize(
        "wrong",
        [
            {"client_id": ""},
            {"role_map": "staff"},
            {"role_map": "staff=king"},
            {"default_role": "king"},
            {"timeout": "0"},
            {"scopes": "openid  email\n"},
        ],
    )
    def test_that_mean_nothing_are_refused(self, wrong):
        with pytest.raises(ValidationError):
            OpenId(**{"issuer": "https://login.example.org", "client_id": "carrel", **wrong})
