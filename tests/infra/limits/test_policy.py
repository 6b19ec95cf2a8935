"""Who pays what."""

from dataclasses import dataclass
from uuid import UUID

import pytest

from carrel.core.ids import TenantId, uuid7
from carrel.infra.limits import CLASSES, MemoryBuckets, class_of
from carrel.infra.limits.policy import charge_of, charges_of

TENANT = TenantId(UUID("0198c5a0-0000-7000-8000-000000000000"))


@dataclass
class Caller:
    tenant: TenantId = TENANT
    payer: str = "key:1"
    scopes: frozenset[str] = frozenset({"read", "write", "search"})
    multiplier: float | None = None
    rate_limit: float | None = None
    tenant_rate: float | None = None


def accepted(caller: Caller, scope: str, *, is_file: bool = False, of: int = 1000, place: MemoryBuckets | None = None):
    buckets = MemoryBuckets(clock=lambda: 0.0) if place is None else place
    charges = charges_of(caller, class_of(scope, is_file=is_file), 100)
    return sum(buckets.take_now(charges).allowed for _ in range(of))


@pytest.mark.parametrize(
    ("scope", "is_file", "calls"),
    [("read", False, 100), ("search", False, 100), ("write", False, 40), ("write", True, 12), ("admin", False, 30)],
)
def test_a_minute_has_room_for_so_many_calls_of_a_class(scope, is_file, calls):
    assert accepted(Caller(), scope, is_file=is_file) == calls


def test_whoever_uploads_all_the_time_leaves_room_for_searches():
    place = MemoryBuckets(clock=lambda: 0.0)

    uploads = accepted(Caller(), "write", is_file=True, place=place)

    assert accepted(Caller(), "search", place=place) == 100 - 5 * uploads == 40


def test_the_keys_of_an_organisation_share_its_bucket():
    place = MemoryBuckets(clock=lambda: 0.0)

    assert sum(accepted(Caller(payer=f"key:{n}"), "read", of=10, place=place) for n in range(30)) == 100


def test_organisations_do_not_share():
    place = MemoryBuckets(clock=lambda: 0.0)
    accepted(Caller(), "read", place=place)

    assert accepted(Caller(tenant=TenantId(uuid7())), "read", place=place) == 100


@pytest.mark.parametrize("multiplier", [10, 100])
def test_a_tier_multiplies_what_its_user_may_ask_for(multiplier):
    assert accepted(Caller(multiplier=multiplier), "search", of=20_000) == 100 * multiplier


def test_operators_without_a_tier_may_ask_a_thousand_times_as_often():
    operator = Caller(scopes=frozenset({"admin", "operator"}))

    assert charges_of(operator, class_of("write", is_file=True), 100)[0].capacity == 100_000
    # Five thousand files at once, as `carrel ingest` sends them.
    assert accepted(operator, "write", is_file=True, of=5000) == 5000


def test_an_operator_with_a_tier_has_that_tier():
    assert accepted(Caller(scopes=frozenset({"admin", "operator"}), multiplier=1), "read") == 100


def test_administering_an_organisation_raises_none_of_its_limits():
    assert accepted(Caller(scopes=frozenset({"admin"})), "read") == 100


def test_an_organisation_may_have_a_limit_of_its_own_which_tiers_multiply():
    assert accepted(Caller(tenant_rate=250), "read") == 250
    assert accepted(Caller(tenant_rate=250, multiplier=10), "read", of=5000) == 2500


def test_a_key_with_a_limit_of_its_own_stops_there_and_the_others_go_on():
    place = MemoryBuckets(clock=lambda: 0.0)

    assert accepted(Caller(rate_limit=7), "read", place=place) == 7
    assert accepted(Caller(payer="key:2"), "read", place=place) == 93


def test_the_limit_of_a_key_does_not_raise_that_of_its_organisation():
    assert accepted(Caller(rate_limit=500), "read") == 100


def test_no_multiplier_raises_the_limit_of_a_key():
    assert accepted(Caller(rate_limit=7, scopes=frozenset({"operator"})), "read") == 7


def test_the_buckets_of_an_organisation_have_one_place_in_a_cluster():
    charges = charges_of(Caller(rate_limit=7), class_of("write", is_file=True), 100)

    assert [charge.name for charge in charges] == ["tenant", "upload", "key"]
    assert {charge.key.partition("{")[2].partition("}")[0] for charge in charges} == {TENANT.hex}
    assert len({charge.key for charge in charges}) == 3


def test_every_class_can_be_paid_for_from_a_full_bucket():
    for scope in CLASSES:
        kind = class_of(scope, is_file=False)
        assert kind.cost <= 100 * kind.share


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("unknown", "unknown", True),
    ],
)
def test_one_subscriber_has_one_bucket(one, other, same):
    assert (charge_of(one, 30).key == charge_of(other, 30).key) is same
