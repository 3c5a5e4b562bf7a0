"""The trailing stop never loosens, is what brute force says, and no print moves it."""

from __future__ import annotations

import itertools
import math
import os
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.events import NONE
from feeds.instruments import Instrument
from feeds.script import events
from tapeview.desk.limits import Limits
from tapeview.desk.trailing import RANGE, TRAIL, MinuteRange, Trail, range_step, trail_step, usable
from tapeview.engine import Engine
from tapeview.engine.state import BAR

S, MIN = 10**9, 60 * 10**9
PLAIN = Limits(trail_k=0, trail_ticks=4, trail_step_ms=0)


def test_a_long_trails_by_its_ticks_once_it_is_an_r_in_favour():
    trail = Trail(1, 100, 90, MinuteRange(PLAIN), PLAIN)
    for at, bid, stop in [(1, 105, 90), (2, 109, 90), (3, 110, 106), (4, 108, 106), (5, 115, 111), (6, 112, 111)]:
        trail.quote(at * S, bid, bid + 1)
        assert trail.stop == stop
    assert trail.armed


def test_a_short_is_the_same_in_the_mirror():
    trail = Trail(-1, 100, 110, MinuteRange(PLAIN), PLAIN)
    for at, ask, stop in [(1, 91, 110), (2, 90, 94), (3, 92, 94), (4, 85, 89)]:
        trail.quote(at * S, ask - 1, ask)
        assert trail.stop == stop


def test_it_never_moves_to_within_a_tick_of_the_bid():
    limits = Limits(trail_k=0, trail_ticks=1, trail_step_ms=0)
    trail = Trail(1, 100, 99, MinuteRange(limits), limits)
    trail.quote(S, 110, 111)
    assert trail.stop == 108


def test_one_bad_print_fifty_ticks_away_moves_nothing():
    """The real book: the print comes, the quotes stay."""
    script = (
        "[ b100:9 a101:9 ] ~1000 [ b106:9 b100:0 a107:9 a101:0 ] ~500 +156:3 ~500 -56:3 ~500 [ b107:2 a108:9 a107:0 ]"
    )
    engine = Engine(Instrument(venue="test", symbol="X", tick="1"))
    trail, stops, prints = Trail(1, 100, 96, MinuteRange(PLAIN), PLAIN), [], 0
    for row in engine.apply(events(script)).frame:
        trail.quote(int(row["recv_ns"]), int(row["bid"]), int(row["ask"]))
        if row["print"] != 255:
            prints += 1
            stops.append(trail.stop)
    assert prints == 2
    assert stops == [102, 102]
    assert trail.stop == 103


@pytest.mark.parametrize(
    ("ns", "bid", "ask"), [(5 * S, 160, 150), (5 * S, 160, 160), (5 * S, 160, NONE), (5 * S, NONE, 160), (S, 160, 161)]
)
def test_crossed_half_empty_and_late_quotes_move_nothing(ns, bid, ask):
    trail = Trail(1, 100, 96, ranges := MinuteRange(PLAIN), PLAIN)
    trail.quote(2 * S, 110, 111)
    before = trail.memory.copy(), ranges.memory.copy()
    assert trail.quote(ns, bid, ask) is None
    assert trail.memory == before[0]
    ranges.quote(2 * S, 110, 111)
    kept = ranges.memory.copy()
    ranges.quote(ns, bid, ask)
    assert ranges.memory == kept


def test_a_locked_book_counts_where_that_is_legal():
    trail = Trail(1, 100, 96, MinuteRange(PLAIN, locked_ok=True), PLAIN)
    trail.quote(S, 110, 110)
    assert trail.stop == 106


def test_amends_are_suggested_a_tick_and_a_quarter_of_a_second_apart():
    limits = Limits(trail_k=0, trail_ticks=4)
    trail = Trail(1, 100, 96, MinuteRange(limits), limits)
    told = [
        (at, stop) for at in range(0, 1001, 10) if (stop := trail.quote(at * 10**6, 110 + at // 20, 200)) is not None
    ]
    assert told == [(0, 106), (250, 118), (500, 131), (750, 143), (1000, 156)]
    assert trail.quote(2 * S, 160, 200) is None  # no tick better, nothing to say


def test_it_waits_for_the_minutes_of_the_average_range():
    limits = Limits(trail_ticks=1, trail_minutes=3, trail_step_ms=0)
    ranges = MinuteRange(limits)
    trail = Trail(1, 100, 96, ranges, limits)
    for minute in range(4):
        for second, bid in ((0, 120), (20, 124), (40, 116), (59, 120)):
            at = minute * MIN + second * S
            ranges.quote(at, bid, bid + 1)
            trail.quote(at, bid, bid + 1)
        assert (trail.stop == 96) == (minute < 3)
    assert ranges.ticks == 8
    assert trail.stop == 124 - 20


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(-30, 30), st.integers(1, 3)), max_size=120), st.integers(2, 4)
)
def test_the_average_range_is_that_of_the_last_complete_minutes(moves, minutes):
    ranges, ns, bid = MinuteRange(Limits(trail_minutes=minutes)), 0, 1000
    bars: dict[int, list[float]] = {}
    for wait, move, spread in moves:
        ns, bid = ns + wait * S, bid + move
        ranges.quote(ns, bid, bid + spread)
        bars.setdefault(ns // MIN, []).append(bid + spread / 2)
        done = list(bars.values())[:-1]
        spans = [[*mids, *(done[n - 1][-1:] if n else [])] for n, mids in enumerate(done)]
        last = [max(span) - min(span) for span in spans][-minutes:]
        assert ranges.ticks == (None if len(last) < minutes else pytest.approx(sum(last) / minutes))


QUOTES = st.lists(
    st.tuples(st.integers(0, 40_000), st.integers(-8, 8), st.sampled_from([1, 1, 1, 2, 3, 0, -4])), max_size=150
)


def brute(side, entry, stop, quotes, limits):
    """The rule of the specification, with everything kept and every figure worked out anew."""
    seen, stops, out = [], [stop], []
    armed = False
    for ns, bid, ask in quotes:
        if bid >= ask or (seen and ns < seen[-1][0]):
            out.append(stops[-1])
            continue
        seen.append((ns, bid, ask))
        bars: dict[int, list[Fraction]] = {}
        for at, b, a in seen:
            bars.setdefault(at // MIN, []).append(Fraction(b + a, 2))
        done = list(bars.values())[:-1]
        ranges = []
        for n, mids in enumerate(done):
            span = [*mids, done[n - 1][-1]] if n else mids
            ranges.append(max(span) - min(span))
        leave = bid if side > 0 else ask
        armed = armed or side * (leave - entry) >= side * (entry - stop)
        last = ranges[-limits.trail_minutes :]
        if armed and len(last) == limits.trail_minutes:
            away = max(Fraction(limits.trail_ticks), Fraction(5, 2) * sum(last) / len(last))
            exits = [b if side > 0 else a for _, b, a in seen]
            if side > 0:
                stops.append(max(stops[-1], min(math.floor(max(*exits, entry) - away), leave - 2)))
            else:
                stops.append(min(stops[-1], max(math.ceil(min(*exits, entry) + away), leave + 2)))
        out.append(stops[-1])
    return out


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([1, -1]), QUOTES, st.integers(1, 6), st.integers(2, 3))
def test_it_is_monotone_and_equals_brute_force_on_any_path(side, moves, ticks, minutes):
    limits = Limits(trail_ticks=ticks, trail_minutes=minutes, trail_step_ms=0)
    ns, bid, quotes = 0, 100, []
    for wait, move, spread in moves:
        ns += wait * 10**6 - (50 * S if wait % 37 == 5 else 0)
        bid += move
        quotes.append((ns, bid, bid + spread))
    quotes = [one for one in quotes if one[0] >= 0]
    ranges = MinuteRange(limits)
    trail = Trail(side, 100, 100 - 3 * side, ranges, limits)
    stops = []
    for ns, bid, ask in quotes:
        ranges.quote(ns, bid, ask)
        trail.quote(ns, bid, ask)
        stops.append(trail.stop)
    assert stops == brute(side, 100, 100 - 3 * side, quotes, limits)
    assert all(side * (after - before) >= 0 for before, after in itertools.pairwise(stops))


def test_the_steps_compile_as_parts_of_kernels_and_give_the_same():
    if os.environ.get("TAPEVIEW_JIT") == "0":
        pytest.skip("kernels are switched off")
    import types

    from numba import njit

    twins = {"usable": njit(usable)}
    for step in (range_step, trail_step):
        made = types.FunctionType(step.__code__, {**step.__globals__, **twins}, step.__name__)
        made.__module__ = __name__
        twins[step.__name__] = njit(made)

    @njit
    def run(t, r, quotes, move, widen):
        told = 0
        for ns, bid, ask in quotes:
            widen(r[0], ns, bid, ask)
            told += move(t[0], r[0], ns, bid, ask)
        return told

    draw = np.random.Generator(np.random.PCG64(11))
    bids = 10_000 + draw.integers(-3, 4, 5_000).cumsum()
    quotes = np.column_stack([draw.integers(0, 400, 5_000).cumsum() * 10**6, bids, bids + draw.integers(0, 3, 5_000)])
    limits = Limits(trail_minutes=2)
    plain, made = (Trail(1, 10_000, 9_990, MinuteRange(limits), limits) for _ in range(2))
    told = 0
    for ns, bid, ask in quotes.tolist():
        plain._ranges.quote(ns, bid, ask)
        told += plain.quote(ns, bid, ask) is not None
    ran = run(made.memory, made._ranges.memory, quotes, twins["trail_step"], twins["range_step"])
    assert ran == told > 5
    assert made.memory == plain.memory
    assert made._ranges.memory == plain._ranges.memory
    assert (made.memory.dtype, made._ranges.memory.dtype) == (TRAIL, RANGE)


@pytest.mark.parametrize(("side", "entry", "stop"), [(1, 100, 100), (1, 100, 105), (-1, 100, 95), (0, 100, 90)])
def test_a_stop_that_is_none_cannot_trail(side, entry, stop):
    with pytest.raises(ValueError, match="a stop at"):
        Trail(side, entry, stop, MinuteRange())


def test_minutes_that_are_over_are_taken_from_bars_of_prints_and_the_running_one_is_not():
    minute = 60 * 10**9
    bars = np.zeros(5, BAR)
    prices = [(3, 12, 10, 11), (4, 15, 14, 14), (6, 14, 9, 10), (7, 99, 1, 50)]
    for bar, (n, high, low, close) in zip(bars, prices, strict=False):
        bar["start_ns"], bar["high"], bar["low"], bar["close"] = n * minute, high, low, close
    bars[4]["start_ns"], bars[4]["close"] = 5 * minute, NONE
    known = MinuteRange(Limits(trail_minutes=3))
    known.begin_with(bars, 7 * minute + 5)
    # True ranges: 2, then 15 down to the close of 11, then the close of 14 down to 9.
    assert known.ticks == (2 + 4 + 5) / 3
    known.quote(7 * minute + 5, 9, 11)
    known.quote(8 * minute, 9, 11)
    assert known.ticks == (4 + 5 + 0) / 3
    known.begin_with(bars, 9 * minute)
    assert known.ticks == (4 + 5 + 0) / 3
