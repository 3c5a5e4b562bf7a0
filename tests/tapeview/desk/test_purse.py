"""The account over restarts: what is kept, what a new desk takes up, and locks that come from elsewhere."""

from __future__ import annotations

from decimal import Decimal

import pytest

from feeds import script
from tapeview.desk import day, streaks
from tapeview.desk.commands import Arm, Bracket, Flatten, Lock
from tapeview.desk.limits import Limits
from tapeview.desk.purse import Purse
from tapeview.desk.records import PESSIMIST, Kept, Refused, Told
from tests.kit.floor import OPENING, Floor, buy, opened

NS = script.START_NS
S = 10**9
LIMITS = Limits()


def kept(floor: Floor) -> dict[str, str]:
    """The newest line of each, as a journal has them."""
    return {record.what: record.line for record in floor.of(Kept)}


def lost(floor: Floor, lots: int = 2) -> Floor:
    """Buy at 5000.25 and sell at 5000.00: 1.25 a lot."""
    floor.do(buy(lots))
    floor.play("~50 b20000:51 ~300 b20000:50")
    floor.do(Flatten())
    floor.play("~300 b20000:51 ~1000 b20000:50")
    assert floor.view.position.lots == 0
    return floor


def test_equity_goes_on_from_what_the_account_had_in_the_same_session() -> None:
    floor = lost(opened())
    assert floor.desk.account() == Decimal("24997.50")
    again = Floor(kept=kept(floor), equity="25000")
    again.play(OPENING)
    again.do(Arm())
    assert again.desk.account() == Decimal("24997.50")
    assert again.desk.day is not None
    assert again.desk.day.profit == Decimal("-2.50")


def test_a_session_later_it_begins_with_what_it_is_given_and_a_new_limit() -> None:
    floor = lost(opened())
    again = Floor(kept=kept(floor), equity="30000")
    again.now += 2 * 86_400 * S
    again.play(OPENING)
    again.do(Arm())
    assert again.desk.account() == 30000
    assert again.desk.day is not None
    assert (again.desk.day.profit, again.desk.day.limit) == (0, 600)


def test_a_clock_set_back_is_the_same_session_still() -> None:
    floor = lost(opened())
    floor.do(Lock(reason="enough"))
    again = Floor(kept=kept(floor), equity="30000")
    again.now -= 5 * 86_400 * S
    again.play(OPENING)
    again.do(Arm())
    assert [r.reason for r in again.of(Refused)] == ["locked: enough"]


def test_the_run_of_losses_survives_a_restart_and_its_pause_with_it() -> None:
    limits = Limits(latency_ms=5, losses_stop=3, cooldown_min=10)
    floor = lost(opened(limits=limits))
    again = Floor(kept=kept(floor), limits=limits)
    again.now = floor.now
    again.play(OPENING)
    again.do(Arm(), buy(1))
    assert [r.reason for r in again.of(Refused)] == ["pause after a loss, 10 min left"]


def test_a_damaged_line_locks_or_stops_since_nobody_can_say_that_it_did_not() -> None:
    floor = Floor(kept={"day": "{}", "streak": "[1]"})
    floor.play(OPENING)
    floor.do(Arm())
    assert [r.reason for r in floor.of(Refused)] == [f"locked: {day.DAMAGED}"]
    floor = Floor(kept={"streak": "[1]"})
    floor.play(OPENING)
    floor.do(Arm(), buy(1))
    assert [r.reason for r in floor.of(Refused)] == [streaks.DAMAGED]


def test_a_lock_from_elsewhere_disarms_flattens_and_is_kept() -> None:
    floor = opened(buy(2, bracket=Bracket(stop_ticks=8)))
    floor.play("~50 b20000:51 ~300 b20000:50")
    floor.do(Lock(reason="MNQ: daily loss limit"))
    assert not floor.desk.armed
    floor.play("~300 b20000:51 ~300 b20000:50 ~1000 b20000:50")
    assert (floor.view.position.lots, floor.desk.busy) == (0, False)
    assert [r.text for r in floor.of(Told) if r.kind == "lock"] == ["MNQ: daily loss limit"]
    floor.do(Lock(reason="again"), Arm())
    assert floor.of(Refused)[-1].reason == "locked: MNQ: daily loss limit"
    again = Floor(kept=kept(floor))
    again.play(OPENING)
    again.do(Arm())
    assert again.of(Refused)[-1].reason == "locked: MNQ: daily loss limit"


def test_a_lock_before_the_first_row_holds() -> None:
    floor = Floor()
    floor.do(Lock(reason="early"), Arm())
    floor.play(OPENING)
    floor.do(Arm())
    assert [r.reason for r in floor.of(Refused)] == ["locked: early"] * 2
    assert day.load(kept(floor)["day"].encode()).reason == "early"


def test_an_open_loss_is_kept_every_five_seconds_so_that_a_kill_does_not_take_it_away() -> None:
    floor = opened(buy(2, bracket=Bracket(stop_ticks=50)))
    floor.play("~50 b20000:51 ~300 b20000:50")
    floor.play("~20 b20000:0 " + "~500 b19998:91 ~500 b19998:90 " * 7)
    equities = [Decimal(day.load(r.line.encode()).equity) for r in floor.of(Kept) if r.what == "day"]
    # From 20001 to a bid of 19999: 2 ticks of 1.25 for 2 lots.
    assert equities[-1] == 24995
    again = Floor(kept=kept(floor))
    again.play(OPENING)
    assert again.desk.account() == 25000  # not asked yet
    again.do(Arm())
    assert again.desk.account() == 24995


def test_it_is_kept_no_more_often_than_that_while_it_moves() -> None:
    floor = opened(buy(2, bracket=Bracket(stop_ticks=50)))
    floor.play("~50 b20000:51 ~300 b20000:50")
    before = len(floor.of(Kept))
    floor.play("~20 b20000:0 " + "~500 b19999:0 ~500 b19999:70 " * 30)
    assert 5 <= len(floor.of(Kept)) - before <= 7


def test_a_desk_beside_engines_that_have_run_knows_touch_time_and_epoch() -> None:
    first = Floor()
    first.play(OPENING + " !gap [ b20000:50 a20001:40 ] ~300 b20000:51 ~50 +20001:3")
    floor = Floor()
    floor.engine, floor.now, floor.seq = first.engine, first.now, first.seq
    floor.desk.adopt([floor.engine])
    assert floor.desk.now_ns == first.now
    assert (floor.view.touch, floor.desk.seq) == ((20000, 20001), first.seq)
    floor.do(Arm(), buy(1, 20000))
    assert floor.desk.day is not None
    # Not the first rows after it may be taken for a hole: the order keeps its place in the queue.
    floor.play("~10 b20000:52 ~10 b20000:40 -20000:40&b20000:0 -20000:1")
    assert [r.lots for r in floor.records if getattr(r, "view", "") == PESSIMIST and hasattr(r, "liquidity")] == [1]


@pytest.fixture
def purse() -> Purse:
    """An account of 25,000."""
    return Purse(Decimal(25000), "futures", LIMITS, {})


def test_sizes_are_the_smaller_of_what_losses_and_what_correlation_leave(purse: Purse) -> None:
    purse.mark(NS, Decimal(0))
    purse.share, purse.share_why = 0.8, "two as one"
    assert purse.entry(NS)[:2] == (True, 0.8)
    purse.closed(NS, Decimal(-1))
    assert not purse.entry(NS).allowed
    later = NS + LIMITS.cooldown_min * 60 * S
    assert purse.entry(later)[:2] == (True, 0.5)
    purse.share = 0.3
    assert purse.entry(later) == streaks.Entry(True, 0.3, "two as one")


def test_what_is_kept_is_given_once(purse: Purse) -> None:
    purse.mark(NS, Decimal(0))
    assert [what for what, _ in purse.take_kept()] == ["day"]
    assert purse.take_kept() == []
