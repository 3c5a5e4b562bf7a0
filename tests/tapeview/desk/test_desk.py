"""The desk over a real engine: commands, brackets, locks, and the same records however rows are cut."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feeds import script
from feeds.errors import BadInput
from tapeview.desk.commands import (
    MARKET,
    AnyCommand,
    Arm,
    Bracket,
    Call,
    CancelAll,
    Disarm,
    Flatten,
    Place,
    Trail,
)
from tapeview.desk.costs import Profile, Tier
from tapeview.desk.decision import Scene
from tapeview.desk.limits import Limits
from tapeview.desk.records import (
    OPTIMIST,
    PESSIMIST,
    Changed,
    Closed,
    Decided,
    Filled,
    Kept,
    Refused,
    Sent,
    Told,
)
from tests.kit.floor import NET, OPENING, Floor, buy, opened


def test_nothing_is_sent_before_the_desk_is_armed() -> None:
    floor = Floor()
    floor.play(OPENING)
    floor.do(buy())
    assert [r.reason for r in floor.of(Refused)] == ["not armed"]
    assert not floor.of(Sent)


def test_a_bracket_makes_exits_of_what_is_filled_and_one_takes_the_other_away() -> None:
    floor = opened(buy(4, bracket=Bracket(stop_ticks=8, targets=((4, 50), (8, 50)))))
    floor.play("~50 b20000:51 ~50 b20000:50")
    sent = [(r.side, r.lots, r.kind, r.tick, r.why) for r in floor.of(Sent, PESSIMIST)]
    assert sent == [
        (1, 4, "market", None, "entry"), (-1, 4, "stop", 19993, "stop"), (-1, 2, "limit", 20005, "target"),
        (-1, 2, "limit", 20009, "target"),
    ]  # fmt: skip
    floor.play("~50 +20006:9 ~200 b20000:52")
    assert [(r.tick, r.lots) for r in floor.of(Filled, PESSIMIST)] == [(20001, 4), (20005, 2)]
    cut = [r for r in floor.of(Changed, PESSIMIST) if r.state == "cut"]
    assert [(r.order, r.lots) for r in cut] == [(2000001, 2)]
    floor.play("~50 -19992:5 ~100 b20000:50 ~300 b20000:51")
    assert floor.desk.views[PESSIMIST][0].position.lots == 0
    closed = floor.of(Closed, PESSIMIST)
    assert len(closed) == 1
    # Half at +4 ticks, half at market after the stop: the bid of 20000, a tick below the entry.
    assert closed[0].gross == "7.50"
    assert closed[0].r == pytest.approx(7.5 / (8 * 1.25 * 4))
    assert floor.desk.views[PESSIMIST][0].venue.idle


def test_fees_are_taken_from_what_is_made() -> None:
    floor = opened(buy(1, bracket=Bracket(stop_ticks=8)), profile=NET)
    floor.play("~50 b20000:51")
    floor.do(Flatten())
    floor.play("~300 b20000:50 ~300 b20000:51 ~300 b20000:51")
    (closed,) = floor.of(Closed, PESSIMIST)
    assert (closed.gross, closed.fees, closed.net) == ("-1.25", "1.24", "-2.49")


def test_a_flatten_closes_what_is_open_and_takes_orders_back() -> None:
    floor = opened(buy(3), buy(2, 19999))
    floor.play("~50 b20000:51")
    floor.do(Flatten())
    floor.play("~500 b20000:50 ~500 b20000:51")
    assert floor.desk.views[PESSIMIST][0].position.lots == 0
    assert not floor.desk.busy


def test_a_book_that_is_no_longer_live_disarms() -> None:
    floor = opened()
    floor.play("!halted")
    floor.do(buy())
    assert not floor.desk.armed
    assert [r.kind for r in floor.of(Told)] == ["armed", "disarmed"]
    assert floor.of(Refused)[-1].reason == "not armed"


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (buy(11), "11 lots, the limit for an order is 10"),
        (buy(1, 19000), "1000 ticks away from the touch, the limit is 500"),
        (buy(1, 20030), "29 ticks through the touch, the limit is 10"),
        (Place(side=1, lots=1, kind="stop", tick=20001), "a stop must lie beyond the market: it would trigger at once"),
        (Place(side=1, lots=0, kind="market"), "0 lots: at least 1"),
        (Place(side=1, lots=1, kind="limit"), "a limit and a stop need a price, an order at market has none"),
        (buy(1, bracket=Bracket(stop_ticks=0)), "stops and targets lie from 1 to 1000000 ticks away"),
        (
            buy(1, bracket=Bracket(stop_ticks=1, targets=((10**19, 50),))),
            "stops and targets lie from 1 to 1000000 ticks away",
        ),
        (buy(1, bracket=Bracket(stop_ticks=1, targets=((1, 5),) * 5)), "5 targets, the most is 4"),
    ],
)
def test_every_refusal_is_a_sentence(order: Place, why: str) -> None:
    floor = opened(order)
    assert [r.reason for r in floor.of(Refused)] == [why]
    assert not floor.of(Sent)


def test_what_is_no_command_here_is_refused_in_words() -> None:
    floor = opened(Call(side=0), Arm(inst=1), Flatten(inst=-1), buy(1))
    floor.play("~50 b20000:51")
    floor.do(Trail())
    assert [r.reason for r in floor.of(Refused)] == [
        "side 0: +1 buys and -1 sells", "instrument 1: there are 1", "instrument -1: there are 1",
        "the position has no stop that could trail",
    ]  # fmt: skip


def test_a_trail_ends_with_its_trade_and_the_next_stop_stays() -> None:
    floor = opened(buy(1, bracket=Bracket(stop_ticks=8, trail=True)))
    floor.play("~50 b20000:51")
    assert floor.view.exits.trailing
    floor.do(Flatten())
    floor.play("~300 b20000:50 ~1000 b20000:51")
    assert not floor.view.exits.trailing
    floor.do(buy(1, bracket=Bracket(stop_ticks=8)))
    assert not floor.view.exits.trailing


def test_a_position_may_not_grow_beyond_its_limit_counting_what_still_works() -> None:
    floor = opened(buy(10, 20000), buy(10, 19999), buy(1, 19998))
    assert floor.of(Refused)[-1].reason == "the position would come to 21 lots, the limit is 20"


def test_orders_a_minute_are_counted() -> None:
    floor = opened(*[buy(1, 19999)] * 4, limits=Limits(orders_minute=3))
    assert [r.reason for r in floor.of(Refused)] == ["3 orders in the last minute, the limit is 3"]


@pytest.mark.parametrize(("guard", "refused"), [(0, False), (1, False), (2, True)])
def test_an_iceberg_ahead_is_warned_of_or_refused_until_it_is_eaten(guard: int, refused: bool) -> None:
    floor = opened(limits=Limits(iceberg_guard=guard))
    floor.do(buy(1), scene=Scene(icebergs=((-1, 20002),)))
    assert bool(floor.of(Refused)) is refused
    assert ([r.kind for r in floor.of(Told)].count("warn") == 1) is (guard == 1)
    floor.do(buy(1), scene=Scene(icebergs=()))
    assert len(floor.of(Sent, PESSIMIST)) == (1 if refused else 2)


def test_two_percent_exactly_locks_flattens_and_stays_locked_whatever_comes() -> None:
    # 500 of 25,000: 10 lots from 20,001 down 40 ticks of 1.25.
    floor = opened(buy(10))
    floor.play("~50 b20000:51 ~300 b20000:51")
    down = "&".join(f"b{tick}:0" for tick in (20000, 19999, 19998, 19997, 19990))
    floor.play(f"~20 {down}&b19962:900&a19963:9 ~200 b19962:901")
    assert not floor.desk.locked
    floor.play("~20 b19962:0&b19961:900 ~200 b19961:901")
    assert floor.desk.locked.startswith("daily loss limit")
    floor.play("~20 b20400:9&a19963:0&a20500:3 ~500 b20400:10 ~500 b20400:9")
    assert floor.desk.views[PESSIMIST][0].position.lots == 0
    assert floor.desk.locked
    floor.do(Arm(), buy(1))
    assert [r.reason.partition(":")[0] for r in floor.of(Refused)] == ["locked", "locked"]
    again = Floor(kept={"day": [r.line for r in floor.of(Kept) if r.what == "day"][-1]}, equity="30000")
    again.play(OPENING)
    again.do(Arm())
    assert again.of(Refused)[0].reason.startswith("locked: daily loss limit")


def test_a_plan_whose_worst_case_is_more_than_may_be_lost_is_refused() -> None:
    floor = opened(buy(10, bracket=Bracket(stop_ticks=39)), buy(10, bracket=Bracket(stop_ticks=40)))
    assert len(floor.of(Refused)) == 1
    assert "worst case" in floor.of(Refused)[0].reason


def test_a_position_without_a_stop_is_told_of() -> None:
    floor = opened(buy(2))
    floor.play("~50 b20000:51 ~7000 b20000:52")
    assert [r.text.partition(":")[0] for r in floor.of(Told) if r.kind == "naked"] == ["NAKED POSITION"]


def test_a_stop_that_covers_three_of_four_is_told_of_and_a_new_one_ends_it() -> None:
    floor = opened(buy(1), buy(3, bracket=Bracket(stop_ticks=8)))
    floor.play("~50 b20000:51 ~7000 b20000:52")
    (told,) = [r.text for r in floor.of(Told) if r.kind == "naked"]
    assert told == "NAKED POSITION: stops cover 3 of 4"
    floor.do(Place(side=-1, lots=1, kind=MARKET))
    floor.play("~50 b20000:51 ~1000 b20000:52")
    assert floor.view.status.state == "covered"


def test_another_limit_in_the_settings_acts_from_the_next_session_on() -> None:
    floor = opened(buy(1))
    kept = {"day": next(r.line for r in floor.of(Kept) if r.what == "day")}
    again = Floor(kept=kept, limits=Limits(daily_loss=0.05))
    again.play(OPENING)
    again.do(Arm())
    assert again.desk.day is not None
    assert again.desk.day.limit == 500
    again.now += 2 * 86_400 * 10**9
    again.play("b20000:49")
    again.do(Arm())
    assert again.desk.day.limit == 1250


def test_a_profile_that_does_not_know_the_symbol_is_refused_before_anything_is_traded() -> None:
    with pytest.raises(BadInput, match="it has no other exchange fees"):
        Floor(profile=Profile(name="few", tier=[Tier(commission="0")], exchange={"MNQ": "0.35"}))


def test_a_stop_trails_and_never_loosens() -> None:
    floor = opened(
        buy(2, bracket=Bracket(stop_ticks=8)), Trail(on=True),
        limits=Limits(latency_ms=5, trail_k=0, trail_ticks=6, trail_step_ms=0),
    )  # fmt: skip
    floor.play("~200 b20000:51")
    draw, bid, words = random.Random(3), 20000, ""
    for _ in range(60):
        new = bid + draw.choice((-2, -1, 1, 3))
        words += f" ~60 b{bid}:0&a{new + 1}:5&b{new}:5" + "".join(f"&a{t}:0" for t in range(bid + 1, new + 1))
        bid = new
    floor.play(words)
    moved = [r.tick for r in floor.of(Changed, PESSIMIST) if r.state == "moved"]
    assert moved
    assert moved == sorted(moved)


def test_a_decision_says_what_was_on_the_screen() -> None:
    floor = opened()
    floor.play("+20001:4")
    floor.do(
        buy(2, 20000, bracket=Bracket(stop_ticks=8, targets=((16, 100),)), setup="fade", sure=0.6),
        scene=Scene(alerts=("iceberg bid 20000",), last_alert="iceberg", last_alert_ns=floor.now - 5_000_000_000),
    )
    (decided,) = floor.of(Decided)
    assert (decided.entry_tick, decided.stop_tick, decided.target_ticks) == (20000, 19992, (20016,))
    assert (decided.bid, decided.ask, decided.state, decided.setup) == (20000, 20001, "live", "fade")
    assert decided.waited_ns == 5_000_000_000
    assert decided.alerts == ("iceberg bid 20000",)


def test_the_pessimist_never_has_a_better_result_than_the_optimist() -> None:
    floor = opened(buy(2, 20000, bracket=Bracket(stop_ticks=8)))
    floor.play("~50 b20000:80 b20000:60 b20000:40 ~1500 -20000:35 ~200 b20000:5")
    filled = {view: sum(r.lots for r in floor.of(Filled, view)) for view in (PESSIMIST, OPTIMIST)}
    assert filled == {PESSIMIST: 0, OPTIMIST: 2}


WORDS = ("~{1}", "~{1}00", "b2000{0}:{1}", "b20000:{1}", "b1999{1}:{0}", "a2000{1}:{0}", "-20000:{1}", "+20001:{1}",
         "-1999{1}:{0}5", "+2000{1}:{1}")  # fmt: skip


@given(st.integers(0, 10**6), st.lists(st.integers(1, 30), max_size=30))
@settings(max_examples=60, deadline=None)
@example(18, [10])
@example(2982, [1, 1, 1, 26, 30, 30])
def test_position_and_cash_are_the_sums_of_fills_and_records_do_not_depend_on_cuts(seed: int, cuts: list[int]) -> None:
    draw = random.Random(seed)
    rows = script.events(
        OPENING + " ~6000 b19997:1 b19997:2 b19997:3 "
        + " ".join(draw.choice(WORDS).format(draw.randint(0, 3), draw.randint(1, 9)) for _ in range(120))
    )  # fmt: skip
    plan: dict[int, AnyCommand] = {}
    for _ in range(8):
        bracket = Bracket(stop_ticks=draw.randint(1, 6), targets=((draw.randint(1, 5), 50),), trail=draw.random() < 0.5)
        plan[draw.randint(20, len(rows) - 1)] = draw.choice(
            (
                Place(side=1, lots=draw.randint(1, 3), kind="limit", tick=20000, bracket=bracket),
                Place(side=-1, lots=2, kind=MARKET, bracket=bracket), Place(side=1, lots=2, kind=MARKET), CancelAll(),
                Flatten(), Arm(), Disarm(),
            )
        )  # fmt: skip

    def run(cuts: Sequence[int]) -> Floor:
        floor = Floor()
        floor.play(rows[:20])
        floor.do(Arm())
        ends = sorted({*np.cumsum([20, *cuts]).tolist(), *plan, len(rows)})
        for start, end in zip([20, *ends], ends, strict=False):
            floor.play(rows[start:end])
            if end in plan:
                floor.do(Arm(), plan[end])
        return floor

    whole, parts = run([]), run(cuts)
    assert msgspec.json.encode(parts.records) == msgspec.json.encode(whole.records)
    assert parts.desk.digest() == whole.desk.digest()
    for view in (PESSIMIST, OPTIMIST):
        position = whole.desk.views[view][0].position
        fills = whole.of(Filled, view)
        assert position.lots == sum(r.side * r.lots for r in fills)
        assert position.cash == -sum(r.side * r.lots * r.tick for r in fills)
        assert [r.position for r in fills] == np.cumsum([r.side * r.lots for r in fills]).tolist()
        exits = [o for o in whole.desk.views[view][0].venue.orders.values() if o.reduces and o.kind == "stop"]
        assert sum(o.left for o in exits) <= abs(position.lots)
