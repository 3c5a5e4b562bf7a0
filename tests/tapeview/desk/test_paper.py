"""Paper orders: worked cases of queues, arrivals, stops and holes, and the truth of orders the market really had."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import script
from feeds.events import AUCTION, Events
from feeds.instruments import Instrument
from tapeview.desk import paper, queue
from tapeview.desk.commands import LIMIT, MARKET, STOP
from tapeview.desk.paper import Change, Fill, Order, PaperVenue
from tapeview.engine import Engine

INSTRUMENT = Instrument(venue="test", symbol="X", tick="1")
OPENING = "[ b100:5 b99:7 b98:9 a101:4 a102:6 a103:8 ]"
MS = 1_000_000


class Floor:
    """A market and paper venues beside it: what is sent arrives, and rows come, as in a session."""

    def __init__(self, *, exact: bool = False, latency_ms: int = 1, hopeful: tuple[bool, ...] = (False, True)) -> None:
        self.engine = Engine(INSTRUMENT)
        self.venues = [PaperVenue(hopeful=one, latency_ns=latency_ms * MS, exact=exact) for one in hopeful]
        self.done: list[list[Fill | Change]] = [[] for _ in self.venues]
        self.now = script.START_NS
        self.seq = -1
        self.numbers = 0

    def play(self, text: str | Events) -> None:
        rows = script.events(text, start_ns=self.now) if isinstance(text, str) else text
        rows = rows.copy()
        rows["seq"] = np.arange(self.seq + 1, self.seq + 1 + len(rows))
        while len(rows):
            n = min(venue.cut(rows["recv_ns"]) for venue in self.venues)
            if not n:
                self.arrive(int(rows["recv_ns"][0]))
                continue
            outcome = self.engine.apply(rows[:n])
            self.seq, self.now = int(rows["seq"][n - 1]), int(rows["recv_ns"][n - 1])
            for venue, done in zip(self.venues, self.done, strict=True):
                done.extend(venue.step(outcome.events, outcome.frame))
            rows = rows[n:]

    def arrive(self, before_ns: int) -> None:
        for venue, done in zip(self.venues, self.done, strict=True):
            done.extend(venue.arrive(before_ns, self.engine.book, self.seq))

    def wait(self, ms: int = 10) -> None:
        """Let time pass with nothing happening, so that what was sent arrives."""
        self.now += ms * MS
        self.arrive(self.now)

    def send(self, side: int, lots: int, kind: str = LIMIT, tick: int | None = None, **more: Any) -> int:
        self.numbers += 1
        for venue in self.venues:
            venue.send(
                Order(id=self.numbers, side=side, lots=lots, kind=kind, tick=tick, sent_ns=self.now, left=lots, **more)
            )
        return self.numbers

    def fills(self, which: int = 0) -> list[tuple[int, int, str]]:
        return [(one.tick, one.lots, one.liquidity) for one in self.done[which] if isinstance(one, Fill)]

    def states(self, which: int = 0) -> list[str]:
        return [one.state for one in self.done[which] if isinstance(one, Change)]

    def ahead(self, number: int = 1) -> list[int | None]:
        return [venue.ahead(number) for venue in self.venues]


def opened(**more: Any) -> Floor:
    floor = Floor(**more)
    floor.play(OPENING)
    return floor


# -- arrivals -------------------------------------------------------------------------------------
def test_an_order_at_market_walks_the_real_book() -> None:
    floor = opened()
    floor.send(1, 12, MARKET)
    floor.wait()
    assert floor.fills() == [(101, 4, "taker"), (102, 6, "taker"), (103, 2, "taker")]


def test_what_the_book_has_not_got_is_cancelled_at_market() -> None:
    floor = opened()
    floor.send(-1, 30, MARKET)
    floor.wait()
    assert sum(lots for _, lots, _ in floor.fills()) == 21
    assert floor.states() == ["cancelled"]


def test_a_limit_beyond_the_touch_takes_what_is_there_and_rests_with_nothing_ahead() -> None:
    floor = opened()
    floor.send(1, 10, LIMIT, 102)
    floor.wait()
    assert floor.fills() == [(101, 4, "taker"), (102, 6, "taker")]
    floor.send(1, 9, LIMIT, 101)
    floor.play("a101:0 a102:0")
    floor.wait()
    assert floor.states()[-1] == "working"
    assert floor.ahead(2) == [0, 0]


def test_an_order_meets_the_book_of_the_moment_it_arrives_and_not_of_the_key_press() -> None:
    floor = opened(latency_ms=20)
    floor.send(1, 4, MARKET)
    floor.play("~10 a101:0 ~5 a102:1 ~10 a102:9")
    assert floor.fills() == [(102, 1, "taker"), (103, 3, "taker")]


def test_nothing_is_done_on_a_book_that_is_not_live() -> None:
    floor = opened()
    floor.play("!halted")
    floor.send(1, 1, MARKET)
    floor.wait()
    assert floor.fills() == []
    assert floor.done[0] == [Change(1, floor.seq, script.START_NS + MS, "refused", "the book is halted")]


# -- queues ---------------------------------------------------------------------------------------
def test_a_limit_waits_behind_what_is_displayed_and_is_filled_by_prints_beyond_it() -> None:
    floor = opened()
    floor.send(1, 3, LIMIT, 100)
    floor.wait()
    assert floor.ahead() == [5, 5]
    floor.play("-100:4&b100:1")
    assert floor.ahead() == [1, 1]
    floor.play("-100:3&b100:0")
    assert floor.fills() == [(100, 2, "maker")]
    floor.play("-99:1")
    assert floor.fills()[1:] == [(100, 1, "maker")]


def test_prints_by_the_own_side_do_nothing() -> None:
    floor = opened()
    floor.send(1, 1, LIMIT, 100)
    floor.wait()
    floor.play("+100:50")
    assert floor.ahead() == [5, 5]


def test_cancels_help_the_optimist_in_proportion_and_the_pessimist_not() -> None:
    floor = opened()
    floor.play("b100:10")
    floor.send(1, 1, LIMIT, 100)
    floor.play("~5 b100:20 b100:14")
    assert floor.ahead() == [10, 7]
    floor.play("b100:6")
    assert floor.ahead() == [6, 3]


def test_a_decrease_told_before_its_print_is_not_counted_twice() -> None:
    floor = opened()
    floor.play("b100:10")
    floor.send(1, 1, LIMIT, 100)
    floor.play("~5 b100:12 b100:8 -100:4")
    assert floor.ahead() == [6, 6]
    floor.play("-100:4 b100:4")
    assert floor.ahead() == [2, 2]


def test_a_print_that_reaches_past_the_queue_fills_though_the_level_was_lowered_before() -> None:
    floor = opened()
    floor.send(1, 2, LIMIT, 100)
    floor.play("~5 b100:8 b100:0&-100:8")
    assert floor.fills(0) == floor.fills(1) == [(100, 2, "maker")]


def test_the_other_side_coming_to_the_price_fills_what_it_shows() -> None:
    floor = opened()
    floor.send(1, 5, LIMIT, 100)
    floor.wait()
    floor.play("b100:0&a100:3")
    assert floor.fills() == [(100, 3, "maker")]
    floor.play("a102:5 a100:4")
    assert floor.fills()[1:] == [(100, 1, "maker")]


def test_after_a_hole_the_pessimist_goes_to_the_back_and_the_optimist_keeps_his_place() -> None:
    floor = opened()
    floor.send(1, 1, LIMIT, 100)
    floor.wait()
    floor.play("-100:3&b100:2 !gap ~1000 [ b100:20 b99:1 a101:3 ]")
    assert floor.ahead() == [20, 2]


def test_prints_outside_of_the_flow_fill_nothing() -> None:
    floor = opened()
    floor.send(1, 1, LIMIT, 100)
    floor.wait()
    rows = script.events("-99:5", start_ns=floor.now)
    rows["aux"] = AUCTION
    floor.play(rows)
    assert floor.fills() == []


# -- cancels, stops --------------------------------------------------------------------------------
def test_an_order_can_still_be_filled_while_its_cancel_is_on_the_way() -> None:
    floor = opened(latency_ms=50)
    floor.send(1, 1, LIMIT, 100)
    floor.wait(60)
    floor.venues[0].cancel(1, floor.now)
    floor.venues[1].cancel(1, floor.now)
    floor.play("~20 -100:9&b100:0")
    assert floor.fills() == [(100, 1, "maker")]
    floor.wait(60)
    assert "cancelled" not in floor.states()


def test_a_cancelled_order_leaves_the_queue() -> None:
    floor = opened()
    floor.send(1, 1, LIMIT, 100)
    floor.wait()
    for venue in floor.venues:
        venue.cancel(1, floor.now)
    floor.wait()
    floor.play("-99:50")
    assert floor.fills() == []
    assert floor.states() == ["working", "cancelled"]
    assert all(venue.idle for venue in floor.venues)


@pytest.mark.parametrize(("by_quote", "word"), [(False, "-98:1"), (True, "b100:0&b99:0")])
def test_a_stop_triggers_by_prints_or_by_the_best_price_and_then_pays_what_is_there(by_quote: bool, word: str) -> None:
    floor = opened()
    floor.send(-1, 2, STOP, 98, by_quote=by_quote)
    floor.wait()
    assert floor.states() == ["waiting"]
    floor.play(word)
    assert floor.states() == ["waiting", "triggered"]
    floor.play("~5 b97:9&b98:0&b99:0&b100:0 ~5 b97:9")
    assert sum(lots for _, lots, _ in floor.fills()) == 2


def test_a_stop_with_protection_rests_where_the_market_ran_through_it() -> None:
    floor = opened()
    floor.send(-1, 2, STOP, 99, protect_ticks=1)
    floor.wait()
    floor.play("-99:1&b100:0&b99:0&b98:0&b90:5 ~5 b90:6")
    assert floor.fills() == []
    assert floor.states() == ["waiting", "triggered", "working"]


# -- order by order ---------------------------------------------------------------------------------
def test_order_by_order_the_place_is_known() -> None:
    floor = Floor(exact=True)
    floor.play("o1b100:5 o2b100:3 o3a101:2 !live")
    floor.send(1, 2, LIMIT, 100)
    floor.wait()
    assert floor.ahead() == [8, 8]
    floor.play("o4b100:9 x2")
    assert floor.ahead() == [5, 5]
    floor.play("x4 o5b100:1")
    assert floor.ahead() == [5, 5]
    floor.play("f1:5")
    assert floor.ahead() == [0, 0]
    floor.play("f5:1")
    assert floor.fills() == [(100, 1, "maker")]


def test_a_change_that_loses_its_place_goes_behind() -> None:
    floor = Floor(exact=True)
    floor.play("o1b100:5 o2b100:3 o3a101:2 !live")
    floor.send(1, 2, LIMIT, 100)
    floor.wait()
    floor.play("m1b100:4")
    assert floor.ahead() == [7, 7]
    floor.play("m1b100:6")
    assert floor.ahead() == [3, 3]
    floor.play("m2b99:3")
    assert floor.ahead() == [0, 0]
    floor.play("m2b100:3 x1")
    assert floor.ahead() == [0, 0]


@given(st.integers(0, 10**9), st.booleans())
@settings(max_examples=60, deadline=None)
def test_an_order_beside_a_real_one_knows_its_queue(seed: int, small_table: bool) -> None:
    """A real order of the market joins the queue with ours: what is ahead of it is ahead of ours too."""
    draw = random.Random(seed)
    floor = Floor(exact=True, hopeful=(False,))
    if small_table:
        floor.venues[0]._later = np.zeros(4, queue.LATER)
    floor.play("o900b99:1 o901a101:1 " + " ".join(f"o{n}b100:{draw.randint(1, 9)}" for n in range(1, 6)) + " !live")
    floor.send(1, 1, LIMIT, 100)
    floor.wait()
    floor.play("o500b100:1")
    resting = [1, 2, 3, 4, 5, 500]
    for number in range(6, 60):
        word = draw.choice(("add", "cancel", "fill", "less", "more", "away"))
        one = draw.choice([n for n in resting if n != 500] or [0])
        if word == "add" or not one:
            floor.play(f"o{number}b100:{draw.randint(1, 9)}")
            resting.append(number)
        elif word == "fill":
            first = floor.engine.book.orders_at(1, 100)[0]
            if first["id"] == 500:
                break
            floor.play(f"f{first['id']}:{draw.randint(1, int(first['lots']))}")
        elif word == "cancel":
            floor.play(f"x{one}")
        else:
            order = floor.engine.book.order(one)
            assert order is not None
            lots = {"less": max(1, order.lots - 1), "more": order.lots + 1, "away": order.lots}[word]
            floor.play(f"m{one}b{99 if word == 'away' else 100}:{lots}")
        resting = [n for n in resting if (o := floor.engine.book.order(n)) is not None and o.tick == 100]
        real = floor.engine.book.order(500)
        assert real is not None
        assert floor.ahead() == [real.queue_ahead_lots]


_WORDS = (
    "~{1}",
    "~{1}0",
    "b9{0}:{1}",
    "b100:{1}",
    "b100:0",
    "a10{0}:{1}",
    "a101:0",
    "-9{0}:{1}",
    "-100:{1}",
    "+101:{1}",
)


# -- cuts ---------------------------------------------------------------------------------------------
@given(st.lists(st.integers(1, 25), max_size=40), st.integers(0, 10**6), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_however_rows_are_cut_the_same_is_filled(cuts: list[int], seed: int, latency_ms: int) -> None:
    draw = random.Random(seed)
    words = [draw.choice(_WORDS).format(draw.randint(0, 3), draw.randint(1, 9)) for _ in range(150)]
    rows = script.events(OPENING + " " + " ".join(words))

    def run(pieces: list[Events]) -> tuple[list[list[Fill | Change]], str]:
        floor = Floor(latency_ms=latency_ms)
        floor.play(rows[:12])
        floor.send(1, 3, LIMIT, 100)
        floor.send(-1, 3, LIMIT, 101)
        floor.send(-1, 2, STOP, 98)
        floor.send(1, 2, LIMIT, 99)
        for piece in pieces:
            floor.play(piece)
        return floor.done, "".join(venue.digest() for venue in floor.venues)

    rest, parts = rows[12:], []
    for count in cuts:
        parts.append(rest[:count])
        rest = rest[count:]
    parts.append(rest)
    assert run([rows[12:]]) == run([part for part in parts if len(part)])


def test_plain_python_says_what_the_kernels_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> list[list[Fill | Change]]:
        floor = opened()
        floor.send(1, 3, LIMIT, 100)
        floor.play("~5 b100:9 b100:4 -100:4 -99:1")
        return floor.done

    compiled = run()
    monkeypatch.setattr(paper._jit, "_twins", {})
    assert run() == compiled
    assert any(isinstance(one, Fill) for one in compiled[0])


def test_more_orders_than_there_is_room_for_are_refused_in_words() -> None:
    floor = opened()
    for _ in range(queue.SLOTS + 1):
        floor.send(1, 1, LIMIT, 90)
    floor.wait()
    assert floor.done[0][-1] == Change(65, floor.seq, script.START_NS + MS, "refused", "more than 64 orders at a time")
    assert floor.states().count("working") == queue.SLOTS
