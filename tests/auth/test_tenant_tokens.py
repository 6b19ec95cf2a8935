import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from carrel.auth import grants
from carrel.auth.authenticator import Authenticator
from carrel.auth.errors import InvalidCredentials
from carrel.core.access import Access
from carrel.core.clock import now
from carrel.tenants.errors import OrganizationDisabled
from tests.auth.givens import Clock, change, counted, enable, given_key, revoke
from tests.auth.test_signing import FORGED_GRANTS, SECRET
from tests.auth.town import opened_town, settings_of

pytestmark = pytest.mark.anyio

URL, KEYS = "/api/tokens", "/api/admin/api-keys"


def as_key(key):
    return {"X-API-Key": key.key}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def made(town, key, **wanted):
    answer = await town.post(URL, {"filter": {}, **wanted}, headers=as_key(key))
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"token", "expires_at"}
    return answer.json()["token"]


async def caller(town, token):
    town.forget()
    return await town.authenticator.caller_with(token.encode())


async def refused(town, token):
    with pytest.raises(InvalidCredentials):
        await caller(town, token)
    return True


class TestAToken:
    async def test_is_the_organization_of_its_key_and_reads_and_searches(self, town, tenant):
        key = await given_key(town.database, tenant, name="Website", rate_limit=7)

        found = await caller(town, await made(town, key))

        assert (found.tenant, found.name, found.scopes) == (tenant, "Website", {"read", "search"})
        assert (found.payer, found.rate_limit) == (f"key:{key.id}", 7)
        assert found.access == Access(readers=frozenset())

    async def test_reaches_what_both_its_filter_and_its_key_allow(self, town, tenant):
        group, ours, theirs = uuid4(), uuid4(), uuid4()
        key = await given_key(town.database, tenant, tags=["public"], collections=[ours], groups=[group])
        documents = [uuid4(), uuid4()]
        filters = {
            "tags": ["leases", "plans"],
            "document_ids": [str(one) for one in documents],
            "collections": [str(ours), str(theirs)],
        }

        found = await caller(town, await made(town, key, filter=filters))

        assert found.access == Access(
            tags=(frozenset({"public"}), frozenset({"leases", "plans"})),
            collections=frozenset({ours}),
            documents=frozenset(documents),
            readers=frozenset({f"group:{group}"}),
        )

    async def test_holds_what_was_asked_for_and_its_key_holds(self, town, tenant):
        writer = await given_key(town.database, tenant, ["write", "search"])
        admin = await given_key(town.database, tenant, ["admin"])

        assert (await caller(town, await made(town, writer))).scopes == {"search"}
        assert (await caller(town, await made(town, writer, scopes=["write"]))).scopes == {"write"}
        assert (await caller(town, await made(town, admin))).scopes == {"read", "search"}
        assert (await caller(town, await made(town, admin, scopes=["read", "write"]))).scopes == {"read", "write"}

    async def test_says_whom_it_was_made_for(self, town, tenant):
        key = await given_key(town.database, tenant)

        first = await caller(town, await made(town, key, subject="customer 1"))
        again = await caller(town, await made(town, key, subject="customer 1", expires_in=60))
        other = await caller(town, await made(town, key, subject="customer 2"))

        assert (first.name, other.name) == ("customer 1", "customer 2")
        # What repeated requests are answered with is kept by subject: neither another token's nor the key's.
        assert first.subject == again.subject
        assert len({first.subject, other.subject, f"key:{key.id}"}) == 3

    async def test_is_known_without_the_database_for_two_seconds(self, town, tenant):
        token = await made(town, await given_key(town.database, tenant))
        database, clock = counted(town.database), Clock()
        authenticator = Authenticator(database, town.desk.ring, clock=clock)

        callers = await asyncio.gather(*(authenticator.caller_with(token.encode()) for _ in range(20)))
        clock.time += 1.9
        await authenticator.caller_with(token.encode())

        await authenticator.close()
        assert len(set(callers)) == 1
        assert database.looked_up == 1

    async def test_counts_as_a_use_of_its_key(self, town, tenant):
        key = await given_key(town.database, tenant)

        await caller(town, await made(town, key))
        await town.authenticator.close()

        answer = await town.http.get(f"{KEYS}/{key.id}", headers=await town.key(tenant))
        assert datetime.fromisoformat(answer.json()["last_used_at"]) > now() - timedelta(minutes=1)


class TestTheEnd:
    async def test_comes_with_its_own_expiry(self, town, tenant):
        key = await given_key(town.database, tenant)
        answer = await town.post(URL, {"filter": {}, "expires_in": 60}, headers=as_key(key))

        end = datetime.fromisoformat(answer.json()["expires_at"])

        assert timedelta(seconds=58) < end - now() <= timedelta(seconds=60)
        assert (await caller(town, answer.json()["token"])).tenant == tenant
        assert await refused(town, FORGED_GRANTS["expired"])

    async def test_is_not_later_than_that_of_the_key(self, town, tenant):
        soon = now() + timedelta(minutes=5)
        key = await given_key(town.database, tenant, expires_at=soon)

        answer = await town.post(URL, {"filter": {}, "expires_in": 3600}, headers=as_key(key))

        assert datetime.fromisoformat(answer.json()["expires_at"]) == soon.replace(microsecond=0)

    async def test_comes_when_the_key_is_revoked_or_expires(self, town, tenant):
        revoked, expired = await given_key(town.database, tenant), await given_key(town.database, tenant)
        tokens = [await made(town, key) for key in (revoked, expired)]

        await revoke(town.database, tenant, revoked.id)
        await change(town.database, tenant, expired.id, "expires_at = %(at)s", at=now() - timedelta(seconds=1))

        assert [await refused(town, token) for token in tokens] == [True, True]

    async def test_comes_when_the_organization_is_disabled(self, town, tenant):
        token = await made(town, await given_key(town.database, tenant))

        await enable(town.database, tenant, False)

        with pytest.raises(OrganizationDisabled):
            await caller(town, token)

    async def test_follows_what_the_key_may_do_now(self, town, tenant):
        key, admin = await given_key(town.database, tenant), await town.key(tenant)
        token = await made(town, key, scopes=["read", "search", "write"])

        change = {"scopes": ["search"], "tags": ["public"], "rate_limit": 3}
        assert (await town.http.patch(f"{KEYS}/{key.id}", headers=admin, json=change)).status_code == 200

        found = await caller(town, token)
        assert (found.scopes, found.rate_limit) == ({"search"}, 3)
        assert found.access == Access(tags=(frozenset({"public"}),), readers=frozenset())

    async def test_never_began_where_the_key_is_of_another_organization(self, database, links, tenant, stranger):
        """Signed with the right key, but for a key of somebody else: what only a mistake of ours would make."""
        async with opened_town(database, settings_of(secret=SECRET)) as town:
            key = await given_key(database, tenant)
            found = grants.read(town.desk.ring, (await made(town, key)).encode())
            assert found is not None
            grant, end = found

            moved = replace(grant, tenant=stranger)

            assert (await caller(town, grant.signed(town.desk.ring, now(), end))).tenant == tenant
            assert await refused(town, moved.signed(town.desk.ring, now(), end))


class TestWithAToken:
    async def test_nobody_makes_tokens_or_keys(self, town, tenant):
        token = await made(town, await given_key(town.database, tenant, ["admin"]), scopes=["read", "search", "write"])

        answers = [
            await town.post(URL, {"filter": {}}, headers=bearer(token)),
            await town.post(KEYS, {"name": "x"}, headers=bearer(token)),
            await town.http.get(KEYS, headers=bearer(token)),
            await town.http.get("/api/auth/me", headers=bearer(token)),
        ]

        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(403, "forbidden")] * 4

    async def test_nobody_gets_in_who_forged_it(self, database, links):
        told = set()
        async with opened_town(database, settings_of(secret=SECRET)) as town:
            for name, forged in FORGED_GRANTS.items():
                header = f"Bearer {forged}".encode("latin-1").replace(b"\n", b" ")
                answer = await town.http.post(URL, headers={b"Authorization": header}, json={"filter": {}})
                assert answer.status_code == 401, name
                told.add((answer.json()["code"], answer.json()["detail"]))

        assert len(told) == 1


class TestMaking:
    async def test_needs_a_key_that_reads_or_searches(self, town, tenant):
        lina = await town.register()
        answers = [
            await town.post(URL, {"filter": {}}),
            await town.post(URL, {"filter": {}}, headers=as_key(await given_key(town.database, tenant, ["write"]))),
            await lina.call("POST", URL, json={"filter": {}}),
        ]

        assert [answer.status_code for answer in answers] == [401, 403, 403]
        for scope in ("read", "search"):
            await made(town, await given_key(town.database, tenant, [scope]))

    async def test_passes_on_no_scope_that_the_key_lacks(self, town, tenant):
        key = await given_key(town.database, tenant, ["read"])

        answer = await town.post(URL, {"filter": {}, "scopes": ["read", "write"]}, headers=as_key(key))

        assert (answer.status_code, answer.json()["code"], answer.json()["scope"]) == (403, "scope-not-held", "write")

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"filter": None},
            {"filter": []},
            {"filter": {"tags": []}},
            {"filter": {"tags": [""]}},
            {"filter": {"tags": ["a\u0000"]}},
            {"filter": {"tags": ["x" * 101]}},
            {"filter": {"tags": "a"}},
            {"filter": {"document_ids": ["all"]}},
            {"filter": {"document_ids": []}},
            {"filter": {"collections": [1]}},
            {"filter": {"collections": [str(uuid4()) for _ in range(51)]}},
            {"filter": {"readers": ["user:1"]}},
            {"filter": {}, "scopes": []},
            {"filter": {}, "scopes": ["admin"]},
            {"filter": {}, "scopes": ["token"]},
            {"filter": {}, "scopes": ["operator"]},
            {"filter": {}, "expires_in": 0},
            {"filter": {}, "expires_in": -1},
            {"filter": {}, "expires_in": 86401},
            {"filter": {}, "expires_in": 1.5},
            {"filter": {}, "expires_in": "60"},
            {"filter": {}, "expires_in": True},
            {"filter": {}, "subject": "x" * 201},
            {"filter": {}, "subject": "two\nlines"},
            {"filter": {}, "subject": "\u202etxt"},
            {"filter": {}, "tenant_id": str(uuid4())},
            {"filter": {}, "key": str(uuid4())},
            {"filter": {}, "rate_limit": 1},
            {"filter": {}, "operator": True},
        ],
    )
    async def test_refuses_what_no_token_can_be(self, town, tenant, body):
        answer = await town.post(URL, body, headers=as_key(await given_key(town.database, tenant)))

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")

    async def test_refuses_lone_surrogates(self, town, tenant):
        headers = {**as_key(await given_key(town.database, tenant)), "Content-Type": "application/json"}

        for part in (b'"subject": "\\ud800", "filter": {}', b'"filter": {"tags": ["\\udfff"]}'):
            answer = await town.http.post(URL, headers=headers, content=b"{" + part + b"}")
            assert answer.status_code in {400, 422}

    async def test_refuses_what_fits_into_no_header(self, town, tenant):
        wanted = {"filter": {"tags": [f"{number:02}" + "\U0001f4da" * 98 for number in range(50)]}}

        answer = await town.post(URL, wanted, headers=as_key(await given_key(town.database, tenant)))

        assert (answer.status_code, answer.json()["code"]) == (422, "token-too-long")
        assert "collection" in answer.json()["hint"]

    async def test_takes_fifty_documents(self, town, tenant):
        wanted = {"document_ids": [str(uuid4()) for _ in range(50)]}

        token = await made(town, await given_key(town.database, tenant), filter=wanted, subject="ü" * 50)

        assert len((await caller(town, token)).access.documents) == 50
