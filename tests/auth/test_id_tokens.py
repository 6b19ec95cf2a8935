"""What a dishonest provider might say, said by a provider that runs as a process of its own."""

from typing import Any

import pytest

from tests.auth.world import told

pytestmark = pytest.mark.anyio
FAILED = (401, "oidc-login-failed")
FORGED: dict[str, dict[str, Any]] = {
    "unsigned": {"sign": "none"},
    "HS256 with the client's secret": {"sign": "HS256 with the secret"},
    "HS256 with the public key": {"sign": "HS256 with the public key"},
    "a key that is not published": {"stranger": True},
    "an unknown key name": {"header": {"kid": "nobody"}},
    "a key name that is a path": {"header": {"kid": "../../dev/null"}},
    "the key of another algorithm": {"header": {"kid": "ES256 1"}},
    "a key that it brings along": {"stranger": True, "header": {"jwk": {"kty": "oct", "k": "YQ"}}},
    "an address of keys": {"stranger": True, "header": {"jku": "https://evil.test/jwks"}},
    "extensions that must be understood": {"header": {"crit": ["exp"]}},
    "an access token": {"header": {"typ": "at+jwt"}},
    "a short key": {"sign": "small"},
    "no token": {"sign": "a.b.c"},
    "an empty token": {"sign": ""},
    "a megabyte": {"sign": "a" * 900_000},
    "another nonce": {"claims": {"nonce": "another"}},
    "no nonce": {"claims": {"nonce": None}},
    "a nonce that is no text": {"claims": {"nonce": 1}},
    "another audience": {"claims": {"aud": "another"}},
    "no audience": {"claims": {"aud": None}},
    "several audiences without a party": {"claims": {"aud": ["carrel", "another"]}},
    "another party": {"claims": {"aud": ["carrel", "another"], "azp": "another"}},
    "another party alone": {"claims": {"azp": "another"}},
    "another issuer": {"claims": {"iss": "https://evil.test"}},
    "no issuer": {"claims": {"iss": None}},
    "expired": {"claims": {"exp": "now-120"}},
    "without an end": {"claims": {"exp": None}},
    "an end that is no number": {"claims": {"exp": "soon"}},
    "from the future": {"claims": {"iat": "now+600", "exp": "now+900"}},
    "without a beginning": {"claims": {"iat": None}},
    "not yet": {"claims": {"nbf": 4_000_000_000}},
    "nobody": {"claims": {"sub": None}},
    "an empty subject": {"claims": {"sub": ""}},
    "a subject that is no text": {"claims": {"sub": 7}},
    "a subject without end": {"claims": {"sub": "x" * 256}},
}


class TestForgedTokens:
    @pytest.mark.parametrize("forgery", FORGED)
    async def test_open_nothing(self, world, forgery):
        await world.orders(**FORGED[forgery])

        answer = await world.walk()

        assert told(answer) == FAILED, answer.text
        assert await world.role() is None

    async def test_with_several_audiences_are_good_for_the_right_party(self, world):
        await world.orders(claims={"aud": ["carrel", "another"], "azp": "carrel"})

        assert (await world.walk()).status_code == 200
