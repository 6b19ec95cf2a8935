"""A server with one organisation: nobody makes another, and the operators' endpoints are not there."""

from collections.abc import AsyncIterator

import httpx
import pytest

from carrel.entry import web
from carrel.infra.settings import Objects, Tenancy
from carrel.infra.web.app import build
from carrel.infra.web.routing import unit_routes
from tests.house import KEY, home_fixture, house_dsn_fixture, minilm_fixture, problem, running_home_fixture

__all__ = ["home_fixture", "house_dsn_fixture", "minilm_fixture", "running_home_fixture"]
pytestmark = pytest.mark.anyio

ONE = Tenancy(multi_tenant_mode=False)
PERSON = {"email": "lina@example.org", "password": "four quiet herons 41", "organization": "Acme"}


@pytest.fixture
async def single(home) -> AsyncIterator[httpx.AsyncClient]:
    """The same house with one organisation, and its administrator."""
    settings, before = home.house.settings, home.house.settings.tenancy
    settings.__dict__["tenancy"] = ONE
    app = build(web.routers(ONE), settings.objects)
    key = (home.house.data_dir / "admin.key").read_text("utf-8").strip()
    try:
        async with web.equipped(home.house, home.model_of(await home.model.get())) as app.state.kit:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://one.test", headers={KEY: key}) as client:
                yield client
    finally:
        settings.__dict__["tenancy"] = before


def paths(tenancy: Tenancy) -> set[str]:
    return {route.path for route in unit_routes(build(web.routers(tenancy), Objects()))}


def test_leaves_out_the_operations_over_organisations_and_no_others():
    missing = paths(Tenancy()) - paths(ONE)

    assert missing
    assert all(path.startswith(("/api/admin/organizations", "/api/admin/usage")) for path in missing)


async def test_knows_no_such_path_and_describes_none(single):
    assert problem(await single.get("/api/admin/organizations"), 404)["code"] == "not-found"
    assert not [path for path in (await single.get("/openapi.json")).json()["paths"] if "organizations/" in path]
    assert (await single.get("/api/organization")).json()["slug"] == "default"


async def test_refuses_a_registration_and_says_why(single):
    answer = await single.post("/api/auth/register", json=PERSON)

    assert problem(answer, 409)["code"] == "single-organization"
    assert "MULTI_TENANT_MODE" in answer.json()["hint"]


async def test_with_several_organisations_the_same_registration_is_taken(home):
    assert (await home.http.post("/api/auth/register", json=PERSON)).status_code == 201


async def test_refuses_to_switch(single, home):
    person = {**PERSON, "email": "omar@example.org"}
    made = (await home.http.post("/api/auth/register", json=person)).json()
    headers = {"Authorization": f"Bearer {made['access_token']}"}

    async with httpx.AsyncClient(transport=single._transport, base_url="http://one.test") as client:
        answer = await client.post(
            "/api/auth/switch", headers=headers, json={"organization": made["organization"]["id"]}
        )

    assert problem(answer, 409)["code"] == "single-organization"
