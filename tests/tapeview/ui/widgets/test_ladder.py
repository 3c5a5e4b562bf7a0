import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapeview import format as text
from tapeview.snapshot import ROW_BEST_ASK, ROW_BEST_BID, ROW_UNKNOWN, Window
from tapeview.ui.widgets.ladder import (
    EDGE_ROWS,
    GROUPS,
    MODES,
    Ladder,
)
from tests.kit import snapshots as kit
from tests.kit.screen import Stage, assert_aligned, assert_golden, drawn, lines

STALE = kit.status(state="stale", why="book silent for 3.2 s")
FRAMES = {
    "live": kit.snapshot(),
    "stale": kit.snapshot(status=STALE),
    "crossed": kit.snapshot(
        status=kit.status(state="crossed", why="bid 5 012.25 over ask 5 012.00"),
        ladder=kit.ladder(bids={20_049: 5}, asks={20_048: 7}),
    ),
    "syncing": kit.snapshot(status=kit.status(state="syncing"), ladder=kit.ladder(bids={}, asks={}, last=None)),
    "halted": kit.snapshot(status=kit.status(state="halted")),
    "ended": kit.snapshot(status=kit.status(ended=True, playing=False)),
    "empty": kit.snapshot(ladder=kit.ladder(bids={}, asks={}, last=None, marks={20_047: 0}, orders=False)),
    "one_sided": kit.snapshot(ladder=kit.ladder(asks={})),
    "negative": kit.snapshot(
        kit.OIL,
        ladder=kit.ladder(
            kit.OIL,
            top=-3_600,
            bids={-3_612: 14, -3_613: 5},
            asks={-3_610: 8, -3_609: 77},
            last=(-3_610, -1, 2, -1),
            marks={-3_611: 32},
        ),
    ),
    "huge": kit.snapshot(
        ladder=kit.ladder(bids={20_048: 4_611_686_018_427_387_904}, asks={20_049: 123_456_789, 20_050: 98_765})
    ),
    "tiny": kit.snapshot(
        kit.BTC, ladder=kit.ladder(kit.BTC, top=279_860, bids={279_851: 1}, asks={279_852: 3_204}, last=None)
    ),
    "off_grid": kit.snapshot(
        kit.BTC,
        ladder=kit.ladder(
            kit.BTC, top=279_860, bids={279_850: 41}, asks={279_852: 18}, off_grid={8: ("27 985.155", 0, 9)}, last=None
        ),
    ),
    "grouped": kit.snapshot(ladder=kit.ladder(top=2_006, rows=20, group=10)),
    "no_orders": kit.snapshot(ladder=kit.ladder(orders=False)),
    "unknown": kit.snapshot(ladder=kit.ladder(rows=20, marks=dict.fromkeys(range(20_041, 20_044), ROW_UNKNOWN))),
    "trading": kit.snapshot(desk=kit.long_two()),
    "trading_grouped": kit.snapshot(ladder=kit.ladder(top=2_006, rows=20, group=10), desk=kit.long_two(armed=False)),
    "bust": kit.snapshot(ladder=kit.ladder(last=(20_049, -1, 3, -1), last_ns=kit.NOON_NS - 2_000_000_000)),
}
SIZES = {"narrow": (40, 22), "middle": (61, 22), "wide": (86, 22)}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *((name, "middle") for name in FRAMES),
        *((n, s) for n in ("live", "stale", "huge", "trading") for s in ("narrow", "wide")),
    ],
)
def test_a_ladder_looks_as_it_was_found_good(name, size):
    panel = Ladder()
    panel.group = FRAMES[name].ladder.group
    rows = drawn(panel, FRAMES[name], size=SIZES[size])
    assert_aligned(rows, SIZES[size][0])
    assert_golden(__file__, f"ladder_{name}_{size}", rows)


def test_every_price_has_its_own_numbers_and_nobody_elses():
    snapshot = kit.snapshot()
    found = lines(drawn(Ladder(), snapshot, size=(86, 22)))[1:-1]
    part = snapshot.ladder
    for row, line in enumerate(found):
        words = "".join(c if c not in "▸◂▏▎▍▌▋▊▉█" else " " for c in line).split(part.label[row])
        left, right = words[0].split(), words[1].split()
        assert (text.size(kit.MES, int(part.bid[row])) in left) == bool(part.bid[row])
        assert (text.size(kit.MES, int(part.ask[row])) in right) == bool(part.ask[row])
        if part.volume[row]:
            assert text.size(kit.MES, int(part.volume[row])) in left


def test_columns_stand_in_the_agreed_order():
    heading = lines(drawn(Ladder(), kit.snapshot(), size=(90, 10)))[0].split()
    assert heading == ["vol", "sold", "bought", "n", "bid", "price", "ask", "n"]


def test_size_bars_reach_the_same_length_on_both_sides_for_the_same_size():
    found = drawn(
        Ladder(), kit.snapshot(ladder=kit.ladder(bids={20_048: 100}, asks={20_049: 100}, bar_lots=200)), size=(86, 22)
    )

    def length(side):
        cells = [(c, style) for row in found for run, style in row for c in run]
        return sum(1 for c, s in cells if s.endswith(f"@{side}-bar") and "touch" not in s)

    assert length("bid") == length("ask") > 0


def test_the_touch_is_on_the_price_of_the_best_bid_and_the_best_ask_alone():
    snapshot = kit.snapshot()
    found = drawn(Ladder(), snapshot, size=(86, 22))[1:-1]
    for row, runs in enumerate(found):
        styles = [style for _, style in runs if style.startswith("touch")]
        marks = int(snapshot.ladder.marks[row])
        expected = (
            ["touch bold@bid-bar"] if marks & ROW_BEST_BID else ["touch bold@ask-bar"] if marks & ROW_BEST_ASK else []
        )
        assert styles == expected


def test_the_last_trade_shows_its_direction_always_and_its_size_for_a_second():
    def marker(**changes):
        found = "\n".join(lines(drawn(Ladder(), kit.snapshot(**changes), size=(86, 22)))[1:-1])
        return (
            next(line for line in found.split("\n") if "◂▲" in line or "◂▼" in line or "◂•" in line)
            .split("◂")[1]
            .split()[0]
        )

    now = kit.NOON_NS
    assert marker(ladder=kit.ladder(last=(20_049, 1, 18, 1), last_ns=now)) == "▲18"
    assert marker(ladder=kit.ladder(last=(20_049, -1, 7, -1), last_ns=now - 999_000_000)) == "▼7"
    assert (
        marker(ladder=kit.ladder(last=(20_049, 0, 7, 0), last_ns=now - 1_000_000_000), status=kit.status(speed=1.0))
        == "•7"
    )
    assert (
        marker(ladder=kit.ladder(last=(20_049, 1, 18, 1), last_ns=now - 1_001_000_000), status=kit.status(speed=1.0))
        == "▲"
    )


def test_a_changed_size_is_bright_for_a_glance_and_then_settles():
    panel = Ladder()
    first = kit.ladder()
    second = kit.ladder(bids={20_048: 64, 20_047: 150, 20_046: 188, 20_045: 102, 20_043: 77})

    def frame(ms, ladder):
        return kit.snapshot(status=kit.status(market_ns=kit.NOON_NS + ms * 1_000_000, speed=1.0), ladder=ladder)

    def bright(*frames):
        rows = drawn(Ladder(), *frames, size=(86, 22))
        return {
            run.strip()
            for row in rows[1:-1]
            for run, style in row
            if style.startswith("loud") and run.strip().isdigit()
        }

    assert panel.cursor is None
    assert bright(frame(0, first)) == set()
    assert bright(frame(0, first), frame(10, second)) == {"64"}
    assert bright(frame(0, first), frame(10, second), frame(309, second)) == {"64"}
    assert bright(frame(0, first), frame(10, second), frame(310, second)) == set()
    # Going back in time lights nothing up for longer.
    assert bright(frame(0, first), frame(10, second), frame(5, second)) == set()


def test_small_changes_light_nothing_up_and_only_a_few_are_lit_at_once():
    prices = range(20_049, 20_061)
    before = kit.ladder(bids={}, asks=dict.fromkeys(prices, 100), last=None)

    def lit(asks):
        after = kit.ladder(bids={}, asks=asks, last=None)
        rows = drawn(Ladder(), kit.snapshot(ladder=before), kit.snapshot(ladder=after), size=(86, 22))
        bright = ["".join(run for run, style in row if style.startswith("loud bold")).split() for row in rows[1:-1]]
        return {int(word.rstrip("▸")) for words in bright for word in words}

    assert lit(dict.fromkeys(prices, 124)) == set()
    assert lit(dict.fromkeys(prices, 100) | {20_055: 125}) == {125}
    assert lit(dict.fromkeys(prices, 100) | {20_055: 75}) == {75}
    # Twelve changed: the eight that changed most.
    assert lit({price: 200 + price - 20_048 for price in prices}) == set(range(205, 213))


@pytest.mark.parametrize("state", ["stale", "crossed", "syncing"])
def test_a_book_that_is_not_live_is_dim_says_why_and_stays_readable(state):
    status = kit.status(state=state, why="something happened")
    rows = drawn(Ladder(), kit.snapshot(status=status), size=(61, 22))
    text_lines = lines(rows)
    assert any(state.upper() in line and "░" in line for line in text_lines)
    assert any("something happened" in line for line in text_lines)
    styles = {style.split("@")[0].split()[0] for row in rows[1:-1] for run, style in row if run.strip()}
    assert styles <= {"dim", "stale", "loud", "rule"}
    assert any("340" in line for line in text_lines)


def test_regions_the_source_does_not_tell_of_are_hatched():
    rows = lines(drawn(Ladder(), FRAMES["unknown"], size=(61, 22)))[1:-1]
    hatched = [line for line in rows if "░" in line]
    assert [line.split()[-4:-1] for line in hatched]
    assert len(hatched) == 3


def test_two_different_ladders_never_look_the_same_without_colour():
    # A session that ended, or a halt, leaves the book as it was: those are the truth line's to tell.
    looks = {
        name: "\n".join(lines(drawn(Ladder(), frame, size=(61, 22))))
        for name, frame in FRAMES.items()
        if name not in {"ended", "halted", "grouped"}
    }
    assert len(set(looks.values())) == len(looks)


# -- the cursor ------------------------------------------------------------------------------------
class Market:
    """A market that moves at random under a ladder, answering its window as the engine would."""

    def __init__(self, rows):
        self.rows, self.bid, self.now = rows, 20_048, kit.NOON_NS

    def frame(self, window: Window):
        group = window.group
        top = window.top if window.top is not None else self.bid // group + self.rows // 2
        bids = {self.bid - i: 10 + i for i in range(5)}
        asks = {self.bid + 1 + i: 10 + i for i in range(5)}
        ladder = kit.ladder(top=top, rows=self.rows, group=group, bids=bids, asks=asks, last=(self.bid, 1, 3, 1))
        return kit.snapshot(window=window, status=kit.status(market_ns=self.now), ladder=ladder)

    def move(self, ticks):
        self.bid += ticks
        self.now += 40_000_000


@settings(max_examples=25, deadline=None)
@given(
    moves=st.lists(st.one_of(st.integers(-3, 3), st.integers(-400, 400)), min_size=1, max_size=30),
    start=st.integers(-15, 15),
    group=st.sampled_from([1, 5, 25]),
    mode=st.sampled_from(MODES),
)
def test_no_market_event_changes_the_price_under_the_cursor(moves, start, group, mode):
    async def run():
        panel, rows = Ladder(), 20
        panel.mode, panel.group = mode, group
        market = Market(rows)
        async with Stage(panel).run_test(size=(61, rows + 2)):
            panel.show(market.frame(panel.ask(Window())))
            panel.action_touch()
            panel.action_move(start)
            price = panel.cursor
            for ticks in moves:
                market.move(ticks)
                snapshot = market.frame(panel.ask(Window()))
                panel.show(snapshot)
                assert panel.cursor == price
                shown = lines(panel.dump())
                marked = [line for line in shown[1:-1] if line.startswith("▸")]
                label = text.ladder_price(kit.MES, price)
                ladder_rows = [int(tick) for tick in snapshot.ladder.tick]
                if price in ladder_rows:
                    assert len(marked) == 1
                    assert label in marked[0]
                else:
                    assert not marked
                    distance = min(abs(tick - price) for tick in ladder_rows) // group
                    arrow = "↑" if price > ladder_rows[0] else "↓"
                    assert f"▸ {label} {distance}{arrow}" in shown[-1]

    asyncio.run(run())


async def test_keys_move_the_cursor_by_prices():
    panel = Ladder()
    async with Stage(panel).run_test(size=(61, 22)) as pilot:
        panel.focus()
        panel.show(kit.snapshot())
        await pilot.press("up")
        assert panel.cursor == 20_048  # the first press shows where one is
        await pilot.press("up")
        assert panel.cursor == 20_049
        await pilot.press("down", "down")
        assert panel.cursor == 20_047
        await pilot.press("pageup")
        assert panel.cursor == 20_047 + 18
        await pilot.press("home")
        assert panel.cursor == 20_048
        await pilot.press("pagedown", "pagedown")
        assert panel.cursor == 20_048 - 36


async def test_the_ladder_follows_the_cursor_the_user_moves_out_of_sight():
    panel, market = Ladder(), Market(20)
    async with Stage(panel).run_test(size=(61, 22)):
        panel.show(market.frame(panel.ask(Window())))
        panel.action_touch()
        panel.action_move(30)
        for _ in range(4):  # the market's touch is out of sight now, and may not call the ladder back
            market.move(1)
            panel.show(market.frame(panel.ask(Window())))
        assert any(line.startswith("▸") for line in lines(panel.dump())[1:-1])
        panel.action_centre()
        panel.show(market.frame(panel.ask(Window())))
        assert any("◂" in line for line in lines(panel.dump())[8:14])


async def test_home_brings_the_touch_back_into_the_middle_when_it_was_out_of_sight():
    panel, market = Ladder(), Market(20)
    async with Stage(panel).run_test(size=(61, 22)):
        panel.show(market.frame(panel.ask(Window())))
        panel.scroll_rows(40)
        panel.show(market.frame(panel.ask(Window())))
        panel.action_touch()
        panel.show(market.frame(panel.ask(Window())))
        assert panel.cursor == market.bid
        assert lines(panel.dump())[11].startswith("▸")


# -- recentring ------------------------------------------------------------------------------------
def test_the_ladder_stands_still_until_the_touch_nears_an_edge():
    async def run():
        panel, market = Ladder(), Market(20)
        tops = []
        async with Stage(panel).run_test(size=(61, 22)):
            for _ in range(12):
                snapshot = market.frame(panel.ask(Window()))
                panel.show(snapshot)
                tops.append((snapshot.ladder.top, market.bid))
                market.move(1)
        return tops

    tops = asyncio.run(run())
    still = [top for top, bid in tops if top - (bid + 1) >= EDGE_ROWS]
    first = tops[0][0]
    moved = [i for i, (top, _) in enumerate(tops) if top != first]
    assert moved, "the touch came to the edge and the ladder never recentred"
    at = moved[0]
    # Until then not one row moved; the frame before shows the ask closer than three rows to the top.
    assert all(top == first for top, _ in tops[:at])
    assert first - (tops[at - 1][1] + 1) == EDGE_ROWS - 1
    assert tops[at][0] - tops[at][1] == 10
    assert still


def test_static_never_recentres_and_pinned_always_does():
    async def run(mode):
        panel, market = Ladder(), Market(20)
        panel.mode = mode
        tops = []
        async with Stage(panel).run_test(size=(61, 22)):
            for _ in range(30):
                snapshot = market.frame(panel.ask(Window()))
                panel.show(snapshot)
                tops.append(snapshot.ladder.top - market.bid)
                market.move(1)
        return tops

    assert asyncio.run(run("static")) == [10 - i for i in range(30)]
    assert set(asyncio.run(run("pinned"))) == {10}


async def test_a_wide_spread_does_not_make_the_ladder_jump():
    panel = Ladder()
    panel.group = 1
    async with Stage(panel).run_test(size=(61, 22)):
        for step in range(6):
            panel.show(
                kit.snapshot(ladder=kit.ladder(top=20_058, bids={20_040: 3}, asks={20_057 + step: 4}, last=None))
            )
            assert panel.ask(Window()).top == 20_058


async def test_keys_group_clear_and_change_the_way_of_recentring():
    panel = Ladder()
    async with Stage(panel).run_test(size=(61, 22)) as pilot:
        panel.focus()
        panel.show(kit.snapshot())
        seen = [panel.group]
        for _ in range(8):
            await pilot.press("+")
            seen.append(panel.group)
        assert seen == [1, 2, 5, 10, 20, 25, 50, 100, 200]
        await pilot.press("-")
        assert panel.group == 100
        assert panel.ask(Window()).group == 100
        assert panel.ask(Window()).top is None
        await pilot.press("l")
        assert panel.mode == "static"
        await pilot.press("l", "l")
        assert panel.mode == "auto"
        await pilot.press("c")
        assert panel.ask(Window()).recent_from_ns == kit.NOON_NS
        assert "since 12:30:00" in lines(panel.dump())[-1]
        await pilot.press("c")
        assert panel.ask(Window()).recent_from_ns is None


@pytest.mark.parametrize(
    ("bid", "group"),
    # A tick of 0.25 at 5,012, of 0.01 at 585, of 0.1 at 97,000 (9.7 ticks to a tenth of a basis point), of 1e-8 at 1.
    [(20_048, 1), (58_500, 1), (970_003, 10), (100_000_000, 1000), (-970_003, 10)],
)
async def test_a_market_of_very_fine_ticks_opens_grouped(bid, group):
    panel = Ladder()
    async with Stage(panel).run_test(size=(61, 22)):
        part = kit.ladder(top=bid + 10, bids={bid: 4}, asks={bid + 1: 5}, last=None, marks={bid: 0})
        panel.show(kit.snapshot(ladder=part))
        assert panel.ask(Window()).group == group
        panel.action_group(1)
        panel.show(kit.snapshot(ladder=part))
        assert panel.ask(Window()).group == GROUPS[GROUPS.index(group) + 1]  # the user's choice stays


async def test_the_foot_tells_where_the_touch_is_while_it_is_out_of_sight():
    panel = Ladder()
    async with Stage(panel).run_test(size=(61, 22)):
        panel.show(kit.snapshot(ladder=kit.ladder(top=20_078)))
        assert "bid 11↓  ask 10↓" in lines(panel.dump())[-1]
        panel.show(kit.snapshot(ladder=kit.ladder(top=20_040)))
        assert "bid 8↑  ask 9↑" in lines(panel.dump())[-1]
        panel.show(kit.snapshot())
        assert "bid" not in lines(panel.dump())[-1]


@pytest.mark.parametrize(("spread", "group"), [(1, 1), (6, 1), (7, 2), (17, 5), (300, 50), (100_000, 20_000)])
async def test_a_market_with_a_wide_spread_opens_with_both_sides_in_sight(spread, group):
    panel = Ladder()
    async with Stage(panel).run_test(size=(61, 22)):
        part = kit.ladder(top=20_058, bids={20_048: 4}, asks={20_048 + spread: 5}, last=None)
        panel.show(kit.snapshot(ladder=part))
        assert panel.ask(Window()).group == group
        assert spread <= group * 20 / 3


def test_grouping_steps_grow_and_end():
    assert list(GROUPS) == sorted(set(GROUPS))
    assert all(isinstance(step, int) for step in GROUPS)


async def test_grouping_keeps_the_cursor_s_price_and_row():
    panel, market = Ladder(), Market(20)
    async with Stage(panel).run_test(size=(61, 22)):
        panel.show(market.frame(panel.ask(Window())))
        panel.action_touch()
        panel.action_move(4)
        panel.show(market.frame(panel.ask(Window())))
        price = panel.cursor
        row = next(i for i, line in enumerate(lines(panel.dump())) if line.startswith("▸"))
        panel.action_group(1)
        panel.show(market.frame(panel.ask(Window())))
        assert panel.cursor == price
        assert lines(panel.dump())[row].startswith("▸")


async def test_the_mouse_puts_the_cursor_on_a_price_and_the_wheel_moves_the_view():
    panel = Ladder()
    async with Stage(panel).run_test(size=(61, 22)) as pilot:
        panel.show(kit.snapshot())
        await pilot.click(panel, offset=(20, 5))
        assert panel.cursor == 20_060 - 4
        panel.scroll_rows(3)
        assert panel.ask(Window()).top == 20_063
        assert panel.cursor == 20_056


async def test_another_instrument_starts_with_a_ladder_of_its_own():
    panel = Ladder()
    async with Stage(panel).run_test(size=(61, 22)):
        panel.show(kit.snapshot())
        panel.action_touch()
        assert panel.ask(Window()).top == 20_060
        part = kit.ladder(kit.BTC, top=279_860, bids={279_851: 1}, asks={279_852: 3}, last=None)
        panel.show(kit.snapshot(kit.BTC, status=kit.status(instrument="binance:BTC"), ladder=part))
        assert panel.cursor is None
        assert panel.ask(Window()).top == 279_860


def test_the_foot_tells_the_exact_size_under_the_cursor():
    def on(panel):
        panel.cursor = 279_852

    part = kit.ladder(kit.BTC, top=279_860, bids={279_851: 1}, asks={279_852: 1_234_567}, last=None)
    foot = lines(
        drawn(Ladder(), kit.snapshot(kit.BTC, ladder=part), kit.snapshot(kit.BTC, ladder=part), size=(80, 22), act=on)
    )[-1]
    assert "▸ 27 985.20" in foot
    assert "ask 1234.567" in foot


@settings(max_examples=20, deadline=None)
@given(
    data=st.data(),
    width=st.integers(20, 110),
    scale=st.sampled_from([kit.MES, kit.BTC, kit.OIL]),
    top=st.integers(-(10**9), 10**9),
    state=st.sampled_from(["live", "stale", "halted"]),
)
def test_every_row_is_as_wide_as_the_panel_whatever_the_numbers(data, width, scale, top, state):
    lots = st.integers(1, 2**62)
    ticks = st.integers(top - 19, top)
    bids = data.draw(st.dictionaries(ticks, lots, max_size=6))
    asks = data.draw(st.dictionaries(ticks, lots, max_size=6))
    last = data.draw(st.none() | st.tuples(ticks, st.integers(-1, 1), lots, st.integers(-1, 1)))
    part = kit.ladder(scale, top=top, bids=bids, asks=asks, last=last, bar_lots=data.draw(lots))
    snapshot = kit.snapshot(scale, status=kit.status(state=state), ladder=part)

    def cursor(panel):
        panel.cursor = top - 5

    assert_aligned(drawn(Ladder(), snapshot, snapshot, size=(width, 22), act=cursor), width)


@settings(max_examples=30, deadline=None)
@given(
    moves=st.lists(st.tuples(st.integers(-40, 40), st.integers(1, 60)), min_size=1, max_size=25),
    rows=st.integers(6, 40),
)
def test_whatever_the_spread_does_the_ladder_never_loses_the_touch_by_itself(moves, rows):
    async def run():
        panel = Ladder()
        bid, now = 20_048, kit.NOON_NS

        def frame(bid, spread):
            window = panel.ask(Window())
            top = window.top if window.top is not None else (2 * bid + spread) // 2 + rows // 2
            part = kit.ladder(top=top, rows=rows, bids={bid: 3}, asks={bid + spread: 4}, last=None)
            return kit.snapshot(window=window, status=kit.status(market_ns=now), ladder=part)

        panel.group = 1
        async with Stage(panel).run_test(size=(61, rows + 2)):
            for step, spread in moves:
                bid += step
                for _ in range(3):
                    panel.show(frame(bid, spread))
                top = panel.ask(Window()).top
                at = [top - bid - spread, top - bid]
                assert EDGE_ROWS - 1 <= sum(at) / 2 <= rows - EDGE_ROWS or rows < 2 * EDGE_ROWS + 2
                if spread <= rows - 2 * EDGE_ROWS - 4:
                    assert EDGE_ROWS <= at[0] <= at[1] <= rows - 1 - EDGE_ROWS

    asyncio.run(run())


# -- trading ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", MODES)
async def test_while_trading_keys_are_armed_the_ladder_does_not_move_by_itself(mode):
    panel, market = Ladder(), Market(20)
    panel.mode = mode

    def show(armed):
        desk = kit.desk(armed=armed)
        panel.show(replace(market.frame(panel.ask(Window())), desk=desk))
        return panel.snapshot.ladder.top

    async with Stage(panel).run_test(size=(61, 22)):
        show(False)
        before = show(False)
        tops = [show(True)]
        for _ in range(30):
            market.move(1)
            tops.append(show(True))
        assert set(tops) == {before}
        panel.action_centre()
        show(True)
        assert show(True) > before or mode == "pinned"
        market.move(40)
        show(False)
        after = show(False)
        # Disarmed, each goes its own way again.
        assert (after - market.bid == 10) == (mode != "static")


async def test_a_price_inside_a_row_and_own_orders_on_a_row_are_known():
    panel = Ladder()
    panel.group = 10
    frame = FRAMES["trading_grouped"]
    async with Stage(panel).run_test(size=(61, 22)):
        panel.show(frame)
        panel.cursor = 20_047
        assert panel.between_rows
        panel.cursor = 20_040
        assert not panel.between_rows
        assert panel.own_ticks() == [20_044, 20_047]
        panel.cursor = 20_060
        assert panel.own_ticks() == [20_056]  # what sells stands on the row above its price
        panel.cursor = 20_000
        assert panel.own_ticks() == []
        panel.cursor = None
        assert panel.own_ticks() == []
        assert not panel.between_rows


async def test_the_column_of_ones_own_comes_with_the_first_use_and_stays():
    panel = Ladder()
    async with Stage(panel).run_test(size=(61, 22)):
        panel.show(kit.snapshot(desk=kit.desk()))
        assert "own" not in lines(panel.dump())[0]
        panel.show(kit.snapshot(desk=kit.desk(armed=True)))
        assert "own" in lines(panel.dump())[0]
        panel.show(kit.snapshot(desk=kit.desk()))
        assert "own" in lines(panel.dump())[0]


def test_an_order_off_the_grid_s_row_is_not_shown_on_it():
    frame = kit.snapshot(
        kit.BTC,
        ladder=kit.ladder(
            kit.BTC, top=279_860, bids={279_850: 41}, asks={279_852: 18}, off_grid={8: ("27 985.155", 0, 9)}, last=None
        ),
        desk=kit.desk(orders=(kit.order(tick=279_852, side=-1, ahead=None),)),
    )
    own = [line for line in lines(drawn(Ladder(), frame, size=(86, 22))) if "▼.002" in line or "▼0.002" in line]
    assert len(own) == 1
    assert "27 985.20" in own[0]
