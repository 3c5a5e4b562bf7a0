"""Orders as they become exits, results and records: half out, slippage, process, pieces, and what is forgotten."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tapeview.desk.commands import MARKET, Arm, Bracket, Cancel, CancelAll, Flatten, Lock, Place
from tapeview.desk.exits import IDS
from tapeview.desk.limits import Limits
from tapeview.desk.records import OPTIMIST, PESSIMIST, Changed, Closed, Filled, Refused, Sent, Told
from tests.kit.floor import Floor, buy, opened

WAIT = "~50 b20000:51 ~300 b20000:50 "
PLAN = Bracket(stop_ticks=8, targets=((10, 100),))
UP = (
    "~20 a20001:0&a20002:0&a20003:0&a20010:0&a20100:9&b20012:50&a20013:50 ~300 b20012:51 ~300 b20012:50 ~1000 b20012:51"
)


def entered(lots: int = 2, bracket: Bracket | None = PLAN, **more: object) -> Floor:
    floor = opened(buy(lots, bracket=bracket), **more)  # type: ignore[arg-type]
    floor.play(WAIT)
    assert floor.view.position.lots == lots
    return floor


def result(floor: Floor) -> Closed:
    (closed,) = floor.of(Closed, PESSIMIST)
    assert isinstance(closed, Closed)
    return closed


# -- half out near the target ---------------------------------------------------------------------
@pytest.mark.parametrize(("lots", "out"), [(4, 2), (5, 2), (1, 1)])
def test_half_goes_out_at_four_fifths_of_the_way_and_the_rest_trails(lots: int, out: int) -> None:
    floor = entered(lots, Bracket(stop_ticks=8, targets=((10, 100),), scale_out=True))
    sent = [(r.why, r.lots, r.tick) for r in floor.of(Sent, PESSIMIST)]
    assert sent == [("entry", lots, None), ("stop", lots, 19993), ("target", out, 20009)]
    assert floor.view.exits.trailing
    floor.play(UP)
    assert floor.view.position.lots == lots - out
    assert sum(o.left for o in floor.view.stops) == lots - out


def test_half_out_wants_one_target() -> None:
    two = Bracket(stop_ticks=8, targets=((4, 50), (8, 50)), scale_out=True)
    assert [r.reason for r in opened(buy(2, bracket=two)).of(Refused)] == [
        "half goes out near one target: give exactly one"
    ]


# -- process --------------------------------------------------------------------------------------
def test_a_trade_left_at_its_target_has_answered_all_questions_well() -> None:
    floor = entered()
    floor.play("~1000 b20000:51 " + UP)
    closed = result(floor)
    assert (closed.planned, closed.size_kept, closed.stop_placed, closed.plan_followed) == (True,) * 4
    assert closed.score == 1
    assert floor.desk.process == 1


def test_a_trade_flattened_by_hand_was_left_against_its_plan() -> None:
    floor = entered()
    floor.play("~1000 b20000:51")
    floor.do(Flatten())
    floor.play(WAIT)
    assert (result(floor).plan_followed, result(floor).score) == (False, 0.75)


def test_a_trade_closed_by_an_order_of_the_other_side_was_too() -> None:
    floor = entered()
    floor.do(Place(side=-1, lots=2, kind=MARKET))
    floor.play(WAIT)
    assert result(floor).plan_followed is False


def test_the_locks_flatten_is_nobodys_choice() -> None:
    floor = entered()
    floor.do(Lock(reason="x"))
    floor.play(WAIT + "~1000 b20000:49")
    assert result(floor).plan_followed is None


def test_a_trade_without_stop_or_target_has_no_plan_to_follow_and_its_stop_was_missed() -> None:
    floor = entered(2, None)
    floor.play("~7000 b20000:51 ~1000 b20000:50")
    floor.do(Flatten())
    floor.play(WAIT)
    closed = result(floor)
    assert (closed.planned, closed.size_kept, closed.stop_placed, closed.plan_followed) == (False, None, False, None)
    assert (closed.score, closed.r) == (0, None)


def test_a_trade_that_was_over_before_its_stop_was_due_is_not_asked_for_it() -> None:
    floor = opened(buy(1))
    floor.play("~50 b20000:51")
    floor.do(Flatten())
    floor.play(WAIT)
    assert result(floor).stop_placed is None


def test_more_than_a_trades_share_of_the_account_at_the_stop_was_too_large() -> None:
    # 250 may be lost; 10 lots of 21 ticks are 262.50.
    floor = entered(10, Bracket(stop_ticks=21, targets=((10, 100),)))
    floor.play(UP)
    assert result(floor).size_kept is False
    assert entered(9, Bracket(stop_ticks=21)).view.position.trade.size_kept is True  # type: ignore[union-attr]


# -- slippage -------------------------------------------------------------------------------------
def test_slippage_is_against_the_mid_at_decision_and_told_for_each_fill() -> None:
    floor = entered(2, None)
    floor.do(Flatten())
    floor.play(WAIT)
    # Half a tick in, half a tick out: 2 half ticks of 0.625 for 2 lots.
    assert [r.slip_half_ticks for r in floor.of(Filled, PESSIMIST)] == [1, 1]
    assert Decimal(result(floor).slippage or 0) == Decimal("2.50")


def test_a_market_that_runs_away_before_the_order_arrives_is_slippage() -> None:
    floor = opened(buy(1))
    floor.play("~2 a20001:0 ~50 a20002:61")
    assert [(r.tick, r.slip_half_ticks) for r in floor.of(Filled, PESSIMIST)] == [(20002, 3)]


def test_a_stop_is_measured_at_its_trigger_and_a_target_not_at_all() -> None:
    floor = entered(2)
    floor.play("~20 b20000:0&b19999:0&b19998:0&b19997:0&b19990:5&a20001:0&a20002:0&a19993:5 ~20 -19992:1 ~300 b19990:6")
    stopped = floor.of(Filled, PESSIMIST)[-1]
    # The mid at the trigger is 19991.5; it was sold at 19990.
    assert (stopped.tick, stopped.slip_half_ticks) == (19990, 3)
    floor = entered(2)
    floor.play(UP)
    assert [r.slip_half_ticks for r in floor.of(Filled, PESSIMIST)] == [1, None]
    assert result(floor).slippage == "1.25"


def test_an_entry_that_missed_says_what_one_would_have_had_to_pay_then() -> None:
    floor = opened(buy(1, 20000))
    floor.play("~50 b20000:51 ~20 a20001:0")
    floor.do(Cancel(order=2 * IDS))
    floor.play("~50 b20000:50")
    assert [r.touch for r in floor.of(Changed, PESSIMIST) if r.state == "cancelled"] == [20002]


# -- pieces ---------------------------------------------------------------------------------------
def test_an_entry_filled_in_many_pieces_keeps_one_stop_and_few_targets() -> None:
    wide = Limits(latency_ms=5, order_lots=500, position_lots=500, trade_risk=0.05)
    floor = opened(
        buy(400, 20000, bracket=Bracket(stop_ticks=30, targets=((10, 100),))), limits=wide, equity="100000000"
    )
    floor.play("~50 b20000:20 b20000:0 ~1100 b19999:71 " + "~20 -20000:3 " * 130 + "~300 -20000:30 ~300 b19999:70")
    assert floor.view.position.lots == 400
    assert len([o for o in floor.view.venue.orders.values() if o.kind == "stop"]) == 1
    assert [o.left for o in floor.view.stops] == [400]
    targets = [o for o in floor.view.venue.orders.values() if o.kind == "limit"]
    assert sum(o.left for o in targets) == 400
    assert len(targets) <= 8
    assert not [r for r in floor.of(Changed) if r.state == "refused"]


def test_targets_of_what_was_filled_come_when_the_rest_is_taken_back() -> None:
    wide = Limits(latency_ms=5, order_lots=500, position_lots=500)
    floor = opened(
        buy(400, 20000, bracket=Bracket(stop_ticks=8, targets=((10, 100),))), limits=wide, equity="100000000"
    )
    floor.play("~50 b20000:20 b20000:0 ~1100 b19999:71 ~20 -20000:3 ~300 b20000:9")
    assert [r.why for r in floor.of(Sent, PESSIMIST)] == ["entry", "stop"]
    floor.do(Cancel(order=2 * IDS))
    floor.play("~50 b20000:8")
    assert [(r.why, r.lots) for r in floor.of(Sent, PESSIMIST)][2:] == [("target", 3)]


def test_entries_that_are_over_are_forgotten() -> None:
    floor = entered()
    floor.play(UP)
    assert floor.view.position.lots == 0
    assert floor.view.exits.place_of(2 * IDS) is None
    floor.do(buy(1, 20000), CancelAll())
    floor.play(WAIT)
    assert all(view[0].exits.place_of(3 * IDS) is None for view in floor.desk.views.values())
    assert floor.desk.views[OPTIMIST][0].venue.idle


def test_a_flatten_does_not_wait_for_the_clock() -> None:
    floor = entered()
    at = floor.now
    floor.do(Flatten())
    floor.play("~20 b20000:51 ~20 b20000:50")
    filled = floor.of(Filled, PESSIMIST)[-1]
    # Cancels take one delay of 5 ms, the order at market another.
    assert (filled.position, filled.recv_ns - at) == (0, 10_000_000)


def test_stops_are_unknown_and_not_covered_while_the_book_is_not_live() -> None:
    floor = entered()
    floor.play("~1000 b20000:51")
    assert floor.view.status.state == "covered"
    floor.play("!halted ~2000 !halted ~1500 !halted ~1500 !halted")
    assert floor.view.status.state == "unknown"
    told = [r.text for r in floor.of(Told) if r.kind == "unknown"]
    assert told == ["stop status unknown: the book is halted"]
    floor.do(Arm())
