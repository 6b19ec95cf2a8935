from carrel.auth.audit_sampling import Sampler
from tests.auth.givens import Clock


def test_one_of_a_kind_comes_through_in_a_window():
    clock = Clock()
    sampler = Sampler(60, clock=clock)

    taken = [sampler.take("acme", "a"), sampler.take("acme", "a"), sampler.take("acme", "b")]
    clock.time += 60

    assert taken == [True, False, True]
    assert sampler.take("acme", "a")


def test_something_of_two_kinds_comes_through_when_neither_has_come():
    sampler = Sampler(60, clock=Clock())

    assert sampler.take("", "address 1", "key 1")
    assert not sampler.take("", "address 1", "key 2")
    assert not sampler.take("", "address 2", "key 1")
    assert sampler.take("", "address 2", "key 2")


def test_a_flood_of_kinds_is_cut_and_takes_nothing_from_others():
    clock = Clock()
    sampler = Sampler(60, 5, clock=clock)

    flood = [sampler.take("loud", str(number)) for number in range(1000)]

    assert sum(flood) == 5
    assert sampler.take("quiet", "something")
    clock.time += 61
    assert sampler.take("loud", "something")


def test_text_of_any_kind_can_be_a_kind():
    assert Sampler(60, clock=Clock()).take("", "\ud800\x00")
