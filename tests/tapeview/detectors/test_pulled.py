"""Pulled liquidity: ranks and their combination against plain counting, and what is innocent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from feeds import script
from feeds.instruments import Instrument
from tapeview.alert import Alert
from tapeview.detectors import _pulled_cases as cases
from tapeview.detectors import _pulled_chance as chance
from tapeview.detectors import _pulled_watch as watching
from tapeview.detectors import pulled
from tapeview.detectors._declare import record
from tapeview.engine import Engine
from tapeview.engine._jit import call_plain
from tapeview.watch import Watch


def instrument() -> Instrument:
    return Instrument(venue="cme", symbol="X", tick="1")


def watched(text: str, **thresholds: float) -> tuple[list[Alert], Any]:
    rows = script.events(text)
    engine = Engine(instrument())
    watch = Watch(instrument(), "A", {"pulled": pulled.PulledThresholds(**(cases._FEW | thresholds))})
    return [f.alert for f in watch.apply(engine.apply(rows), engine)], watch


@pytest.mark.parametrize("pairs", [1, 2, 4, 12, 64])
@pytest.mark.parametrize("x", [0.1, 3.0, 20.0, 150.0])
def test_the_tail_of_chi_square_is_the_integral_of_its_density(x: float, pairs: int) -> None:
    t = np.linspace(x, x + 1500.0, 1_500_001)
    density = np.exp((pairs - 1) * np.log(t / 2) - t / 2 - math.lgamma(pairs)) / 2
    assert chance.chi_square_tail(x, pairs) == pytest.approx(float(np.trapezoid(density, t)), rel=1e-6, abs=1e-12)


def test_half_octaves_rise_with_the_number_and_never_leave_the_table() -> None:
    numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 100, 10**6, 10**12, 2**62]
    steps = [chance.step_of(n) for n in numbers]
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert steps[-1] <= chance.STEPS - 1
    for n in range(1, 5000):
        octave = n.bit_length() - 1
        half = int(n >= 1.5 * 2**octave)
        # The number 1 has no half of its own.
        assert chance.step_of(n) == 1 + 2 * octave + (half if octave else 0)


def _rank(memory: Any, limit: Any, out: Any, lives: Any, life: int, came: int, rate: int) -> int:
    m = memory[0]
    for n in range(len(lives)):
        row = lives[n]
        chance.count_life(m, row.own, row.life, row.came, row.rate)
    out[0].x = chance.tails(m, limit[0], 1, life, came, rate)
    return 0


@pytest.mark.parametrize("n", [60, 400, 900])
def test_ranks_are_shares_of_the_own_class_or_of_the_least_pool_that_is_known(n: int) -> None:
    draw = np.random.default_rng(n)
    lives = np.zeros(3 * n, np.dtype([("own", "i8"), ("life", "i8"), ("came", "i8"), ("rate", "i8")]))
    lives["own"] = draw.choice([1, 4, 2], 3 * n)
    lives["life"] = draw.integers(10, 40, 3 * n)
    lives["came"] = draw.random(3 * n) < 0.2
    lives["rate"] = draw.integers(0, 20, 3 * n)
    memory = np.zeros(1, pulled.MEMORY)
    out = np.zeros(1, np.dtype([("x", "f8")]))
    limit = record(pulled.PulledThresholds(min_class=500, life_p=1.0))
    call_plain(_rank, memory, limit, out, lives, 14, 1, 17)
    own, near = lives["own"] == 1, (lives["own"] == 1) | (lives["own"] == 4)
    pool = (
        lives[own] if own.sum() >= 500 else lives[near] if near.sum() >= 500 else lives if len(lives) >= 500 else None
    )
    if pool is None:
        assert float(out["x"][0]) == 0.0
        return
    total = len(pool) + 1.0
    p_life = ((pool["life"] < 14).sum() + 0.5 * (pool["life"] == 14).sum() + 0.5) / total
    p_rate = ((pool["rate"] > 17).sum() + 0.5 * (pool["rate"] == 17).sum() + 0.5) / total
    p_came = ((pool["came"] != 0).sum() + 1) / total
    assert float(out["x"][0]) == pytest.approx(-2 * math.log(p_life * p_rate * p_came), rel=1e-12)


def test_watched_orders_are_found_again_and_the_oldest_of_a_full_set_is_forgotten() -> None:
    def fill(memory: Any, keys: Any, found: Any) -> int:
        m = memory[0]
        for n in range(len(keys)):
            at = watching.room_for(m, keys[n])
            m.w_id[at], m.w_born_ns[at] = keys[n], n + 1
        for n in range(len(keys)):
            found[n] = watching.find(m, keys[n])
        return 0

    alike = np.array([k for k in range(1, 400_000) if watching.place_of(k) == 8][: watching.WAYS + 2], np.int64)
    memory, found = np.zeros(1, pulled.MEMORY), np.zeros(len(alike), np.int64)
    call_plain(fill, memory, alike, found)
    assert (found[:2] == -1).all()
    assert len(set(found[2:].tolist())) == watching.WAYS
    assert (found[2:] >= 0).all()


def test_each_large_order_shown_and_taken_back_is_kept_with_its_life_and_place() -> None:
    _, watch = watched(cases._BEFORE + cases._shown(501, (100, 95, 104)))
    m = watch._posts[0].memory[0]
    assert int(m["gone"]) == 3
    assert m["g_lots"][:3].tolist() == [100, 95, 104]
    assert m["g_away"][:3].tolist() == [3, 3, 3]
    assert m["g_life_ns"][:3].tolist() == [300_000_000] * 3


def test_a_size_that_comes_all_the_time_is_no_pattern() -> None:
    shown = cases._shown(501, (100, 100, 100))
    often = " ".join(f"~10 o{n}b90:100" for n in range(700, 706)) + " "
    assert [a.phase for a in watched(cases._BEFORE + shown)[0]] == ["confirmed"]
    assert watched(cases._BEFORE + often + "~500 " + shown)[0] == []


@pytest.mark.parametrize("first", ["trade", "depth"])
def test_a_level_that_traded_is_not_pulled_whichever_comes_first(first: str) -> None:
    trade, depth = "-97:100", "b97:20"
    pair = f"{trade} ~20 {depth}" if first == "trade" else f"{depth} ~20 {trade}"
    # Sellers reach down to the level through what stands before it.
    eaten = " ".join(f"~900 b97:120 ~300 b100:0&b99:0&b98:0 {pair} ~50 b100:20&b99:20&b98:20" for _ in range(4))
    assert watched(cases._levels(330) + eaten + " ~400 b90:20", min_adds=50)[0] == []


def test_a_level_is_followed_though_others_come_and_go_there() -> None:
    shown = "~900 b97:120 ~80 b97:133 ~80 b97:126 ~80 b97:26 ~40 b97:20 " * 3
    alerts, watch = watched(cases._levels(330) + shown + "~400 b90:20")
    assert [a.phase for a in alerts] == ["confirmed"]
    assert watch._posts[0].memory[0]["g_lots"][:3].tolist() == [100, 100, 100]


def test_lots_that_stood_before_it_may_trade_without_it() -> None:
    shown = "~900 b97:120 ~100 -97:{0} b97:{1} ~200 b97:{2} ~10 b97:20 "
    ahead = shown.format(15, 105, 5) * 3
    into = shown.format(40, 80, 20) * 3
    assert [a.phase for a in watched(cases._levels(330) + ahead + "~400 b90:20")[0]] == ["confirmed"]
    assert watched(cases._levels(330) + into + "~400 b90:20")[0] == []


def test_what_was_shown_before_a_gap_is_not_pulled_by_it() -> None:
    book = "[ " + " ".join(f"o{n + 1}b{100 - n}:20 o{n + 51}a{101 + n}:20" for n in range(12)) + " ]"
    purge = " ".join(f"~900 o{n}b97:100 ~200 !gap {book} ~5200" for n in (501, 502, 503, 504))
    alerts, watch = watched(cases._BEFORE + purge + " ~200 o99b90:1")
    assert alerts == []
    assert int(watch._posts[0].memory["gone"][0]) == 0


def test_an_order_that_goes_because_its_twin_was_filled_does_not_count() -> None:
    pairs = " ".join(
        f"~900 o{n}b97:100 ~50 o{n + 50}a101:100 ~250 +101:100&f{n + 50}:100&x{n}" for n in (501, 502, 503)
    )
    alone = " ".join(f"~900 o{n}b97:100 ~300 x{n}" for n in (501, 502, 503))
    assert watched(cases._BEFORE + pairs + " ~200 o99b90:1")[0] == []
    assert [a.phase for a in watched(cases._BEFORE + alone + " ~200 o99b90:1")[0]] == ["confirmed"]


def test_scores_stay_below_what_the_source_can_tell() -> None:
    sizes = (100, 102, 98, 101, 99, 100, 103, 97, 100, 101, 100)
    by_order, _ = watched(cases._BEFORE + cases._shown(501, sizes), common=1000.0)
    text = "~900 b97:120 ~150 +101:2 ~150 b97:20 " * 9
    by_level, _ = watched(cases._levels(330) + text + "~400 b90:20", common=1000.0)
    assert [a.grade for a in by_order] == [1, 2, 3]
    assert 0.6 < by_order[-1].score < pulled.CEILING_ORDERS
    assert 0.4 < by_level[-1].score < pulled.CEILING_LEVELS
    assert by_order[-1].score > by_level[-1].score


@pytest.mark.parametrize("least", [50, 64, 777, 1000, 1024, 5000])
def test_what_is_large_is_learnt_at_powers_of_two_then_every_1024_adds_and_when_enough_are_known(least: int) -> None:
    memory, limit = np.zeros(1, pulled.MEMORY), record(pulled.PulledThresholds(min_adds=least))

    def play(memory: Any, limit: Any, learnt: Any) -> None:
        m = memory[0]
        for n in range(1, 6000):
            m.adds = n
            if n >= m.learn_at:
                watching.learn(m, limit[0])
                learnt.append(n)

    learnt: list[int] = []
    call_plain(play, memory, limit, learnt)
    assert learnt == [n for n in range(1, 6000) if n % 1024 == 0 or n == least or (n < 1024 and n & (n - 1) == 0)]
