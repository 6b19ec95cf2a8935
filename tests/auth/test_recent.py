from collections import OrderedDict

from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.auth.recent import Recent


class Clock:
    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


def test_a_value_is_there_until_its_moment_and_gone_at_it():
    clock = Clock()
    recent: Recent[str] = Recent(2, clock)
    recent.put(b"a", "x", until=2.0)

    clock.time = 1.999
    assert recent.get(b"a") == "x"
    clock.time = 2.0
    assert recent.get(b"a") is None
    assert len(recent) == 0


def test_asking_does_not_make_a_value_live_longer():
    clock = Clock()
    recent: Recent[str] = Recent(2, clock)
    recent.put(b"a", "x", until=2.0)
    for clock.time in (0.5, 1.0, 1.5, 1.9):
        assert recent.get(b"a") == "x"

    clock.time = 2.1
    assert recent.get(b"a") is None


def test_the_one_that_was_not_asked_for_longest_goes_first():
    recent: Recent[int] = Recent(2, Clock())
    recent.put(b"a", 1, until=9)
    recent.put(b"b", 2, until=9)
    recent.get(b"a")

    recent.put(b"c", 3, until=9)

    assert (recent.get(b"a"), recent.get(b"b"), recent.get(b"c")) == (1, None, 3)


keys = st.sampled_from([bytes([number]) for number in range(8)])
operations = st.lists(st.tuples(st.sampled_from(["get", "put"]), keys, st.integers(0, 5)), max_size=60)


@settings(deadline=None)
@given(operations, st.integers(1, 5))
def test_it_behaves_like_a_list_that_is_kept_in_order_by_hand(operations, limit):
    clock = Clock()
    recent: Recent[int] = Recent(limit, clock)
    model: OrderedDict[bytes, tuple[float, int]] = OrderedDict()
    for step, (operation, key, life) in enumerate(operations):
        clock.time = float(step)
        if operation == "put":
            recent.put(key, step, until=step + life)
            model.pop(key, None)
            model[key] = (step + life, step)
            if len(model) > limit:
                model.popitem(last=False)
            continue
        until, value = model.get(key, (0, 0))
        expected = value if until > step else None
        assert recent.get(key) == expected
        if expected is None:
            model.pop(key, None)
        else:
            model.move_to_end(key)
        assert len(recent) == len(model) <= limit
