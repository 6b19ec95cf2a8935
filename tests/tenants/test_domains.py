"""Domains of organisations over HTTP: asking, proving, deciding; and what a request at such a host means."""

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import httpx
import psycopg
import pytest

from carrel.auth.domains import Verification
from carrel.auth.homes import Homes
from carrel.core.ids import TenantId, uuid7
from carrel.entry.web import ROUTERS, server_of
from carrel.infra import mail
from carrel.infra.db import Database, Role
from carrel.infra.db.errors import DatabaseUnavailable
from carrel.infra.dns import Resolver
from carrel.infra.settings import Objects
from carrel.infra.web.app import Surroundings, build
from tests.house import KEY, Home, Organisation, eventually, problem
from tests.isolation.conftest import PASSWORD, Letters, forget_attempts, hired
from tests.isolation.operators import operators_key
from tests.nameserver import nameserver

pytestmark = pytest.mark.anyio
PATH = "/api/organization/domains"


def a_host() -> str:
    return f"d{uuid7().hex}.example.org"


async def added(organisation: Organisation, host: str) -> dict[str, Any]:
    answer = await organisation.call("POST", PATH, json={"host": host})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def decided(organisation: Organisation, domain: dict[str, Any], *, verified: bool = True) -> httpx.Response:
    path = f"/api/admin/organizations/{organisation.tenant}/domains/{domain['id']}"
    headers = {KEY: operators_key(organisation.home)}
    return await organisation.home.http.patch(path, headers=headers, json={"verified": verified})


async def settled(organisation: Organisation) -> str:
    """A host that is the organisation's."""
    host = a_host()
    answer = await decided(organisation, await added(organisation, host))
    assert answer.status_code == 200, answer.text
    return host


@asynccontextmanager
async def zone(home: Home, texts):
    """A resolver that knows these texts, in place of the machine's."""
    async with nameserver(texts) as address:
        providers = home.app.state.kit.providers
        before, resolver = providers[Verification], Resolver([address], patience=0.3)

        def asking(scope):
            return Verification(scope.database, scope.tenant, scope.caller.subject, (), resolver.texts)

        providers[Verification] = asking
        try:
            yield
        finally:
            providers[Verification] = before


@asynccontextmanager
async def calling(home: Home, peer="192.0.2.7", **surroundings):
    """A client of the same house, which answers to carrel.example only."""
    around = {"hosts": ("carrel.example",), "own": ("carrel.example",), **surroundings}
    app = build(ROUTERS, Objects(), surroundings=Surroundings(**around))
    app.state.kit = home.app.state.kit
    transport = httpx.ASGITransport(app, client=(peer, 4711), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://carrel.example") as client:
        yield client


async def asked(client, host, key=None, path="/api/stats", **headers):
    return await client.get(path, headers={"Host": host, **({KEY: key} if key else {}), **headers})


class TestAsking:
    async def test_shows_the_record_that_proves_it(self, acme):
        host = a_host()

        domain = await added(acme, f"{host.upper()}.")

        assert (domain["host"], domain["verified_at"]) == (host, None)
        assert domain["record"]["name"] == f"_carrel.{host}"
        assert len(domain["record"]["value"]) > 40
        assert (await acme.get(PATH))["data"] == [domain] == [await acme.get(f"{PATH}/{domain['id']}")]

    @pytest.mark.parametrize("host", ["192.0.2.1", "localhost", "a.example.org:80", "https://a.example.org", "a_b.org"])
    async def test_refuses_what_is_no_name(self, acme, host):
        assert problem(await acme.call("POST", PATH, json={"host": host}), 422)["code"] == "invalid-domain"

    async def test_refuses_a_host_twice_but_not_that_of_another(self, acme, home):
        domain, other = await added(acme, a_host()), await home.organisation("Other")

        again = await acme.call("POST", PATH, json={"host": domain["host"]})
        theirs = await added(other, domain["host"])

        assert problem(again, 409)["code"] == "domain-exists"
        assert theirs["record"]["value"] != domain["record"]["value"]

    async def test_takes_ten_and_no_more_however_many_ask_at_once(self, acme):
        answers = await asyncio.gather(*(acme.call("POST", PATH, json={"host": a_host()}) for _ in range(16)))

        assert sorted(answer.status_code for answer in answers) == [201] * 10 + [409] * 6
        assert len((await acme.get(PATH))["data"]) == 10

    async def test_is_for_administrators(self, acme):
        for scope in ("read", "write", "search"):
            problem(await acme.call("POST", PATH, scope=scope, json={"host": a_host()}), 403)


class TestProving:
    async def test_takes_the_record(self, acme, home):
        domain = await added(acme, a_host())
        async with zone(home, {domain["record"]["name"]: ["something else", domain["record"]["value"]]}):
            answer = await acme.call("POST", f"{PATH}/{domain['id']}/verify")

        assert answer.status_code == 200, answer.text
        assert answer.json()["verified_at"]
        actions = [event["action"] for event in (await acme.get("/api/admin/audit"))["data"]]
        assert actions[:2] == ["domain.verified", "domain.added"]

    async def test_refuses_another_value_no_record_and_no_resolver(self, acme, home):
        domain = await added(acme, a_host())
        other = await added(await home.organisation("Other"), domain["host"])
        path = f"{PATH}/{domain['id']}/verify"
        for texts in ({}, {domain["record"]["name"]: [other["record"]["value"]]}, {domain["host"]: ["x"]}):
            async with zone(home, texts):
                refused = problem(await acme.call("POST", path), 409)
            assert refused["code"] == "domain-not-verified"
            assert refused["record"] == domain["record"]
        async with zone(home, None):
            assert problem(await acme.call("POST", path), 503)["code"] == "dns-unavailable"
        assert (await acme.get(f"{PATH}/{domain['id']}"))["verified_at"] is None

    async def test_gives_a_host_to_the_first_only(self, acme, home):
        other, host = await home.organisation("Other"), a_host()
        domains = [(one, await added(one, host)) for one in (acme, other)]
        async with zone(home, {f"_carrel.{host}": [domain["record"]["value"] for _, domain in domains]}):
            answers = await asyncio.gather(
                *(one.call("POST", f"{PATH}/{domain['id']}/verify") for one, domain in domains)
            )

        assert sorted(answer.status_code for answer in answers) == [200, 409]
        [refused] = [answer for answer in answers if answer.status_code == 409]
        assert problem(refused)["code"] == "domain-taken"

    async def test_is_an_operators_to_decide_otherwise(self, acme, home):
        domain = await added(acme, a_host())
        listed = await home.http.get(
            f"/api/admin/organizations/{acme.tenant}/domains", headers={KEY: operators_key(home)}
        )

        assert listed.json()["data"] == [domain]
        assert (await decided(acme, domain)).json()["verified_at"]
        assert (await decided(acme, domain, verified=False)).json()["verified_at"] is None
        other = await home.organisation("Other")
        assert problem(await decided(other, domain), 404)["code"] == "domain-not-found"


class TestAHostOfAnOrganisation:
    async def test_answers_its_own_credentials_and_refuses_others(self, acme, home):
        host, other = await settled(acme), await home.organisation("Other")
        async with calling(home) as client:
            ours = await asked(client, host, acme.keys["all"])
            theirs = await asked(client, host, other.keys["all"])
            operators = await asked(client, host, operators_key(home))
            nobodys = await asked(client, host)

        assert ours.status_code == 200, ours.text
        assert problem(theirs, 403)["code"] == problem(operators, 403)["code"] == "wrong-organization"
        assert problem(nobodys, 401)["code"] == "credentials-required"
        await home.app.state.kit.observer._writing.close()
        events = (await other.get("/api/admin/audit"))["data"]
        assert events[0]["action"] == "access.refused"
        assert events[0]["details"]["code"] == "wrong-organization"

    async def test_is_nobodys_once_it_is_given_back(self, acme, home):
        host = await settled(acme)
        async with calling(home) as client:
            assert (await asked(client, host, acme.keys["all"])).status_code == 200
            [domain] = (await acme.get(PATH))["data"]
            await acme.call("DELETE", f"{PATH}/{domain['id']}")
            await asyncio.sleep(Homes.FRESH_FOR + 0.1)

            assert problem(await asked(client, host, acme.keys["all"]), 421)["code"] == "host-not-allowed"

    @pytest.mark.parametrize("form", ["{}:8443", "{}.", "{}.:80", "upper"])
    async def test_is_the_same_however_it_is_written(self, acme, home, form):
        host, other = await settled(acme), await home.organisation("Other")
        written = host.upper() if form == "upper" else form.format(host)
        async with calling(home) as client:
            assert (await asked(client, written, acme.keys["all"])).status_code == 200
            assert problem(await asked(client, written, other.keys["all"]), 403)["code"] == "wrong-organization"

    @pytest.mark.parametrize(
        "forged", ["x.{}", "x{}", "{}.evil.example", "{}@carrel.example", "carrel.example,{}", "{}:x", "{}\t", "[{}]"]
    )
    async def test_is_not_reached_by_names_that_resemble_it(self, acme, home, forged):
        host = await settled(acme)
        async with calling(home) as client:
            answer = await asked(client, forged.format(host), acme.keys["all"])

        assert problem(answer, 421)["code"] == "host-not-allowed"

    async def test_means_nothing_before_it_is_verified(self, acme, home):
        domain = await added(acme, a_host())
        async with calling(home) as client:
            problem(await asked(client, domain["host"], acme.keys["all"]), 421)
        async with calling(home, hosts=("*",)) as client:
            other = await home.organisation("Other")
            assert (await asked(client, domain["host"], other.keys["all"])).status_code == 200
            shown = await asked(client, domain["host"], path="/api/branding")
            assert shown.json()["name"] == "Carrel"

    async def test_is_believed_of_trusted_proxies_only(self, acme, home):
        host = await settled(acme)
        other = await home.organisation("Other")
        forwarded = {"X-Forwarded-Host": host, "Forwarded": f"host={host}", "X-Host": host, "X-Original-Host": host}
        async with calling(home) as client:
            assert (await asked(client, "carrel.example", other.keys["all"], **forwarded)).status_code == 200
            shown = await asked(client, "carrel.example", path="/api/branding", **forwarded)
            assert shown.json()["name"] == "Carrel"

    async def test_is_the_header_and_not_the_target(self, acme, home):
        host = await settled(acme)
        request = f"GET http://{host}/api/branding HTTP/1.1\r\nHost: carrel.test\r\nConnection: close\r\n\r\n"
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            server = server_of(home.app)
            serving = asyncio.create_task(server.serve(sockets=[listener]))

            async def started() -> bool:
                return server.started

            await eventually(started)
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(request.encode())
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            server.should_exit = True
            await serving

        assert b"Acme" not in answer

    async def test_begins_logins_in_its_organisation(self, acme, home):
        host, other = await settled(acme), await home.organisation("Other")
        person = await hired(acme, "member", "acme")
        await joined(other, person.email)
        body = {"email": person.email, "password": PASSWORD}
        begun = {}
        async with calling(home) as client:
            for name, at, more in (
                ("ours", host, {}),
                ("named", host, {"organization": str(other.tenant)}),
                ("elsewhere", "carrel.example", {}),
            ):
                forget_attempts(home)
                answer = await client.post("/api/auth/login", headers={"Host": at}, json={**body, **more})
                assert answer.status_code == 200, answer.text
                begun[name] = answer.json()["organization"]["id"]
            stranger = await hired(other, "member", "other")
            forget_attempts(home)
            refused = await client.post(
                "/api/auth/login", headers={"Host": host}, json={"email": stranger.email, "password": PASSWORD}
            )

        assert begun["ours"] == str(acme.tenant)
        assert begun["named"] == begun["elsewhere"] == str(other.tenant)
        assert problem(refused, 403)["code"] == "no-organization"


async def joined(organisation: Organisation, email: str) -> None:
    """Let somebody who has an account join."""
    letters = Letters()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mail, "log", letters)
        await organisation.call("POST", "/api/organization/invitations", json={"email": email, "role": "viewer"})
    token = letters.links[-1].partition("#token=")[2]
    answer = await organisation.home.http.post(
        "/api/auth/invitations/accept", json={"token": token, "password": PASSWORD}
    )
    assert answer.status_code == 201, answer.text


class Away(Database):
    """A database that has gone away."""

    def __init__(self) -> None:
        """Nothing is opened."""

    def transaction(self, role: Role, tenant: TenantId | None = None) -> NoReturn:
        raise DatabaseUnavailable("away", retry_after=1)


class TestRemembering:
    async def test_asks_once_in_two_seconds_also_for_names_of_nobody(self, acme, home):
        moment, host, strange = [0.0], await settled(acme), a_host()
        homes = Homes(home.house.database, clock=lambda: moment[0])
        assert await homes.home_of(host) == acme.tenant
        assert await homes.home_of(strange) is None

        homes._database = Away()
        assert await homes.home_of(host) == acme.tenant
        assert await homes.home_of(strange) is None
        moment[0] = 2.1
        # While the database is away, what was known goes on; what was not is no guess.
        assert await homes.home_of(host) == acme.tenant
        with pytest.raises(DatabaseUnavailable):
            await homes.home_of(strange)
        moment[0] = 61.0
        with pytest.raises(DatabaseUnavailable):
            await homes.home_of(host)

    async def test_asks_nothing_for_what_can_be_nobodys(self):
        homes = Homes(Away())

        for name in ("", "localhost", "127.0.0.1", "[::1]", "a" * 300, "evil.example/x"):
            assert await homes.home_of(name) is None

    async def test_forgets_what_was_erased(self, acme, home):
        host = await settled(acme)
        with psycopg.connect(home.dsn, autocommit=True) as connection:
            connection.execute("DELETE FROM domains WHERE tenant_id = %s", [acme.tenant])

        assert await Homes(home.house.database).home_of(host) is None
