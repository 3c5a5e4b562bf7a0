"""The VWAP against decimals and brute force."""

from __future__ import annotations

from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import script
from feeds.events import BUST, LAST, NONE, OFF_GRID, TRADE, empty
from feeds.instruments import Instrument
from tapeview.engine import Engine
from tapeview.engine.vwap_view import significant, vwap_text
from tests.kit.streams import FINE, START_NS, table

INSTRUMENT = Instrument(venue="test", symbol="X", tick="1")
DAY_NS = 86_400 * 10**9


def brute(prints: list[tuple[Fraction, int]]) -> tuple[Fraction, Fraction]:
    """Mean and variance of (price, lots) by the textbook."""
    weight = sum(lots for _, lots in prints)
    mean = sum((price * lots for price, lots in prints), Fraction(0)) / weight
    return mean, sum((lots * (price - mean) ** 2 for price, lots in prints), Fraction(0)) / weight


def million_prints(n: int, seed: int, tick0: int):
    """n prints within one tick of a price, in one row array."""
    rng = np.random.default_rng(seed)
    rows = empty(n)
    rows["kind"], rows["marks"] = TRADE, LAST
    rows["tick"] = tick0 + rng.integers(-1, 2, n)
    rows["lots"] = rng.integers(1, 1_000_000, n)
    rows["side"] = rng.choice([-1, 1], n)
    rows["ref"] = np.arange(n)
    rows["recv_ns"] = START_NS + np.arange(n) * 1000
    return rows


def decimal_brute(tick, lots, increment: str) -> tuple[Decimal, Decimal]:
    getcontext().prec = 60
    weight = Decimal(int(lots.sum()))
    by_tick = [(Decimal(int(t)) * Decimal(increment), Decimal(int(lots[tick == t].sum()))) for t in np.unique(tick)]
    mean = sum(p * v for p, v in by_tick) / weight
    return mean, (sum(v * (p - mean) ** 2 for p, v in by_tick) / weight).sqrt()


@pytest.mark.parametrize("n", [200_000, pytest.param(10_000_000, marks=pytest.mark.slow)])
def test_vwap_equals_decimal_brute_force_at_a_high_price_busts_included(n):
    instrument = Instrument(venue="test", symbol="X", tick="0.01")
    rows = million_prints(n, 1, 10_000_000)
    engine = Engine(instrument)
    for at in range(0, n, 65_536):
        engine.apply(rows[at : at + 65_536])
    mean, sigma = decimal_brute(rows["tick"], rows["lots"], "0.01")
    value = engine.vwap.value(0)
    assert abs(Decimal(value.vwap) * Decimal("0.01") / mean - 1) < Decimal("1e-9")
    assert abs(Decimal(value.sigma) * Decimal("0.01") / sigma - 1) < Decimal("1e-9")
    assert vwap_text(value, instrument.price) == (f"{mean:.12g}", f"{sigma:.12g}")
    gone = np.random.default_rng(2).choice(np.arange(n - 60_000, n), 5000, replace=False)
    busts = rows[gone].copy()
    busts["aux"], busts["recv_ns"] = BUST, rows["recv_ns"][-1]
    engine.apply(busts)
    kept = np.ones(n, bool)
    kept[gone] = False
    mean, sigma = decimal_brute(rows["tick"][kept], rows["lots"][kept], "0.01")
    value = engine.vwap.value(0)
    assert value.lots == rows["lots"][kept].sum()
    assert vwap_text(value, instrument.price) == (f"{mean:.12g}", f"{sigma:.12g}")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-(2**30), 2**30), st.integers(1, 2**52), st.sampled_from([0, 1, 333_333, 999_999])),
        min_size=1, max_size=40,
    ),
    st.data(),
)  # fmt: skip
def test_vwap_is_exact_for_any_prints_and_undoes_any_of_them_exactly(prints, data):
    ops = [
        (TRADE, 1, tick * FINE + part if part else tick, lots, n, 0, LAST | (OFF_GRID if part else 0))
        for n, (tick, lots, part) in enumerate(prints)
    ]
    engine = Engine(INSTRUMENT)
    engine.apply(table(ops))
    exact = [(Fraction(tick * FINE + part, FINE), lots) for tick, lots, part in prints]
    value = engine.vwap.value(0)
    assert (value.mean, value.variance) == brute(exact)
    gone = data.draw(st.sets(st.integers(0, len(prints) - 1), max_size=len(prints) - 1))
    engine.apply(table([(*ops[n][:5], BUST, ops[n][6]) for n in sorted(gone)]))
    value = engine.vwap.value(0)
    assert (value.mean, value.variance) == brute([p for n, p in enumerate(exact) if n not in gone])


def test_the_frame_tells_vwap_and_sigma_to_a_65536th_of_a_tick():
    rows = million_prints(5000, 4, 10_000_000)
    rows["tick"] += np.cumsum(np.random.default_rng(1).integers(-3, 4, len(rows)))
    engine = Engine(INSTRUMENT)
    for at in range(0, len(rows), 500):
        last = engine.apply(rows[at : at + 500]).frame[-1]
        value = engine.vwap.value(0)
        assert abs(int(last["vwap_t16"]) - value.mean * 65536) <= Fraction(51, 100)
        assert int(last["sigma_t16"]) / 65536 == pytest.approx(value.sigma, abs=1.6e-5)


def test_the_day_begins_anew_at_midnight_utc_and_the_session_does_not():
    midnight = START_NS // DAY_NS * DAY_NS + DAY_NS
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("!live +100:5 ~1000 +110:5", start_ns=midnight - 2 * 10**9))
    assert engine.vwap.value(1).vwap == 105
    engine.apply(script.events("+120:10 ~1000 +130:10", start_ns=midnight))
    assert engine.vwap.value(0).vwap == pytest.approx((500 + 550 + 1200 + 1300) / 30)
    assert engine.vwap.value(1).vwap == 125
    session, day = engine.vwap.anchors()
    assert (session.name, session.since_ns) == ("session", midnight - 2 * 10**9)
    assert (day.name, day.since_ns) == ("day", midnight)


def test_an_anchor_counts_from_where_it_was_set_and_can_be_set_again():
    engine = Engine(INSTRUMENT)
    engine.apply(script.events("!live +100:5 +200:5"))
    slot = engine.anchor("open")
    assert engine.vwap.value(slot) is None
    engine.apply(script.events("+300:1 +310:3"))
    assert engine.vwap.value(slot).mean == Fraction(300 + 930, 4)
    assert engine.anchor("open") == slot
    engine.apply(script.events("+7:1"))
    assert engine.vwap.value(slot).mean == 7
    assert [a.name for a in engine.vwap.anchors()] == ["session", "day", "open"]
    engine.drop_anchor(slot)
    with pytest.raises(ValueError, match="no anchor"):
        engine.vwap.value(slot)


def test_a_bust_changes_only_the_anchors_that_saw_the_print():
    engine = Engine(INSTRUMENT)
    engine.apply(table([(TRADE, 1, 100, 5, 1, 0, LAST), (TRADE, 1, 200, 5, 2, 0, LAST)]))
    slot = engine.anchor("here")
    engine.apply(
        table([(TRADE, 1, 300, 5, 3, 0, LAST), (TRADE, 1, 330, 5, 4, 0, LAST), (TRADE, 1, 100, 5, 1, BUST, LAST)])
    )
    assert engine.vwap.value(slot).mean == 315
    assert engine.vwap.value(0).mean == Fraction(830, 3)
    engine.apply(table([(TRADE, 1, 300, 5, 3, BUST, LAST)]))
    assert engine.vwap.value(slot).mean == 330
    assert engine.vwap.value(0).mean == 265


def test_user_anchors_run_out_with_a_clear_word():
    engine = Engine(INSTRUMENT)
    for n in range(6):
        engine.anchor(f"a{n}")
    with pytest.raises(ValueError, match="no free slot"):
        engine.anchor("one more")
    with pytest.raises(ValueError, match="slot"):
        engine.anchor(1)
    with pytest.raises(ValueError, match="slot 0"):
        engine.drop_anchor(0)


def test_prints_out_of_reach_are_left_out_and_counted():
    engine = Engine(INSTRUMENT)
    engine.apply(table([(TRADE, 1, 100, 5, NONE, 0, LAST), (TRADE, 1, 2**40, 5, NONE, 0, LAST)]))
    assert engine.vwap.value(0).mean == 100
    assert engine.counters["vwap_left_out"] == 1
    assert engine.tape.totals.volume == 10


def test_z_is_the_distance_of_the_middle_in_sigmas():
    engine = Engine(INSTRUMENT)
    assert engine.vwap.z(0) is None
    engine.apply(script.events("[ b105:1 a106:1 ] +100:1 +104:1"))
    assert engine.vwap.z(0) == pytest.approx((105.5 - 102) / 2)


def test_text_has_twelve_significant_digits():
    assert significant(Fraction(1, 3)) == "0.333333333333"
    assert significant(Fraction(2), root=True) == "1.41421356237"
    assert significant(Fraction(10**14)) == "100000000000000"
