"""Making, listing, changing and disabling organisations, as operators do it over HTTP."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from carrel.core.ids import TenantId
from carrel.tenants.schemas import Quota
from carrel.tenants.tiers import TIERS
from tests.admin.conftest import ALL, Operator
from tests.house import KEY, Organisation, problem

pytestmark = pytest.mark.anyio

QUOTAS = ("max_documents", "max_storage_mb", "max_searches_per_day")


def quotas(organization: dict[str, Any]) -> Quota:
    return Quota(**{name: organization[name] for name in QUOTAS})


async def default(operator: Operator) -> dict[str, Any]:
    [found] = (await operator.get(ALL, q="default"))["data"]
    return dict(found)


class TestMaking:
    async def test_without_a_tier_gives_the_quotas_of_always(self, operator):
        made = (await operator.make(name="  Acme  "))["organization"]

        assert (made["name"], made["tier"], quotas(made)) == ("Acme", "standard", Quota())
        assert (made["enabled"], made["erasing"], made["rate_limit_per_minute"]) == (True, False, None)
        assert await operator.get(f"{ALL}/{made['id']}") == made

    @pytest.mark.parametrize("tier", list(TIERS))
    async def test_with_a_tier_gives_its_quotas(self, operator, tier):
        made = (await operator.make(tier=tier))["organization"]

        assert (made["tier"], quotas(made)) == (tier, TIERS[tier])

    async def test_takes_quotas_that_are_spelt_out_before_those_of_the_tier(self, operator):
        made = (await operator.make(tier="free", max_documents=7, max_storage_mb=None, metadata={"crm": 12}))[
            "organization"
        ]

        assert quotas(made) == Quota(7, None, 1_000)
        assert made["metadata"] == {"crm": 12}

    async def test_hands_over_a_key_that_administers_it_and_nothing_else(self, operator, home):
        made = await operator.make(with_key=True)

        headers = {KEY: made["key"]}
        own = await home.http.get("/api/organization", headers=headers)
        keys = await home.http.get("/api/admin/api-keys", headers=headers)
        assert own.json()["id"] == made["organization"]["id"]
        assert [key["scopes"] for key in keys.json()["data"]] == [["admin"]]
        assert problem(await home.http.get(ALL, headers=headers), 403)["scope"] == "operator"

    async def test_repeats_no_key(self, operator, home):
        headers = {KEY: operator.key, "Idempotency-Key": uuid4().hex}
        body = {"name": "Acme", "slug": f"acme-{uuid4().hex}", "with_key": True}

        first = await home.http.post(ALL, headers=headers, json=body)
        again = await home.http.post(ALL, headers=headers, json=body)

        assert first.status_code == 201
        assert problem(again, 409)["code"] == "secret-not-repeatable"
        assert first.json()["key"] not in again.text

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"slug": "Acme"}, "invalid-slug"),
            ({"slug": "аcme"}, "invalid-slug"),
            ({"slug": "a--b"}, "invalid-slug"),
            ({"slug": "x" * 64}, "invalid-slug"),
            ({"slug": "admin"}, "slug-reserved"),
            ({"slug": "default"}, "slug-reserved"),
            ({"name": ""}, "invalid-request"),
            ({"name": "   "}, "invalid-request"),
            ({"name": "a\u202eb"}, "invalid-request"),
            ({"name": "a\nb"}, "invalid-request"),
            ({"name": "x" * 201}, "invalid-request"),
            ({"tier": "gold"}, "invalid-request"),
            ({"max_documents": -1}, "invalid-request"),
            ({"max_storage_mb": 2**41}, "invalid-request"),
            ({"max_searches_per_day": 10**16}, "invalid-request"),
            ({"rate_limit_per_minute": 0}, "invalid-request"),
            ({"metadata": {"a": {"b": 1}}}, "invalid-request"),
            ({"metadata": {"a": "x" * 1001}}, "invalid-request"),
            ({"id": str(uuid4())}, "invalid-request"),
            ({"enabled": False}, "invalid-request"),
        ],
    )
    async def test_refuses_what_makes_no_sense_with_a_reason(self, operator, fields, code):
        answer = await operator.call("POST", ALL, json={"name": "Acme", "slug": f"a-{uuid4().hex}", **fields})

        assert problem(answer, 422)["code"] == code

    async def test_refuses_a_slug_that_is_taken(self, operator):
        made = (await operator.make())["organization"]

        answer = await operator.call("POST", ALL, json={"name": "Other", "slug": made["slug"]})

        assert problem(answer, 409)["code"] == "slug-taken"


class TestListing:
    async def test_walks_over_all_that_fit_the_filters(self, operator):
        stem = f"walk-{uuid4().hex[:8]}"
        for number in range(5):
            await operator.make(slug=f"{stem}-{number}", tier="free" if number % 2 else "enterprise")

        first = await operator.get(ALL, q=stem, limit=2)
        second = await operator.get(ALL, q=stem, limit=2, cursor=first["next_cursor"])
        third = await operator.get(ALL, q=stem, limit=2, cursor=second["next_cursor"])

        found = [one["slug"] for page in (first, second, third) for one in page["data"]]
        assert found == [f"{stem}-{number}" for number in (4, 3, 2, 1, 0)]
        assert not third["has_more"]
        assert (await operator.get(ALL, q=stem, tier="free", offset=0))["total"] == 2

    async def test_tells_the_disabled_from_the_others(self, operator):
        made = (await operator.make())["organization"]
        await operator.change(made["id"], enabled=False)

        assert (await operator.get(ALL, q=made["slug"], enabled=True))["data"] == []
        assert len((await operator.get(ALL, q=made["slug"], enabled=False))["data"]) == 1

    async def test_takes_signs_of_patterns_as_they_are(self, operator):
        assert (await operator.get(ALL, q="%"))["data"] == []


class TestChanging:
    async def test_changes_what_is_said_and_leaves_the_rest(self, operator):
        made = (await operator.make(tier="free", metadata={"a": 1}))["organization"]

        changed = (await operator.change(made["id"], name="Acme 2", max_documents=5)).json()

        assert changed == {**made, "name": "Acme 2", "max_documents": 5}
        assert await operator.get(f"{ALL}/{made['id']}") == changed

    async def test_of_the_tier_brings_its_quotas_but_for_those_beside_it(self, operator):
        made = (await operator.make(max_documents=3))["organization"]

        changed = (await operator.change(made["id"], tier="enterprise", max_storage_mb=None)).json()

        assert quotas(changed) == Quota(1_000_000, None, 10_000_000)

    async def test_of_the_slug_frees_the_old_one_and_refuses_a_taken_one(self, operator):
        one, other = [(await operator.make())["organization"] for _ in range(2)]

        taken = await operator.change(one["id"], slug=other["slug"])
        free = await operator.change(one["id"], slug=f"{one['slug']}-2")
        await operator.make(slug=one["slug"])

        assert problem(taken, 409)["code"] == "slug-taken"
        assert free.status_code == 200

    async def test_sets_and_takes_back_a_rate_limit(self, operator):
        made = (await operator.make(rate_limit_per_minute=50))["organization"]

        kept = (await operator.change(made["id"], name="Same")).json()
        dropped = (await operator.change(made["id"], rate_limit_per_minute=None)).json()

        assert (kept["rate_limit_per_minute"], dropped["rate_limit_per_minute"]) == (50, None)

    @pytest.mark.parametrize("field", ["id", "created_at", "erasing", "tenant_id", "operator"])
    async def test_takes_nothing_that_is_not_for_changing(self, operator, field):
        made = (await operator.make())["organization"]

        assert problem(await operator.change(made["id"], **{field: True}), 422)["code"] == "invalid-request"

    async def test_of_what_is_not_there_is_not_found(self, operator):
        assert problem(await operator.change(uuid4(), name="Nobody"), 404)["code"] == "organization-not-found"

    async def test_by_many_at_once_loses_nothing(self, operator):
        made = (await operator.make())["organization"]
        fields: list[dict[str, Any]] = [
            {"max_documents": 1},
            {"max_storage_mb": 2},
            {"max_searches_per_day": 3},
            {"name": "Four"},
        ]

        await asyncio.gather(*(operator.change(made["id"], **one) for one in fields))

        found = await operator.get(f"{ALL}/{made['id']}")
        assert (quotas(found), found["name"]) == (Quota(1, 2, 3), "Four")


class TestDisabling:
    async def test_refuses_every_key_within_five_seconds_and_gives_all_back_later(
        self, operator: Operator, acme: Organisation
    ):
        assert (await acme.call("GET", "/api/documents", scope="read")).status_code == 200

        await operator.change(acme.tenant, enabled=False)

        async with asyncio.timeout(5):
            while (answer := await acme.call("GET", "/api/documents", scope="read")).status_code == 200:
                await asyncio.sleep(0.05)
        assert problem(answer, 403)["code"] == "organization-disabled"
        assert problem(await acme.call("POST", "/api/search", json={"query": "x"}), 403)
        await operator.change(acme.tenant, enabled=True)
        async with asyncio.timeout(5):
            while (await acme.call("GET", "/api/documents", scope="read")).status_code != 200:
                await asyncio.sleep(0.05)

    async def test_lets_what_was_accepted_be_finished(self, operator, home, acme):
        document = await acme.add("Accepted before.")
        await operator.change(acme.tenant, enabled=False)

        async with home.working():
            await operator.change(acme.tenant, enabled=True)
            await asyncio.sleep(1.1)
            assert (await acme.ended(document["id"]))["status"] == "indexed"

    async def test_is_not_for_the_default_organisation(self, operator):
        home = await default(operator)

        for fields in ({"enabled": False}, {"slug": "another"}):
            assert problem(await operator.change(home["id"], **fields), 409)["code"] == "default-organization"
        renamed = await operator.change(home["id"], name="House", enabled=True, slug="default")
        assert renamed.status_code == 200


class TestUsage:
    async def test_shows_an_operator_what_an_organisation_sees_itself(self, operator, acme):
        await acme.add("Some text.")
        await acme.search("text")

        own = [await acme.get(f"/api/organization/usage{part}") for part in ("", "/history")]
        shown = [await operator.get(f"{ALL}/{acme.tenant}/usage{part}") for part in ("", "/history")]

        assert own == shown
        assert shown[0]["documents"] == shown[0]["searches_today"] == 1

    @pytest.mark.parametrize("part", ["", "/usage", "/usage/history"])
    async def test_of_what_is_not_there_is_not_found(self, operator, part):
        answer = await operator.call("GET", f"{ALL}/{TenantId(uuid4())}{part}")

        assert problem(answer, 404)["code"] == "organization-not-found"
