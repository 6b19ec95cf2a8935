from dataclasses import asdict
from typing import get_args

from carrel.tenants.schemas import Quota, TierName
from carrel.tenants.tiers import TIERS


def test_every_tier_has_its_quotas():
    assert set(TIERS) == set(get_args(TierName))


def test_the_quotas_are_those_that_were_promised():
    gigabyte = 1024

    assert TIERS["free"] == Quota(100, 100, 1_000)
    assert TIERS["standard"] == Quota(10_000, 10 * gigabyte, 100_000)
    assert TIERS["enterprise"] == Quota(1_000_000, 1024 * gigabyte, 10_000_000)
    assert set(asdict(TIERS["unlimited"]).values()) == {None}


def test_an_organisation_without_a_tier_has_quotas_of_its_own():
    assert Quota() == Quota(10_000, 10_240, 10_000)
