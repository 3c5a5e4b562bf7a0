"""The iceberg detector against reference models, worked numbers and small tapes whose truth is known."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

from feeds import script
from feeds.events import NONE
from feeds.instruments import Instrument
from tapeview.alert import Alert
from tapeview.detectors import _iceberg_chance as chance
from tapeview.detectors import _iceberg_episodes as episodes
from tapeview.detectors import _iceberg_orders as orders
from tapeview.detectors import _iceberg_queue as queue
from tapeview.detectors._declare import B_ICEBERG, record
from tapeview.detectors._iceberg_memory import LEFT_UNKNOWN, MEMORY
from tapeview.detectors.iceberg import DETECTOR, IcebergThresholds, prepare
from tapeview.engine import Engine
from tapeview.watch import Watch

LEVELS = "[ b100:20 b99:20 a101:500 a102:30 ] ~2500 b98:5 ~2500 b98:6 ~500 b98:7 ~100 "
ORDERS = "[ o1b100:20 o2b99:20 o3a101:10 o4a102:30 ] ~2500 o6b98:5 ~2500 o7b98:6 ~500 o8b98:4 "
DEPTH = "[ b100:9000 b99:20 a101:40 a102:30 ] ~2500 b98:5 ~2500 b98:6 ~500 b98:7 ~100 "


def watch_of(tier: str, **thresholds: float) -> tuple[Engine, Watch]:
    about = Instrument(venue="cme", symbol="X", tick="1")
    return Engine(about), Watch(about, tier, {"iceberg": IcebergThresholds(**thresholds)})


def alerts(text: str, tier: str = "A", **thresholds: float) -> list[Alert]:
    engine, watch = watch_of(tier, **thresholds)
    return [found.alert for found in watch.apply(engine.apply(script.events(text)), engine)]


def confirmed(text: str, tier: str = "A", **thresholds: float) -> list[Alert]:
    return [alert for alert in alerts(text, tier, **thresholds) if alert.phase == "confirmed"]


def memory() -> Any:
    """The detector's memory as plain Python sees it."""
    from tapeview.engine import _jit

    made = np.zeros(1, MEMORY)
    prepare(record(IcebergThresholds()), made)
    return _jit._plain(made)[0]


# -- estimators -----------------------------------------------------------------------------------


def survival(lives: list[tuple[int, bool]], beyond: int, share: float) -> int:
    """Kaplan and Meier's quantile of the total, given that `beyond` are executed already; the last end otherwise."""
    alive = 1.0
    last = beyond
    for total in sorted({total for total, ended in lives if ended and total > beyond}):
        at_risk = sum(1 for other, _ in lives if other >= total)
        alive *= 1 - sum(1 for other, ended in lives if ended and other == total) / at_risk
        last = total
        if alive <= share:
            return total
    return last


@pytest.mark.parametrize("seed", range(20))
def test_what_is_left_agrees_with_kaplan_and_meier_done_by_hand(seed: int) -> None:
    draw = random.Random(seed)
    lives = [(draw.randint(1, 15), draw.random() < 0.7) for _ in range(80)]
    m, limit = memory(), IcebergThresholds(km_min_completed=10)
    for total, ended in lives:
        orders.count_life(m, 16, total, int(ended))
    done = draw.randint(1, 8)
    orders.estimate_left(m, limit, 0, 16, done)
    got = m.st_left_low[0], m.st_left[0], m.st_left_high[0]
    by_hand = tuple(survival(lives, done, share) - done for share in (0.75, 0.5, 0.25))
    assert got == by_hand
    # Three times the peak and three times as much executed: as many tranches, so three times as much is left.
    orders.estimate_left(m, limit, 0, 48, 3 * done)
    assert (m.st_left_low[0], m.st_left[0], m.st_left_high[0]) == tuple(3 * lots for lots in by_hand)


def test_enough_icebergs_of_the_same_octave_of_peaks_speak_for_it_alone() -> None:
    m, limit = memory(), IcebergThresholds(km_min_completed=10)
    for _ in range(10):
        orders.count_life(m, 16, 16 * 3, 1)
        orders.count_life(m, 64, 64 * 8, 1)
    for peak, tranches in ((16, 3), (20, 3), (64, 8), (100, 8)):
        orders.estimate_left(m, limit, 0, peak, peak)
        assert m.st_left[0] == peak * (tranches - 1)


def test_of_an_iceberg_that_outlived_all_known_ones_nothing_is_said() -> None:
    m, limit = memory(), IcebergThresholds()
    for _ in range(40):
        orders.count_life(m, 4, 40, 1)
    orders.count_life(m, 4, 400, 0)
    orders.estimate_left(m, limit, 0, 4, 41)
    assert m.st_left[0] == LEFT_UNKNOWN


def test_nothing_is_said_of_what_is_left_before_enough_icebergs_are_known() -> None:
    m, limit = memory(), IcebergThresholds()
    for _ in range(29):
        orders.count_life(m, 4, 40, 1)
    orders.estimate_left(m, limit, 0, 4, 8)
    assert m.st_left[0] == LEFT_UNKNOWN
    orders.count_life(m, 7, 40, 1)
    orders.estimate_left(m, limit, 0, 4, 8)
    assert m.st_left[0] == 32


@pytest.mark.parametrize("delay_s", [0.0004, 0.003, 0.02, 0.05, 0.21, 0.7, 2.4])
@pytest.mark.parametrize("rate", [0.001, 0.1, 5.0])
def test_a_successor_adds_the_logarithm_of_how_much_likelier_it_is_than_by_chance(delay_s: float, rate: float) -> None:
    m, share = memory(), IcebergThresholds().p1
    means = (0.05, 0.15, 0.5)
    dense = sum(share * math.exp(-delay_s / mean) / mean for mean in means) / 3
    absent = sum(1 - share * (1 - math.exp(-delay_s / mean)) for mean in means) / 3
    # A step of the table is 6 % wide, or a quarter of a millisecond: the density moves by that over the mean delay.
    slack = max(0.0625 * delay_s, 0.000_25) / 0.05
    gain = math.log(chance.odds(m, int(delay_s * 1e9), rate))
    assert gain == pytest.approx(math.log(dense / rate + absent), abs=slack)


def test_what_a_price_added_to_the_counts_itself_is_no_chance_there() -> None:
    m = memory()
    for slot, lots in ((0, 17), (4, 17), (0, 17), (0, 17)):
        chance.count_end(m, slot, lots, 10**9)
        chance.count_after(m, slot, lots, 20_000_000)
    row, b = chance.row_of(17), chance.bin_of(20_000_000)
    assert (m.nu_ends[row], m.nu_after[row, b]) == (4.0, 4.0)
    # Elsewhere all four count, at the first price only that of the other one.
    elsewhere = (4 + 10 * 0.001 * 0.02) / (4 + 10) / 0.02
    here = (1 + 10 * 0.001 * 0.02) / (1 + 10) / 0.02
    assert chance.rate_after(m, row, b, -1, 0.001) == pytest.approx(elsewhere)
    assert chance.rate_after(m, row, b, chance.own_place(m, 0, 17), 0.001) == pytest.approx(here)
    chance.uncount(m, 0, 13, 21)
    assert (m.nu_ends[row], m.nu_after[row, b]) == (1.0, 1.0)


# -- the orders of a price ------------------------------------------------------------------------


class Level:
    """A price whose orders are all known, beside what the detector makes of their number and sum."""

    def __init__(self) -> None:
        self.m = memory()
        self.orders = [7, 3, 12]
        self.ns = 10**9
        queue.forget_queue(self.m, 0, 22, 3)

    def add(self, lots: int) -> None:
        self.m.ad_lots, self.m.ad_score, self.m.ad_links = lots, 0.0, 1
        self.m.ad_like, self.m.ad_alike, self.m.ad_sum = 0.0, 1, lots
        queue.push_order(self.m, 0, lots, 1)
        self.orders.append(lots)
        self.m.lv_sum[0], self.m.lv_orders[0] = sum(self.orders), len(self.orders)

    def take(self, lots: int) -> list[int]:
        was, left, done = sum(self.orders), min(lots, sum(self.orders)), []
        while left:
            part = min(left, self.orders[0])
            self.orders[0] -= part
            left -= part
            if not self.orders[0]:
                self.orders.pop(0)
                done.append(part)
        self.ns += 10**9
        queue.consume(self.m, 0, was, sum(self.orders), len(self.orders), lots, self.ns, NONE)
        return done

    def leave(self, place: int) -> None:
        lots = self.orders.pop(place)
        queue.order_gone(self.m, 0, lots)
        queue.settle(self.m, 0, sum(self.orders), len(self.orders))

    def ended(self) -> list[int]:
        return [self.m.en_lots[n] for n in range(12) if self.m.en_lots[n] and self.m.en_ns[n] == self.ns]

    def known(self) -> list[int]:
        return [self.m.or_left[n] for n in range(self.m.lv_known[0])]


def test_the_orders_of_a_price_are_told_by_their_number() -> None:
    level = Level()
    for lots in (5, 17, 2):
        level.add(lots)
    level.take(22)
    assert level.known() == [5, 17, 2]
    level.take(9)
    assert (level.ended(), level.known()) == ([5], [13, 2])
    level.leave(1)
    level.take(13)
    assert (level.ended(), level.known()) == ([17], [])


@pytest.mark.parametrize("seed", range(30))
def test_orders_of_different_sizes_are_followed_without_error(seed: int) -> None:
    draw = random.Random(seed)
    level, sizes = Level(), iter(draw.sample(range(20, 2000), 200))
    level.take(22)
    for _ in range(120):
        what = draw.random()
        if what < 0.5 or len(level.orders) < 2:
            level.add(next(sizes))
        elif what < 0.75:
            level.leave(draw.randrange(1, len(level.orders)))
        else:
            level.take(draw.randrange(1, sum(level.orders)))
        assert level.known() == level.orders
        assert level.m.lv_block[0] == 0


@pytest.mark.parametrize("seed", range(30))
def test_orders_of_equal_sizes_never_make_the_sum_or_the_number_wrong(seed: int) -> None:
    draw = random.Random(seed)
    level = Level()
    for _ in range(300):
        what = draw.random()
        if what < 0.5 or len(level.orders) < 2:
            level.add(draw.choice((1, 1, 2, 5)))
        elif what < 0.8:
            level.leave(draw.randrange(len(level.orders)))
        else:
            level.take(draw.randrange(1, 1 + sum(level.orders) // 2))
        known = level.known()
        assert sum(known) + level.m.lv_block[0] == sum(level.orders)
        assert len(known) + level.m.lv_block_orders[0] == len(level.orders)
        assert all(left > 0 for left in known)


# -- small tapes ----------------------------------------------------------------------------------


def test_a_pinned_iceberg_of_500_lots_is_told_by_its_second_refill_and_then_once() -> None:
    text = LEVELS + " ".join("~300 +101:100&a101:500" for _ in range(200))
    found = alerts(text, "B")
    told = [alert for alert in found if alert.phase == "confirmed"]
    assert [(alert.method, alert.evidence["refills"]) for alert in told] == [("atomic", 2.0)]
    assert [alert.grade for alert in found] == [1, 2, 3]
    assert found[-1].evidence["hidden"] == 2000


def test_flashed_size_that_never_trades_is_no_iceberg() -> None:
    text = "[ b100:20 a101:10 a102:30 ] ~2500 b98:5 ~2500 b98:6 ~500 "
    text += " ".join("b100:8020 ~40 b100:20 ~200" for _ in range(10)) + " -100:5&b100:15 ~100 b98:5"
    assert alerts(text, "B") == []
    assert alerts(text, "C") == []


def test_twenty_small_makers_are_no_iceberg_where_orders_are_seen() -> None:
    text = ORDERS
    for n in range(30):
        first = 100 + n * 20
        text += f"~{400 + 7 * n} +101:{10 if n == 0 else 2}&f{3 if n == 0 else first - 20}:{10 if n == 0 else 2} "
        text += " ".join(f"~{11 + 3 * k} o{first + k}a101:2" for k in range(20)) + " "
    assert alerts(text, "A", min_ended=0) == []


def hits(before: str, after: str) -> str:
    """Prints at 100 that nobody refills, then prints at 101 that come back, the print before or after its depth."""
    text = DEPTH
    for n in range(120):
        text += f"~60 -100:9 ~40 b100:{9000 - 9 * n - 9} "
        if n >= 106:
            text += f"~60 {before} ~40 b98:{n} {after} ~60 "
    return text + "~500 b98:4"


def test_a_print_before_its_depth_and_one_after_it_tell_the_same() -> None:
    rows = script.events(hits("+101:40", ""))
    late = script.events(hits("", "+101:40"))
    # The print keeps the venue's time that it has where it comes first.
    trades = (late["kind"] == 6) & (late["tick"] == 101)
    late["exch_ns"][trades] -= 40_000_000
    got = []
    for tape in (rows, late):
        engine, watch = watch_of("C")
        got.append([f.alert for f in watch.apply(engine.apply(tape), engine) if f.alert.phase == "confirmed"])
    assert [a.text for a in got[0]] == [a.text for a in got[1]]
    assert got[0][0].evidence["refilled"] == got[0][0].evidence["episodes"]


def test_prints_of_a_feed_that_tells_depth_apart_are_not_hidden_lots() -> None:
    text = LEVELS + " ".join(f"~300 +101:4 ~5 a101:{496 - 4 * n}" for n in range(40))
    assert confirmed(text, "B") == []


def test_an_order_moved_away_ends_its_story() -> None:
    text = ORDERS + "o9a101:4 ~500 +101:13&f3:10&f9:3&m9a101:4 ~300 m9a103:4 ~200"
    assert [(a.phase, a.reason) for a in alerts(text)] == [("confirmed", ""), ("cleared", "pulled")]


def test_a_gap_ends_every_story_without_another_word() -> None:
    text = ORDERS + "o9a101:4 ~500 +101:13&f3:10&f9:3&m9a101:4 ~300 !gap ~300"
    assert [(a.phase, a.reason) for a in alerts(text)] == [("confirmed", ""), ("cleared", "resync")]


def test_a_refill_in_the_first_five_seconds_after_a_snapshot_waits() -> None:
    quiet = "[ o1b100:20 o3a101:10 o4a102:30 ] ~100 o9a101:4 ~500 "
    refill = "+101:13&f3:10&f9:3&m9a101:4 ~300 "
    assert alerts(quiet + refill) == []
    assert [a.phase for a in alerts(quiet + "~1500 o6b98:5 ~1500 o7b98:5 ~1500 o8b98:5 ~500 " + refill)] == [
        "confirmed"
    ]


def test_the_board_shows_a_story_from_its_first_row_to_its_end() -> None:
    engine, watch = watch_of("A")
    rows = script.events(ORDERS + "o9a101:4 ~500 +101:13&f3:10&f9:3&m9a101:4 ~300 x9 ~200")
    found = [f.alert for f in watch.apply(engine.apply(rows), engine)]
    board = watch.board[0]
    assert int(board["stories"]) == 1
    assert (int(board["what"][0]), int(board["side"][0]), int(board["tick"][0])) == (B_ICEBERG, -1, 101)
    assert (int(board["from_seq"][0]), int(board["to_seq"][0])) == (found[0].seq, found[1].seq)


def test_naive_rules_tell_what_the_detector_does_not() -> None:
    text = LEVELS + " ".join(f"~300 +101:2&a101:{498 - 2 * n}" for n in range(8)) + " ~100 b98:9"
    assert alerts(text, "B") == []
    assert set(DETECTOR.baselines) == {"refill-3x", "volume ratio"}
    found = alerts(text, "B", **DETECTOR.baselines["refill-3x"])
    assert [(a.method, a.phase) for a in found] == [("naive", "confirmed")]


def test_a_permuted_run_repeats_itself_and_depends_on_its_seed() -> None:
    text = hits("+101:40", "")
    engine, watch = watch_of("C", null_seed=7)
    again_engine, again = watch_of("C", null_seed=7)
    other_engine, other = watch_of("C", null_seed=8)
    for e, w in ((engine, watch), (again_engine, again), (other_engine, other)):
        w.apply(e.apply(script.events(text)), e)
    assert watch.digest() == again.digest()
    assert watch.digest() != other.digest()


def test_a_kind_of_episode_says_what_share_traded_what_came_back_and_whether_the_level_stands() -> None:
    assert len(episodes.WEIGHTS) == 4 * 6 * 2
    assert episodes.kind_of(40, 40, 40) == (3 * 6 + 3) * 2 + 1
    assert episodes.kind_of(40, 40, 0) == (3 * 6 + 1) * 2
    assert episodes.kind_of(2, 40, 38) == (0 * 6 + 1) * 2 + 1
    assert episodes.kind_of(10, 40, 80) == (1 * 6 + 5) * 2 + 1
    assert episodes.kind_of(30, 40, 0) == (2 * 6 + 1) * 2
    # A level that was taken whole and stands is likelier an iceberg's, one that is gone is likelier none.
    assert episodes.WEIGHTS[episodes.kind_of(40, 40, 40)] > 0.5
    assert episodes.WEIGHTS[episodes.kind_of(40, 40, 0)] < -0.5


def test_fresh_memory_knows_no_order() -> None:
    m = memory()
    assert all(number == NONE for number in m.no_id)
    assert all(number == NONE for number in m.ch_id)
