"""What browsers are told about pages of other origins."""

import httpx
import pytest

from carrel.infra.web.app import Surroundings, build
from tests.infra.web import notes
from tests.infra.web.conftest import LIMITS, key

pytestmark = pytest.mark.anyio
PAGE, STRANGER = "https://app.example.org", "https://evil.example"
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key, content-type"}
PREFIX = "access-control-"


@pytest.fixture
async def asking(app):
    """A client of the same room with other surroundings."""
    made = []

    def client_of(*origins, **headers):
        other = build([notes.router], LIMITS, surroundings=Surroundings(origins=origins))
        other.state.kit = app.state.kit
        transport = httpx.ASGITransport(other, raise_app_exceptions=False)
        made.append(httpx.AsyncClient(transport=transport, base_url="http://carrel.test", headers=headers))
        return made[-1]

    yield client_of
    for client in made:
        await client.aclose()


def told(answer):
    return {name for name in answer.headers if name.startswith(PREFIX)}


async def test_by_default_no_page_of_another_origin_is_let_in(client):
    for method in ("GET", "OPTIONS"):
        answer = await client.request(method, "/api/notes", headers={"Origin": PAGE, **ASKS})

        assert not told(answer)
        assert "vary" not in answer.headers


async def test_a_named_origin_may_read_the_answer_and_its_headers(asking, tenant):
    answer = await asking(PAGE, **key(tenant, "read")).get("/api/notes", headers={"Origin": PAGE})

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "Origin"
    exposed = answer.headers["access-control-expose-headers"]
    assert {"RateLimit", "X-Request-ID", "ETag", "Location", "Retry-After"} <= set(exposed.split(", "))


@pytest.mark.parametrize("origin", [STRANGER, "null", PAGE + ".evil.example", PAGE.upper(), "http://app.example.org"])
async def test_another_origin_is_told_nothing(asking, tenant, origin):
    client = asking(PAGE, **key(tenant, "read"))

    for answer in (
        await client.get("/api/notes", headers={"Origin": origin}),
        await client.options("/api/notes", headers={"Origin": origin, **ASKS}),
    ):
        assert not told(answer)
        assert answer.headers["vary"] == "Origin"


async def test_a_question_before_a_call_needs_no_credentials(asking, asked):
    answer = await asking(PAGE).options("/api/notes", headers={"Origin": PAGE, **ASKS})

    assert answer.status_code == 204
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "X-API-Key" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "600"
    assert asked == []


async def test_refusals_and_bugs_can_be_read_as_well(asking, tenant):
    refused = await asking(PAGE).get("/api/notes", headers={"Origin": PAGE})
    lost = await asking(PAGE).get("/nowhere", headers={"Origin": PAGE})

    assert (refused.status_code, lost.status_code) == (401, 404)
    assert refused.headers["access-control-allow-origin"] == lost.headers["access-control-allow-origin"] == PAGE


async def test_everybody_may_call_only_without_cookies(asking, tenant):
    answer = await asking("*", **key(tenant, "read")).get("/api/notes", headers={"Origin": STRANGER})

    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
