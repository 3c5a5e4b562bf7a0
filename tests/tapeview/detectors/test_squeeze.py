"""Squeezes: the fuel by hand, the windows against sums over all rows, and what may not fool them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import script
from feeds.events import (
    F_ADV20,
    F_BORROW_FEE,
    F_CALL_VOLUME,
    F_FLOAT_SHARES,
    F_FUNDING_RATE,
    F_OPEN_INTEREST,
    F_PUT_VOLUME,
    F_SHORT_INTEREST,
    F_UTILISATION,
    NONE,
    TRADE,
)
from feeds.facts.kinds import KINDS
from feeds.instruments import Instrument
from tapeview.detectors import _fuel as fuel
from tapeview.detectors import _squeeze_cases as cases
from tapeview.detectors import _surge as surge
from tapeview.detectors._declare import Found, record
from tapeview.detectors.squeeze import DETECTOR, MEMORY, SqueezeThresholds, words
from tapeview.engine import Engine, _jit
from tapeview.watch import Watch

DAY = 86_400_000_000_000
NOW = 1_700_000_000_000_000_000
ONE = {F_SHORT_INTEREST: 10**6, F_FLOAT_SHARES: 10**6, F_ADV20: 10**6, F_UTILISATION: 10**9, F_BORROW_FEE: 10**9}


def memory():
    """A fresh memory whose fields can be read and written one by one."""
    return _jit._Record(np.zeros(1, MEMORY))[0]


def limits(**values):
    """The thresholds as kernels read them."""
    return _jit._Rows(record(SqueezeThresholds(**values)))[0]


def told(*inputs):
    """A memory that was told (kind, value, age in days), and its fuel now."""
    m = memory()
    for kind, value, age in inputs:
        fuel.take_input(m, surge.MEANS, kind, round(value * ONE.get(kind, 1)), NOW - int(age * DAY), NOW)
    fuel.refuel(m, limits(), NOW)
    return m


SHORT = [(F_FLOAT_SHARES, 10.0, 12), (F_SHORT_INTEREST, 3.1, 12), (F_ADV20, 0.5, 12)]


# -- fuel -----------------------------------------------------------------------------------------


def test_the_fuel_of_a_known_share_is_what_a_hand_computes():
    m = told(*SHORT, (F_UTILISATION, 0.97, 1), (F_BORROW_FEE, 0.20, 8), (F_BORROW_FEE, 0.44, 1))
    share, cover, used, fee = 0.775, 0.62, 0.85, 0.925  # 31 %, 6.2 days, 97 % and a rising 44 %, between the anchors
    assert m.fuel == pytest.approx(100 * (0.3 * share + 0.2 * cover + 0.2 * used + 0.2 * fee) / 0.9)
    assert m.fuel_sure == pytest.approx(0.5 * math.exp(-12 / 30) + 0.4 * math.exp(-1 / 30))
    assert (m.short_share, m.cover_days, m.fee) == pytest.approx((0.31, 6.2, 0.44))
    assert m.fuel_as_of == NOW - 12 * DAY


@given(
    st.floats(0, 0.6), st.floats(0.01, 12), st.floats(0, 1), st.floats(0, 0.9),
    st.sets(st.sampled_from(["share", "cover", "used", "fee"]), min_size=1),
)  # fmt: skip
def test_the_fuel_is_the_weighted_mean_of_what_is_known(share, cover, used, fee, known):
    if "cover" in known and share * 10 / cover < 1e-6:
        return
    inputs, parts = [], []
    if known & {"share", "cover"}:
        inputs.append((F_SHORT_INTEREST, 10 * share, 0))
    if "share" in known:
        inputs.append((F_FLOAT_SHARES, 10.0, 0))
        parts.append((0.3, float(np.interp(round(10e6 * share) / 10e6, [0.1, 0.2, 0.4], [0, 0.5, 1]))))
    if "cover" in known:
        inputs.append((F_ADV20, 10 * share / cover, 0))
        days = round(10e6 * share) / round(10e6 * share / cover)
        parts.append((0.2, float(np.interp(days, [3, 5, 10], [0, 0.5, 1]))))
    if "used" in known:
        inputs.append((F_UTILISATION, used, 0))
        parts.append((0.2, float(np.interp(used, [0.7, 0.9, 1], [0, 0.5, 1]))))
    if "fee" in known:
        inputs.append((F_BORROW_FEE, fee, 0))  # whether it rises is not known: at most half
        parts.append((0.2, min(0.5, float(np.interp(fee, [0.01, 0.1, 0.5], [0, 0.5, 1])))))
    m = told(*inputs)
    weight = sum(w for w, _ in parts)
    assert m.fuel == pytest.approx(100 * sum(w * part for w, part in parts) / weight, abs=1e-4)
    assert m.fuel_sure == pytest.approx(weight)


def test_nothing_known_is_no_fuel_rather_than_none():
    m = told()
    assert (m.fuel, m.fuel_sure, m.short_share, m.fuel_as_of) == (fuel.UNKNOWN, 0.0, fuel.UNKNOWN, NONE)


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        ((0.44, 6), (0.44, 1), 0.5),
        ((0.50, 6), (0.44, 1), 0.5),
        ((0.40, 6), (0.44, 1), 0.925),
        ((0.4, 3), (0.44, 1), 0.5),
    ],
)
def test_only_a_fee_above_that_of_five_days_before_counts_for_more_than_half(before, after, part):
    m = told((F_BORROW_FEE, *before), (F_BORROW_FEE, *after))
    assert m.fuel == pytest.approx(100 * part)


def test_an_input_past_its_age_weighs_less_and_less():
    new = told(*SHORT, (F_UTILISATION, 1.0, 0)).fuel
    old = told(*SHORT, (F_UTILISATION, 1.0, 4)).fuel
    part = (0.3 * 0.775 + 0.2 * 0.62 + 0.2 * math.exp(-1) * 1.0) / (0.5 + 0.2 * math.exp(-1))  # 4 days: 2 too old
    assert old < new
    assert old == pytest.approx(100 * part)


@pytest.mark.parametrize(
    ("kind", "value", "age"),
    [
        (F_SHORT_INTEREST, 30.1, 0),
        (F_SHORT_INTEREST, -1.0, 0),
        (F_FLOAT_SHARES, 0.0, 0),
        (F_UTILISATION, 1.01, 0),
        (F_BORROW_FEE, 10.1, 0),
        (F_BORROW_FEE, 0.2, -1),
    ],
)
def test_what_cannot_be_is_refused(kind, value, age):
    plain = told(*SHORT)
    odd = told(*SHORT, (kind, value, age))
    assert odd.fuel == plain.fuel
    assert odd.f_value[kind] == plain.f_value[kind]


def test_short_interest_above_three_times_a_float_told_later_is_dropped():
    assert told((F_SHORT_INTEREST, 31.0, 1), (F_FLOAT_SHARES, 10.0, 0)).short_share == fuel.UNKNOWN


def test_after_an_offering_the_old_short_interest_says_nothing():
    m = told(*SHORT, (F_FLOAT_SHARES, 15.0, 2))
    assert (m.short_share, m.cover_days, m.fuel) == (fuel.UNKNOWN, fuel.UNKNOWN, fuel.UNKNOWN)
    m = told(*SHORT, (F_FLOAT_SHARES, 15.0, 2), (F_SHORT_INTEREST, 3.0, 1))
    assert m.short_share == pytest.approx(0.2)
    assert m.cover_days == fuel.UNKNOWN


def test_what_is_older_than_what_is_known_changes_nothing():
    m = told(*SHORT, (F_SHORT_INTEREST, 5.0, 30))
    assert m.short_share == pytest.approx(0.31)


@pytest.mark.parametrize(("puts", "calls", "points"), [(20, 100, 5), (20, 40, 0), (300, 40, -5), (85, 40, 0)])
def test_options_move_the_fuel_by_five_points_when_they_are_far_from_their_mean(puts, calls, points):
    m = told(*SHORT)
    plain = m.fuel
    for day in range(12):
        last = day == 11
        as_of = NOW - (12 - day) * DAY
        fuel.take_input(m, surge.MEANS, F_PUT_VOLUME, puts if last else 40 + day % 3, as_of, NOW)
        fuel.take_input(m, surge.MEANS, F_CALL_VOLUME, calls if last else 40, as_of, NOW)
    fuel.refuel(m, limits(), NOW)
    assert m.fuel - plain == pytest.approx(points)


def test_ages_are_those_that_files_of_slow_inputs_promise():
    assert {code: fuel.MAX_AGE_NS[code] or None for code in KINDS} == {c: kind.max_age_ns for c, kind in KINDS.items()}


def test_open_interest_is_unknown_once_it_is_two_minutes_old():
    m = memory()
    fuel.take_input(m, surge.MEANS, F_OPEN_INTEREST, 700, NOW, NOW)
    assert fuel.open_interest(m, NOW + 120_000_000_000) == 700
    assert fuel.open_interest(m, NOW + 120_000_000_001) == 0


def test_the_funding_rate_is_measured_against_its_hours():
    m = memory()
    rates = [100_000 + 1000 * (hour % 5) for hour in range(40)]
    for hour, rate in enumerate(rates):
        for minute in (0, 30):
            at = NOW - NOW % (DAY // 24) + hour * DAY // 24 + minute * 60_000_000_000
            fuel.take_input(m, surge.MEANS, F_FUNDING_RATE, rate + 7 * minute, at, at)
    z = (rates[-1] + 210 - np.mean(rates)) / np.std(rates)
    assert fuel.funding_sigmas(m, surge.MEANS) == pytest.approx(z)


# -- the windows ----------------------------------------------------------------------------------


def walk(seed, seconds):
    """A script of a market that wanders, trades on both sides, sweeps now and then, and thins out at random."""
    random = np.random.default_rng(seed)
    middle, words_ = 1000, [f"[ {cases._book(1000, 9, 9)} ]"]
    for _ in range(seconds):
        for _ in range(int(random.integers(1, 4))):
            side, lots = ("+", "-")[int(random.random() < 0.45)], int(random.integers(1, 9))
            tick = middle + (side == "+")
            if random.random() < 0.25:
                step = 1 if side == "+" else -1
                words_.append("&".join(f"{side}{tick + n * step}:{lots}" for n in range(int(random.integers(2, 4)))))
            else:
                words_.append(f"{side}{tick}:{lots}" if random.random() < 0.97 else f"?{tick}:{lots}")
        if random.random() < 0.4:
            if random.random() < 0.5:
                words_.append(f"a{middle + 1}:0&b{middle + 1}:9&a{middle + 31}:9")
                middle += 1
            else:
                words_.append(f"b{middle}:0&a{middle}:9&b{middle - 12}:9")
                middle -= 1
        words_.append(f"a{middle + 1 + int(random.integers(0, 9))}:{int(random.integers(1, 20))} b{middle}:9 ~1000")
    return " ".join(words_)


@pytest.mark.parametrize("seed", range(4))
def test_every_measure_is_what_sums_over_all_rows_give(seed):
    rows = script.events(walk(seed, 150))
    outcome = Engine(Instrument(venue="test", symbol="X", tick="1")).apply(rows)
    frame, events = outcome.frame.copy(), outcome.events.copy()
    limit = SqueezeThresholds(window_s=30, history_bars=10)
    checked = 0
    for end in np.flatnonzero(frame["kind"] == 10)[-600::97].tolist():
        m = memory_after(rows[: end + 1], limit)
        now = int(frame["recv_ns"][end])
        for side in (1, -1):
            surge.measure(m, side, 6_000_000_000, 0.99)
            expected = brute(frame[: end + 1], events[: end + 1], now // 1_000_000_000, side)
            got = {name: getattr(m, f"x_{name}") for name in expected}
            assert got == pytest.approx(expected, rel=1e-9, abs=1e-9)
            checked += 1
    assert checked >= 10


def memory_after(rows, limit):
    """The detector's memory after some rows, as the kernel leaves it."""
    about = Instrument(venue="test", symbol="X", tick="1")
    watch = Watch(about, "A", {"squeeze": limit})
    watch.apply(Engine(about).apply(rows))
    return _jit._Record(watch._posts[0].memory)[0]


def brute(frame, events, bar, side):
    """The measures from all rows at once: bars of 1 s, a window of 30 of them, a flow window of 6."""
    clocks = np.flatnonzero((frame["kind"] == 10) & (frame["warm"] == 1))
    first = int(frame["recv_ns"][clocks[0]]) // 10**9  # the bar in which the book became warm is not whole
    ends = {int(frame["recv_ns"][at]) // 10**9: at for at in clocks[frame["recv_ns"][clocks] % 10**9 == 0]}
    sweeps = sweeps_by(frame, events, side)

    def at_end(name, b):
        """A sum as it stood when bar b began."""
        return float(frame[name][ends[b]]) if b in ends else float(frame[name][clocks[0]])

    def mid(b):
        row = ends.get(b, clocks[0])
        return float(frame["bid"][row] + frame["ask"][row])

    def swept(b):
        return float(sweeps[ends.get(b, clocks[0])])

    def unsigned(b):
        until = ends.get(b, clocks[0])
        some = (frame["kind"][:until] == TRADE) & (frame["side"][:until] == 0)
        return float(frame["lots"][:until][some].sum())

    newest = clocks[-1]
    learnt = list(range(first + 2, bar - 29))  # bars that are whole, and so is the one before, and that left
    volumes = [at_end("volume", b + 1) - at_end("volume", b) for b in learnt]
    deltas = [at_end("delta", b + 1) - at_end("delta", b) for b in learnt]
    returns = [mid(b + 1) - mid(b) for b in learnt]
    counts = [swept(b + 1) - swept(b) for b in learnt]
    now_mid = float(frame["bid"][newest] + frame["ask"][newest])
    volume = float(frame["volume"][newest])
    flow = volume - at_end("volume", bar - 5)
    loose = float(frame["lots"][(frame["kind"] == TRADE) & (frame["side"] == 0)].sum()) - unsigned(bar - 5)
    net = side * (float(frame["delta"][newest]) - at_end("delta", bar - 5))
    known = flow > 0 and loose <= 0.2 * flow
    spread = max(math.sqrt(6 * np.var(deltas)), 1.0)
    usual = max(math.sqrt(6 * max(np.var(counts), np.mean(counts))), 1.0)
    return {
        "return": side * (now_mid - mid(bar - 29)) / max(math.sqrt(30 * np.mean(np.square(returns))), 2.0),
        "volume": (volume - at_end("volume", bar - 29)) / (30 * np.mean(volumes)),
        "share": 0.5 + 0.5 * net / (flow - loose) if known else 0.0,
        "flow": (net - side * 6 * np.mean(deltas)) / spread if known else 0.0,
        "sweeps": (float(sweeps[-1]) - swept(bar - 5) - 6 * np.mean(counts)) / usual,
        "lost": lost(frame, clocks, ends, first, bar, side),
    }


def sweeps_by(frame, events, side):
    """How many orders of a side had traded at two prices before each row."""
    done = np.zeros(len(frame) + 1)
    order = None
    for at, (row, event) in enumerate(zip(frame, events, strict=True)):
        done[at + 1] = done[at]
        if row["kind"] != TRADE or row["side"] == 0:
            continue
        key = (int(row["side"]), int(event["exch_ns"]))
        if order is None or order[0] != key:
            order = [key, int(row["tick"]), 1]
        elif (int(row["tick"]) - order[1]) * key[0] > 0:
            order[1:] = [int(row["tick"]), order[2] + 1]
            done[at + 1] += order[2] == 2 and key[0] == side
    return done[1:]


def lost(frame, clocks, ends, first, bar, side):
    """The share of the median depth ahead that is gone, of depths smoothed at every CLOCK row."""
    smooth, at_bar = {}, {"ask": {}, "bid": {}}
    for name in ("ask", "bid"):
        mean = None
        for at in clocks.tolist():
            depth = float(frame[f"{name}_depth"][at])
            mean = depth if mean is None else mean + (depth - mean) / 16
            second = int(frame["recv_ns"][at]) // 10**9
            if ends.get(second) == at:
                at_bar[name][second - 1] = int(mean)
        smooth[name] = mean
    medians = {}
    for name in ("ask", "bid"):
        some = sorted(value for b, value in at_bar[name].items() if b >= first + 1 and bar - 60 <= b < bar)
        medians[name] = some[len(some) // 2]
    own, other = ("ask", "bid") if side > 0 else ("bid", "ask")
    return max(0.0, 1 - smooth[own] / medians[own]) if smooth[other] >= 0.8 * medians[other] else 0.0


def prints(*ticks_and_lots):
    """A memory after prints of the flow, a millisecond or more apart."""
    rows = script.events("b1:1 " + " ".join(f"~5 +{tick}:{lots}" for tick, lots in ticks_and_lots))
    frame = Engine(Instrument(venue="test", symbol="X", tick="1")).apply(rows).frame
    m = memory()
    for row in frame[frame["kind"] == TRADE].view(np.recarray):
        surge.take_print(m, row, int(row["recv_ns"]), 1_000_000, 2)
    return m


def test_a_high_needs_a_print_of_usual_size_or_a_second_print():
    usual = [(100, 10)] * 5
    assert prints(*usual, (150, 1)).high == 100
    assert prints(*usual, (150, 10)).high == 150
    assert prints(*usual, (150, 1), (102, 1)).high == 102
    assert prints(*usual, (102, 1), (150, 1)).high == 102
    assert prints(*usual, (50, 1)).low == 100
    assert prints(*usual, (50, 1), (98, 1)).low == 98
    assert prints(*usual, (50, 20)).low == 50


@given(st.lists(st.integers(0, 5), min_size=1, max_size=200))
def test_an_order_counts_once_however_many_prices_it_takes(steps):
    m = memory()
    expected, order = 0, None
    tick = 100
    for n, step in enumerate(steps):
        tick += step
        fresh = n % 3 == 0
        row = {"side": 1, "lots": 1, "tick": tick, "recv_ns": NOW + n, "print": 0}
        if fresh or order is None:
            order = [tick, 1]
        elif tick > order[0]:
            order = [tick, order[1] + 1]
            expected += order[1] == 2
        surge.take_print(m, type("Row", (), row)(), NOW + n // 3, 1_000_000, 2)
    assert m.buy_sweeps == expected
    assert m.sell_sweeps == 0


# -- the whole ------------------------------------------------------------------------------------


def alerts(text, asset="equity", **thresholds):
    """What is told of a script."""
    about = Instrument(venue={"equity": "nasdaq", "future": "cme", "crypto": "binance"}[asset], symbol="X", tick="1")
    watch = Watch(about, "A", {"squeeze": SqueezeThresholds(**(dict(cases._FAST) | thresholds))})
    return [f.alert for f in watch.apply(Engine(about).apply(script.events(text)))]


def test_the_score_is_the_formula_over_its_own_evidence():
    (one, *_) = alerts(cases._QUIET + cases._rise(101, 14))
    limit = SqueezeThresholds()
    e = one.evidence
    signs = [e["return"] / limit.ret_z, e["rvol"] / limit.rvol, e["depth_lost"] / limit.vacuum, e["new_extreme"]]
    clipped = sum(min(1.5, max(0.0, sign)) for sign in signs)
    low, high = (1 / (1 + math.exp(4 - 1.2 * (clipped + more))) for more in (0.0, 3.0))  # flow and sweeps: 0 to 1.5
    assert low <= one.score <= high
    assert one.score >= limit.on


def test_short_interest_makes_the_difference_between_squeeze_and_stop_run_and_nothing_else():
    run = cases._QUIET + cases._rise(101, 14)
    plain, fed = alerts(run), alerts(cases._SHORT + run)
    assert [a.method for a in plain] == ["stop_run"] * len(plain)
    assert [a.method for a in fed] == ["squeeze"] * len(fed)
    assert [(a.recv_ns, a.phase, a.score) for a in plain] == [(a.recv_ns, a.phase, a.score) for a in fed]


def test_the_naive_rule_asks_for_the_return_alone():
    slow = cases._QUIET + " ".join(f"~500 +{t}:2 a{t}:0 b{t}:20 ~500 -{t}:2 b{t}:20" for t in range(101, 106))
    assert alerts(slow) == []
    naive = alerts(slow, **(dict(DETECTOR.baselines["return-3s"]) | {"window_s": 30}))
    assert [a.phase for a in naive][:1] == ["confirmed"]
    assert naive[0].evidence["return"] >= 3


def test_a_run_down_mirrors_a_run_up():
    run = cases._still(70) + cases._rise(101, 14)
    up = alerts(f"[ {cases._book(100, 20, 20)} ] " + run)
    down = alerts(f"[ {cases._mirrored(cases._book(100, 20, 20))} ] " + cases._mirrored(run))
    assert [a.side for a in up] == [1] * len(up)
    assert [a.side for a in down] == [-1] * len(down)
    assert [(a.recv_ns, a.phase, a.grade) for a in up] == [(a.recv_ns, a.phase, a.grade) for a in down]
    assert [a.score for a in up] == pytest.approx([a.score for a in down])
    assert [201 - a.tick for a in up] == [a.tick for a in down]


@pytest.mark.parametrize(
    ("side", "tick", "later", "ends"),
    [(-1, 0, 5, True), (-1, -2, 5, True), (-1, -8, 5, False), (1, 0, 5, False), (-1, 0, -5, False)],
)
def test_absorption_that_begins_ahead_of_a_run_at_its_extreme_ends_it(side, tick, later, ends):
    rows = script.events(cases._QUIET + cases._rise(101, 8) + cases._still_at(108, 2))
    about = Instrument(venue="cme", symbol="X", tick="1")
    limit = SqueezeThresholds(**cases._FAST)
    plain = [f.alert for f in Watch(about, "A", {"squeeze": limit}).apply(Engine(about).apply(rows))]
    began = plain[0].seq
    watch = Watch(about, "A", {"squeeze": limit})
    board = watch.board
    board["a_stories"], board["a_side"][0, 0], board["a_tick"][0, 0] = 1, side, 109 + tick
    board["a_from_seq"][0, 0], board["a_to_seq"][0, 0] = began + later, 2**62
    found = [f.alert for f in watch.apply(Engine(about).apply(rows))]
    reasons = [a.reason for a in found if a.phase == "cleared"]
    assert reasons == (["absorbed at the extreme"] if ends else [])


def test_in_a_halt_time_stands_still():
    run = cases._QUIET + cases._rise(101, 6)
    whole = alerts(run + " " + cases._book(106, 20, 20) + " " + cases._still_at(106, 12))
    assert [a.phase for a in whole] == ["confirmed", "cleared"]
    halted = alerts(run + " ~50 !halted ~60000")
    assert [a.phase for a in halted] == ["confirmed"]


def test_a_fact_of_a_halt_stops_it_as_well():
    assert alerts(cases._QUIET + "$halt:1 " + cases._rise(101, 14)) == []
    assert alerts(cases._QUIET + "$halt:1 $halt:0 " + cases._rise(101, 14)) != []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 1400), min_size=0, max_size=6, unique=True))
def test_forced_orders_and_open_interest_survive_any_cut(cuts):
    text = "$open_interest:9000 " + cases._QUIET + cases._rise(101, 4, "$+101:4") + " $open_interest:8800 "
    rows = script.events(text + cases._rise(105, 3, "$+101:4"))
    about = Instrument(venue="binance-futures", symbol="X", tick="1")
    results = []
    for edges in ([0, len(rows)], [0, *sorted(c for c in cuts if c < len(rows)), len(rows)]):
        engine = Engine(about)
        watch = Watch(about, "A", {"squeeze": SqueezeThresholds(**cases._FAST)})
        found = []
        for start, end in itertools.pairwise(edges):
            found += [f.alert for f in watch.apply(engine.apply(rows[start:end]))]
        results.append((found, watch.digest()))
    assert results[0] == results[1]
    assert any(alert.method == "cascade" for alert in results[0][0])


@given(st.lists(st.tuples(st.integers(190, 210), st.integers(0, 50)), max_size=60))
def test_what_was_closed_goes_the_way_the_price_went_since_the_last_open_interest(steps):
    m = memory()
    for mid, interest in steps:
        m.mid = mid
        surge.take_interest(m, interest)
    told_of = [steps[n] for n in range(len(steps)) if n == 0 or steps[n][1] != steps[n - 1][1]]
    known = [(a, b) for a, b in itertools.pairwise(told_of) if a[1] > 0 and b[1] > 0]
    assert m.closed_up == sum(a[1] - b[1] for a, b in known if b[0] > a[0])
    assert m.closed_down == sum(a[1] - b[1] for a, b in known if b[0] < a[0])


def test_positions_closed_in_a_rise_are_none_of_a_fall_that_follows():
    m = memory()
    surge.restart(m, NOW, 10**9)
    m.mid, m.volume = 200, 100
    surge.take_interest(m, 1000)
    surge.put_sums(m, (m.bar - surge.BARS) % surge.RING, 1)
    m.mid, m.volume = 240, 500
    surge.take_interest(m, 960)
    m.mid = 180
    surge.measure(m, 1, 10**9, 0.99)
    assert m.x_interest == pytest.approx(0.04)
    surge.measure(m, -1, 10**9, 0.99)
    assert m.x_interest == 0.0
    surge.take_interest(m, 940)
    surge.measure(m, -1, 10**9, 0.99)
    assert m.x_interest == pytest.approx(0.02)


SECOND = cases._rise(107, 2) + " $open_interest:8900 " + cases._rise(109, 2) + " $open_interest:8730 "
SECOND += cases._rise(111, 4)


@pytest.mark.parametrize(
    ("second", "told_of"),
    [(SECOND, ["stop_run", "cascade"]), (cases._rise(107, 8), ["stop_run"])],
)
def test_the_silence_after_a_stop_run_is_broken_by_a_cascade_alone(second, told_of):
    first = cases._QUIET + cases._rise(101, 6) + " " + cases._book(106, 20, 20) + " " + cases._still_at(106, 40)
    found = alerts("$open_interest:9000 " + first + second, "crypto", cooldown_min=10)
    assert [a.method for a in found if a.phase == "confirmed"] == told_of


@pytest.mark.parametrize(("minutes", "stories"), [(0, 2), (5, 1)])
def test_a_cascade_is_told_again_after_a_silence_of_its_own(minutes, stories):
    once = cases._rise(101, 2) + " $open_interest:8900 " + cases._rise(103, 2) + " $open_interest:8730 "
    first = cases._QUIET + once + cases._rise(105, 2) + " " + cases._book(106, 20, 20) + " " + cases._still_at(106, 40)
    again = SECOND.replace("8730", "8400").replace("8900", "8580")
    found = alerts("$open_interest:9000 " + first + again, "crypto", cooldown_min=10, cascade_cooldown_min=minutes)
    assert [a.method for a in found if a.phase == "confirmed"] == ["cascade"] * stories


@given(
    st.sampled_from(DETECTOR.methods), st.sampled_from(["confirmed", "raised", "cleared"]), st.sampled_from([1, -1]),
    st.floats(0, 100), st.floats(-1, 3), st.floats(-1, 9999), st.floats(-1, 10), st.floats(-99, 99), st.floats(0, 9999),
    st.integers(0, 10**6), st.floats(0, 1e13), st.floats(-1, 1),
)  # fmt: skip
def test_words_are_one_line_that_leaves_room_for_score_and_tier(
    method, phase, side, burns, share, days, fee, moved, rvol, sweeps, forced, funding
):
    values = [burns, 0.5, share, days, fee, 1.7e9, moved, rvol, 0.7, 0.5, sweeps, 1, -0.02, funding, -2.1, forced]
    evidence = dict(zip(DETECTOR.evidence, map(float, values), strict=True))
    line = words(
        Found(
            method, phase, "no new extreme" if phase == "cleared" else "", side, 93_843_701, 93_800_000, 5, 1, 0.9, "C",
            evidence, lambda tick: f"{tick / 1000:.3f}", str, "1000SHIBUSDT-PERP",
        )
    )  # fmt: skip
    assert len(line) + len(" · score 1.00 · tier C") <= 100
    assert "93843.701" in line
    assert "\n" not in line
    if method == "squeeze" and phase != "cleared":
        assert "-Nov" in line
