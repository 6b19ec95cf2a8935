from bench.client import Load
from bench.search import _load, _summed, _tables


def given_times(**medians):
    return {name: [value] * 5 for name, value in medians.items()}


def given_figures(cached=None):
    alone = given_times(hybrid=6.0, keyword=3.0, semantic=4.0, inside=5.0, trivial=0.5, encoder=1.0, statements=2.0)
    load = _load([Load(seconds=1.0, latencies=[1.0, 2.0, 3.0], client_cpu_ms=0.1)])
    return {
        "chunks": 100,
        **_summed(alone),
        "clients_8": load,
        "clients_32": load,
        "rate_32_over_8": 1.0,
        "floor": load,
        "admission_us": {"key": 5.0, "limits": 10.0, "unit": 200.0, "sum": 215.0, "bar": 500.0},
        "cached": cached,
        "cached_over_floor": 0.7 if cached else None,
    }


def test_a_search_is_held_against_the_sum_of_its_parts():
    figures = given_figures()

    assert figures["hybrid_over_parts"] == 2.0
    assert figures["alone"]["hybrid"] == {"p50_ms": 6.0, "p95_ms": 6.0}


def test_a_load_is_the_median_of_its_turns():
    turns = [Load(seconds=seconds, latencies=[seconds] * 10, client_cpu_ms=0.1) for seconds in (1.0, 2.0, 10.0)]

    assert _load(turns)["rate"] == 5.0
    assert _load(turns)["p99_ms"] == 2.0


def test_a_server_without_a_cache_is_said_to_have_none():
    first, second, _ = _tables(given_figures())

    assert "| hybrid / (encoder + statements), bar 2 | 2 | - |" in first
    assert "no cache yet" in second


def test_repeated_searches_are_held_against_the_bare_route():
    _, loads, _ = _tables(
        given_figures(cached={"rate": 900.0, "p50_ms": 1.0, "p99_ms": 2.0, "client_cpu_ms": 0.1, "server_cpu_ms": None})
    )

    assert "| repeated / bare route | 0.7 |" in loads
    assert "no cache yet" not in loads


def test_the_cost_of_letting_a_search_in_is_held_against_its_bar():
    _, _, admission = _tables(given_figures())

    assert "| all of it | 215 |" in admission
    assert "| bar 500: all of it | kept |" in admission
