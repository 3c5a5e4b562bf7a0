"""What an entry is weighed against: legs on a position, costs, the share of the account, volume, dates, the limit."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feeds import script
from tapeview.desk.commands import Arm, Bracket, CancelAll, Elsewhere, Facts, Flatten, PayIn, Place, Scale
from tapeview.desk.limits import Limits
from tapeview.desk.records import PESSIMIST, Changed, Filled, Refused, Sent, Told
from tests.kit.floor import NET, Floor, buy, opened

QUICK = Limits(latency_ms=5, losses_stop=20, cooldown_min=0)
STOP_16 = Bracket(stop_ticks=16)
HIGHER = " ~20 a20001:0&a20002:0&a20003:0&a20010:0&a20100:9&b20016:50&a20017:50 ~300 b20016:51 ~300 b20016:50"


def long_two(**more: object) -> Floor:
    """2 lots from 5000.25 with a stop 4 points lower, which is 40 of risk."""
    floor = opened(buy(2, bracket=STOP_16), **more)  # type: ignore[arg-type]
    floor.play("~50 b20000:51 ~300 b20000:50")
    assert floor.view.position.lots == 2
    return floor


def reasons(floor: Floor) -> list[str]:
    return [r.reason for r in floor.of(Refused)]


def test_two_and_two_of_mes_bring_all_stops_to_where_the_risk_is_what_it_was() -> None:
    floor = long_two()
    floor.play(HIGHER)
    floor.do(buy(2, bracket=STOP_16))
    floor.play("~50 b20016:51 ~300 b20016:50")
    assert [(r.tick, r.lots) for r in floor.of(Filled, PESSIMIST)] == [(20001, 2), (20017, 2)]
    assert [r.why for r in floor.of(Sent, PESSIMIST)] == ["entry", "stop", "add", "stop"]
    # (5002.25 - s) x 4 lots <= 4 points x 2 lots: 5000.25, the first leg's entry.
    assert [(o.tick, o.left) for o in floor.view.stops] == [(20001, 2), (20001, 2)]
    plan = floor.view.plan()
    assert plan is not None
    assert (plan.open_risk, plan.risk) == (32, 32)
    assert [r.text for r in floor.of(Told) if r.kind == "stop"] == [
        "stops move to 5000.25: all legs together lose no more than was to be lost before"
    ]


def test_a_leg_without_a_bracket_is_covered_by_the_same_stop() -> None:
    floor = long_two()
    floor.play(HIGHER)
    floor.do(buy(2))
    floor.play("~50 b20016:51 ~300 b20016:50")
    assert [(o.tick, o.left) for o in floor.view.stops] == [(20001, 2), (20001, 2)]


def test_a_leg_too_early_is_refused_with_the_price_from_which_it_may_come() -> None:
    floor = long_two()
    floor.do(buy(1, bracket=STOP_16))
    assert reasons(floor) == [
        "the position grows only where its risk does not: adds from 5002.25 on, 0.5 R in favour, not at 5000.25"
    ]


def test_nothing_is_averaged_down_by_a_limit_either() -> None:
    floor = long_two()
    floor.play(HIGHER)
    floor.do(buy(1, 20000, bracket=STOP_16))
    assert "not at 5000.00" in reasons(floor)[0]


def test_a_position_whose_stops_do_not_cover_it_does_not_grow() -> None:
    floor = long_two()
    floor.do(CancelAll())
    floor.play(HIGHER)
    floor.do(buy(1))
    assert reasons(floor) == ["the position grows only behind stops that cover all of it: what it risks is not known"]


def test_a_leg_whose_stop_would_stand_at_the_market_is_refused() -> None:
    floor = long_two()
    # Half an R in favour is 5002.25; 8 lots more would need a stop a hair below.
    floor.play("~20 a20001:0&a20002:0&a20003:0&a20010:0&a20100:9&b20008:50&a20009:50 ~300 b20008:51")
    floor.do(buy(10), buy(8))
    assert all("is where the market is" in reason or "risk" in reason for reason in reasons(floor))
    assert len(floor.of(Sent, PESSIMIST)) == 2 + 2 - len(reasons(floor))


def test_what_is_being_closed_takes_no_entry() -> None:
    floor = long_two()
    floor.do(Flatten(), buy(1, bracket=STOP_16))
    assert reasons(floor) == ["the position is being closed"]
    floor.play("~300 b20000:51 ~300 b20000:50 ~700 b20000:51")
    assert floor.view.position.lots == 0
    floor.do(buy(1, bracket=STOP_16))
    assert len(reasons(floor)) == 1


@given(st.integers(0, 10**6), st.sampled_from((1, -1)))
@example(7, 1)
@example(1, -1)
@settings(max_examples=25, deadline=None)
def test_whatever_is_added_and_however_it_is_filled_the_risk_at_the_stop_does_not_grow(seed: int, side: int) -> None:
    draw = random.Random(seed)
    wide = Limits(latency_ms=5, losses_stop=20, cooldown_min=0, position_lots=100, orders_minute=600)
    target = (draw.randint(20, 60), draw.choice((25, 50)))
    floor = Floor(limits=wide, equity="1000000")
    middle, legs = 20000, 0
    floor.play(f"[ b{middle - 1}:9 b{middle - 40}:90 a{middle + 1}:9 a{middle + 40}:90 ] ~6000 b{middle - 1}:8")
    floor.do(Arm(), Place(side=side, lots=draw.randint(1, 4), kind="market",
                          bracket=Bracket(stop_ticks=draw.randint(4, 20), targets=(target,))))  # fmt: skip
    floor.play(f"~50 b{middle - 1}:9")
    for _ in range(25):
        to = middle + draw.choice((side, side, -side)) * draw.randint(0, 8)
        words = f"~20 b{middle - 1}:0&a{middle + 1}:0&b{to - 1}:{draw.randint(1, 9)}&a{to + 1}:{draw.randint(1, 9)}"
        middle = to
        floor.play(f"{words} {draw.choice('+-')}{to}:{draw.randint(1, 5)} ~{draw.choice((1, 300))} b{to - 1}:9")
        bracket = draw.choice((None, Bracket(stop_ticks=draw.randint(1, 30))))
        tick = draw.choice((None, middle, middle - 3 * side))
        floor.do(Arm(), Place(side=side, lots=draw.randint(1, 9), kind="market" if tick is None else "limit", tick=tick,
                              bracket=bracket))  # fmt: skip
        floor.play(f"~{draw.choice((2, 20))} b{to - 1}:8 ~20 b{to - 1}:9 ~20 b{to - 1}:8")
        for view in floor.desk.views.values():
            plan, trade = view[0].plan(), view[0].position.trade
            if plan is not None and trade is not None and not view[0].leaving:
                legs = max(legs, len(plan.legs))
                stops = view[0].stops
                if len({one.tick for one in stops}) == 1:
                    assert plan.open_risk <= plan.risk
                # Entries sent while flat have stops of their own: together they lose what they were to lose.
                paid = sum(leg.tick * leg.lots for leg in plan.legs)
                assert plan.side * (paid - sum((one.tick or 0) * one.left for one in stops)) <= plan.risk
    if seed == 7:
        assert legs > 1


def test_a_smaller_size_by_scale_holds_orders_positions_and_risk() -> None:
    floor = opened(Scale(share=0.527, why="moves as one with MBT"))
    floor.do(buy(6))
    assert reasons(floor) == ["6 lots, the limit for an order is 5 now: moves as one with MBT"]
    # A trade may lose 1 % of 25,000, and 131.75 of that now: 5 lots of 21 ticks are 131.25, and of 22 are 137.50.
    floor.do(buy(5, 20000, bracket=Bracket(stop_ticks=21)), buy(5, 20000, bracket=Bracket(stop_ticks=22)))
    assert reasons(floor)[1:] == [
        "10 lots lose 275.00 at the stop, 0.53% of the account allow 4",
    ]  # fmt: skip
    floor.do(Scale(share=1), buy(5, 20000, bracket=Bracket(stop_ticks=22)))
    assert len(reasons(floor)) == 2
    floor.do(Scale(share=0), Scale(share=1.5))
    assert [text.partition(":")[0] for text in reasons(floor)[2:]] == ["a share of 0", "a share of 1.5"]


def test_more_than_a_trades_share_of_the_account_is_warned_of() -> None:
    floor = opened(buy(10, bracket=Bracket(stop_ticks=21)))
    assert [r.text for r in floor.of(Told) if r.kind == "warn"] == [
        "10 lots lose 262.50 at the stop, 1.00% of the account allow 9"
    ]


def test_costs_that_eat_more_than_a_tenth_of_r_are_told_at_entry() -> None:
    # 1.24 a round trip against 9 and 10 ticks of 1.25: 11.0 % and 9.9 %.
    floor = opened(buy(1, bracket=Bracket(stop_ticks=9)), profile=NET)
    assert [r.text for r in floor.of(Told) if r.kind == "warn"] == [
        "costs of 1.24 a lot are 11.0% of what 9 ticks risk"
    ]
    dear = opened(buy(1, bracket=Bracket(stop_ticks=10)), profile=NET)
    assert not [r for r in dear.of(Told) if r.kind == "warn"]


def test_a_size_beyond_the_daily_volumes_share_is_warned_of_and_then_refused_with_exit_and_impact() -> None:
    facts = Facts(warn_lots=2500, most_lots=5000, day_lots=250_000, sigma=0.08)
    wide = Limits(latency_ms=5, order_lots=10_000, position_lots=10_000)
    floor = opened(facts, limits=wide, equity="100000000")
    floor.play("+20001:30 -20000:30")
    floor.do(buy(2500, 20000), buy(1, 20000))
    (warned,) = [r.text for r in floor.of(Told) if r.kind == "warn"]
    # 10 % of 60 lots a minute is 6: 2,501 lots take 417 min. Impact: 0.5 to 1 x 8 % x sqrt(2501 / 250000).
    assert warned == (
        "the position would come to 2501 lots, the daily volume warns from 2500; getting out takes 417 min at 10% of"
        " what trades and moves the price by 0.40% to 0.80%"
    )
    floor.do(buy(2500, 20000))
    assert "the position would come to 5001 lots, the daily volume allows 5000" in reasons(floor)[0]
    assert "0.57% to 1.13%" in reasons(floor)[0]


def test_dates_that_are_near_are_told_at_entry_and_others_are_not() -> None:
    # The script's rows are of 2023-11-14, 16:13 in Chicago.
    facts = Facts(dates=(("2023-11-13", "gone"), ("2023-11-16", "a decision"), ("2023-12-24", "far")))
    floor = opened(facts, buy(1))
    assert [r.text for r in floor.of(Told) if r.kind == "warn"] == ["2023-11-16: a decision"]


@pytest.mark.parametrize(
    "facts",
    [Facts(dates=(("soon", "x"),)), Facts(most_lots=3), Facts(warn_lots=-1, most_lots=3), Facts(day_lots=0.0)],
)
def test_facts_that_are_none_are_refused(facts: Facts) -> None:
    assert len(reasons(opened(facts))) == 1


def test_the_worst_case_counts_entries_that_only_work_and_positions_elsewhere() -> None:
    # 500 may be lost. 10 lots of 19 ticks and one more are 250.
    plan = buy(10, 20000, bracket=Bracket(stop_ticks=19))
    floor = opened(plan, plan, limits=Limits(latency_ms=5, position_lots=100))
    assert not reasons(floor)
    floor.do(plan)
    assert "the worst case of all plans, 750.00, is more than the 500.00" in reasons(floor)[0]
    assert not reasons(opened(Elsewhere(profit="0", worst="250"), plan))
    assert "500.01" in reasons(opened(Elsewhere(profit="0", worst="250.01"), plan))[0]
    # What stands against open positions elsewhere is counted in their worst case and not twice.
    assert not reasons(opened(Elsewhere(profit="-100", worst="250", unrealised="-100"), plan))
    assert reasons(opened(Elsewhere(profit="-100", worst="250"), plan))


def test_a_loss_elsewhere_leaves_less_and_locks_at_the_limit() -> None:
    floor = opened(Elsewhere(profit="-499.99"))
    assert not floor.desk.locked
    floor.do(Elsewhere(profit="-500"))
    assert floor.desk.locked.startswith("daily loss limit")
    floor.do(Elsewhere(profit="1000"), Arm(), buy(1))
    assert [text.partition(":")[0] for text in reasons(floor)] == ["locked", "locked"]
    floor.do(Elsewhere(profit="much"))
    assert "an amount" in reasons(floor)[-1]


def test_what_is_paid_in_neither_raises_the_limit_nor_hides_a_loss() -> None:
    floor = opened(PayIn(amount="10000"), Elsewhere(profit="-500"))
    assert floor.desk.account() == 35000
    assert floor.desk.locked == "daily loss limit: lost 500.00, the limit is 500.00"
    poor = opened(PayIn(amount="-25000"))
    assert reasons(poor) == ["nothing would be left"]


def test_a_closing_order_is_not_held_to_what_entries_are() -> None:
    floor = long_two()
    floor.do(Facts(warn_lots=0, most_lots=0), Place(side=-1, lots=2, kind="market", bracket=Bracket(stop_ticks=5000)))
    assert not reasons(floor)
    floor.play("~300 b20000:51")
    assert floor.view.position.lots == 0
    assert not floor.view.stops or all(not o.left for o in floor.view.stops)


def test_entries_of_the_last_minute_are_counted_by_the_markets_time() -> None:
    floor = opened(buy(1, 19999), buy(1, 19999), buy(1, 19999), limits=Limits(orders_minute=2, latency_ms=5))
    assert reasons(floor) == ["2 orders in the last minute, the limit is 2"]
    floor.play("~60001 b20000:49")
    floor.do(buy(1, 19999))
    assert len(reasons(floor)) == 1
    assert floor.now > script.START_NS
    assert [r.state for r in floor.of(Changed, PESSIMIST)].count("working") == 2
