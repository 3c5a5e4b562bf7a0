"""Events a second of simulated sessions beside the exchange of the stories, which is plain Python.

Run with `pytest tests/bench -o python_files='bench_*.py' --benchmark-enable`. Nothing of the compiled kernels'
first start is timed: a session of a second goes before. The yardstick plays the same profile without plants.
"""

from __future__ import annotations

import time

import msgspec
import pytest

from feeds.simulator.flow import Flow
from feeds.simulator.market import Market
from feeds.simulator.markets import MARKETS
from feeds.simulator.profiles import Phase
from feeds.simulator.projectors import depth_of, to_b, to_c
from feeds.simulator.tape import MINUTE_NS, generate, plan

MINUTES = 30
ORDER = {"seed": 3, "minutes": MINUTES, "plants": ("iceberg",)}


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    generate(seed=1, minutes="0.02", plants=("iceberg",))


def kernels():
    """The market alone: rows taken, none put together."""
    planned, _ = plan(3, MINUTES * MINUTE_NS, 30, ("iceberg",))
    market = Market(MARKETS["futures"], 3, planned, negatives=True)
    return sum(len(rows) for rows in market.run(MINUTES * MINUTE_NS))


def plain(minutes=1):
    profile = msgspec.structs.replace(MARKETS["futures"], opening=(Phase(seconds=86_400),))
    flow = Flow(profile, 3)
    flow.run(profile.start_ns + minutes * MINUTE_NS)
    return len(flow.give())


@pytest.mark.parametrize("tier", ["A", "B", "C"])
def test_a_session_with_icebergs_and_negatives(benchmark, tier):
    benchmark.group = "generate"
    benchmark.pedantic(lambda: generate(**ORDER, tier=tier), rounds=5, warmup_rounds=1)


def test_the_market_alone(benchmark):
    benchmark.group = "generate"
    benchmark.pedantic(kernels, rounds=5, warmup_rounds=1)


def test_plain_python(benchmark):
    benchmark.group = "generate"
    benchmark.pedantic(plain, rounds=3)


@pytest.mark.parametrize("name", ["levels", "b", "c"])
def test_projectors(benchmark, name):
    rows = generate(**ORDER).events
    rows = rows[rows["kind"] != 10]
    projector = {"levels": depth_of, "b": to_b, "c": lambda tape: to_c(tape, 100, 3)}[name]
    benchmark.group = f"{len(rows):,} rows"
    benchmark.pedantic(lambda: projector(rows), rounds=5, warmup_rounds=1)


def rate(make, rounds=3):
    """The best of some rounds, events a second of CPU time."""
    best = 0.0
    for _ in range(rounds):
        start = time.process_time()
        count = make()
        best = max(best, count / (time.process_time() - start))
    return best


def test_a_million_events_a_second(capsys):
    whole = rate(lambda: len(generate(**ORDER).events))
    market, slow = rate(kernels), rate(plain, 1)
    rows = generate(**ORDER).events
    rows = rows[rows["kind"] != 10]
    found = {
        "generate, tier A, icebergs and negatives": whole,
        "the market's kernels alone": market,
        "plain Python exchange and flow": slow,
        "projecting to levels by message (B)": rate(lambda: len(to_b(rows)) and len(rows)),
        "projecting to levels by interval (C)": rate(lambda: len(to_c(rows, 100, 3)) and len(rows)),
    }
    with capsys.disabled():
        print()
        for name, value in found.items():
            print(f"{name:45}{value / 1e6:8.2f} M events/s {value / slow:8.1f} x plain Python")
    assert whole >= 1_000_000
