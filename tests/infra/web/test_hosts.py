"""By which names the server may be called."""

from ipaddress import ip_network

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.infra.web.app import Surroundings, build
from carrel.infra.web.hosts import is_allowed, name_of
from tests.infra.web import notes
from tests.infra.web.conftest import LIMITS, key

pytestmark = pytest.mark.anyio
OURS = ("carrel.example", "*.carrel.example", "[::1]", "127.0.0.1")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("carrel.example", "carrel.example"),
        ("Carrel.Example:8080", "carrel.example"),
        ("carrel.example.", "carrel.example"),
        ("[::1]:8080", "[::1]"),
        ("[::1]", "[::1]"),
        ("", ""),
    ],
)
def test_a_name_stands_before_its_port(host, name):
    assert name_of(host) == name


@pytest.mark.parametrize("name", ["carrel.example", "a.carrel.example", "a.b.carrel.example", "[::1]", "127.0.0.1"])
def test_a_name_of_ours_is_good(name):
    assert is_allowed(name, OURS)


@pytest.mark.parametrize(
    "name",
    ["evil.example", "", "carrel.example.evil.example", "evilcarrel.example", ".carrel.example", "127.0.0.2", "*"],
)
def test_another_name_is_not(name):
    assert not is_allowed(name, OURS)


@given(st.text())
def test_any_name_is_good_where_all_are(name):
    assert is_allowed(name_of(name), ["*"])


@pytest.fixture
async def calling(app, tenant):
    made = []

    def client_of(peer="192.0.2.7", **surroundings):
        other = build([notes.router], LIMITS, surroundings=Surroundings(**surroundings))
        other.state.kit = app.state.kit
        transport = httpx.ASGITransport(other, client=(peer, 4711))
        headers = key(tenant, "read")
        made.append(httpx.AsyncClient(transport=transport, base_url="http://carrel.example", headers=headers))
        return made[-1]

    yield client_of
    for client in made:
        await client.aclose()


async def test_a_forged_host_is_refused_before_anything_is_looked_at(calling, asked):
    client = calling(hosts=OURS)

    answer = await client.get("/api/notes", headers={"Host": "evil.example"})

    assert answer.status_code == 421
    assert answer.json()["code"] == "host-not-allowed"
    assert asked == []
    assert (await client.get("/api/notes")).status_code == 200


async def test_two_hosts_are_refused_even_where_any_is_good(calling):
    client = calling()

    request = client.build_request("GET", "/api/notes", headers=[("Host", "carrel.example"), ("Host", "evil.example")])

    assert (await client.send(request)).json()["code"] == "bad-request"


@pytest.mark.parametrize("path", ["/health", "/metrics"])
async def test_health_answers_to_any_name(calling, path):
    answer = await calling(hosts=OURS).get(path, headers={"Host": "10.0.0.9:8080"})

    assert answer.status_code == 404  # this small room has none, but lets the request in


async def test_a_forwarded_host_counts_from_a_trusted_proxy_only(calling):
    proxies = [ip_network("10.0.0.0/8")]
    behind, direct = calling("10.0.0.1", hosts=OURS, proxies=proxies), calling(hosts=OURS, proxies=proxies)
    inside = {"Host": "upstream.internal"}

    through = await behind.get("/api/notes", headers={**inside, "X-Forwarded-Host": "carrel.example"})
    appended = await behind.get("/api/notes", headers={**inside, "X-Forwarded-Host": "carrel.example, evil.example"})
    forged = await direct.get("/api/notes", headers={"Host": "evil.example", "X-Forwarded-Host": "carrel.example"})
    ignored = await direct.get("/api/notes", headers={"X-Forwarded-Host": "evil.example"})

    assert [one.status_code for one in (through, appended, forged, ignored)] == [200, 421, 421, 200]
