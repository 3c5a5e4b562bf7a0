import asyncio
import time

import numpy as np
import pytest

from feeds import script
from feeds.events import CLOCK, LAST, TRADE
from tapeview import bundled, config
from tapeview.config import Config
from tapeview.session import Session
from tapeview.ui.screens._tabs import InstrumentTabs
from tapeview.ui.screens.help import HelpScreen
from tapeview.ui.screens.trade import PANELS, TradeScreen
from tapeview.ui.widgets._panel import Panel
from tapeview.ui.widgets.alerts import Alerts, AlertStrip
from tapeview.ui.widgets.card import Card
from tapeview.ui.widgets.ladder import Ladder
from tapeview.ui.widgets.meters import Meters
from tapeview.ui.widgets.tape import Tape
from tapeview.ui.widgets.timeline import Timeline
from tapeview.ui.widgets.vwap import Chart
from tests.kit.trade import OPENING, SESSION, record, row_of

EVENTS = script.events(SESSION)
ENDS = EVENTS["seq"][(EVENTS["marks"] & LAST != 0) & (EVENTS["kind"] != CLOCK)]


def level(desk, tick):
    part = desk.shown.ladder
    row = row_of(part, tick)
    return int(part.bid[row]), int(part.ask[row])


async def played_to(seq, recording):
    """The digest of a session that played to an event without any screen."""
    from feeds import open_source

    with Session(open_source(recording), thresholds={}) as session:
        session.run_until(seq=int(seq))
        return session.digest()


async def test_the_first_frame_shows_the_book_of_the_first_message(trade):
    async with trade() as desk:
        assert [level(desk, tick) for tick in (400, 399, 401, 402)] == [(5, 0), (7, 0), (0, 2), (0, 9)]
        assert "100.00" in desk.text()
        assert "100.25" in desk.text()


async def test_one_event_on_and_one_event_back_give_exact_states(trade, recording):
    async with trade() as desk:
        at = int(np.searchsorted(ENDS, desk.playback.lane.session.seq, side="right"))
        for step in range(6):
            await desk.press("full_stop")
            assert desk.playback.lane.session.digest() == await played_to(ENDS[at + step], recording)
        for step in (4, 3, 2):
            await desk.press("comma")
            assert desk.playback.lane.session.digest() == await played_to(ENDS[at + step], recording)


async def test_one_event_on_changes_what_the_script_says(trade):
    async with trade() as desk:
        await desk.press("full_stop")  # +401:1
        assert desk.shown.ladder.last_tick == 401
        assert int(desk.shown.tape.prints["lots"][0]) == 1
        assert level(desk, 401) == (0, 2)
        await desk.press("full_stop")  # a401:1
        assert level(desk, 401) == (0, 1)
        await desk.press("full_stop")  # b400:8
        assert level(desk, 400) == (8, 0)
        await desk.press("comma")
        assert level(desk, 400) == (5, 0)


async def test_one_trade_on_goes_to_the_next_print(trade):
    trades = EVENTS[EVENTS["kind"] == TRADE]
    async with trade() as desk:
        for row in trades[:5]:
            await desk.press("greater_than_sign")
            newest = desk.shown.tape.prints[0]
            assert (int(newest["last_seq"]), int(newest["tick"])) == (int(row["seq"]), int(row["tick"]))


async def test_p_plays_and_holds(trade):
    async with trade() as desk:
        assert not desk.playback.playing
        await desk.press("p")
        assert desk.playback.playing
        assert desk.shown.status.playing
        await desk.press("p")
        assert not desk.playback.playing
        before = desk.playback.market_ns
        await desk.frame()
        assert desk.playback.market_ns == before


async def test_brackets_change_the_speed_within_its_bounds(trade):
    async with trade() as desk:
        await desk.press("right_square_bracket")
        assert desk.shown.status.speed == 2
        for _ in range(10):
            await desk.press("right_square_bracket")
        assert desk.shown.status.speed == 0
        assert "max" in desk.text()
        for _ in range(10):
            await desk.press("left_square_bracket")
        assert desk.shown.status.speed == 0.25


async def test_at_the_end_p_starts_again(trade):
    async with trade(at="+59s") as desk:
        desk.playback.set_speed(0.0)
        await desk.press("p")
        for _ in range(200):
            if desk.playback.ended:
                break
            await desk.frame()
        desk.playback.set_speed(1.0)
        await desk.frame()
        assert "ended" in desk.text()
        await desk.press("p")
        assert desk.playback.playing
        assert desk.shown.status.playing
        assert not desk.shown.status.ended
        assert desk.shown.status.market_ns - script.START_NS < 1_000_000_000


async def test_arrows_seek_by_ten_seconds_to_the_state_playing_through_gives(trade, recording):
    async with trade() as desk:
        await desk.press("right")
        assert desk.since_start_ms == 10_000
        through = EVENTS["seq"][np.maximum.accumulate(EVENTS["recv_ns"]) <= desk.playback.market_ns][-1]
        assert desk.playback.lane.session.digest() == await played_to(through, recording)
        await desk.press("shift+right")
        assert desk.since_start_ms == (EVENTS["recv_ns"][-1] - script.START_NS) / 1e6
        await desk.press("left")
        await desk.press("left")
        await desk.press("right")
        assert desk.since_start_ms == (EVENTS["recv_ns"][-1] - script.START_NS) / 1e6 - 10_000


async def test_go_to_takes_a_time_in_the_bottom_line(trade):
    async with trade() as desk:
        await desk.press("g")
        assert desk.screen.query_one(Ladder).display
        assert "go to" in desk.text()
        await desk.press(*"+12.5s", "enter")
        assert desk.since_start_ms == 12_500
        assert not desk.screen.query_one("#goto").display
        assert isinstance(desk.app.focused, Ladder)


async def test_go_to_says_what_a_time_looks_like_and_stays_open(trade):
    async with trade() as desk:
        before = desk.playback.market_ns
        await desk.press("g", *"noon", "enter")
        assert "ns since 1970" in desk.text()
        assert desk.playback.market_ns == before
        await desk.press("escape")
        assert desk.playback.market_ns == before
        assert isinstance(desk.app.focused, Ladder)


async def test_keys_typed_into_go_to_do_nothing_else(trade):
    async with trade() as desk:
        await desk.press("g", *"pzq.>,m")
        assert not desk.playback.playing
        assert desk.app.screen is desk.screen
        assert list(desk.screen.bookmarks) == []


async def test_bookmarks_are_set_jumped_between_and_taken_away(trade):
    async with trade() as desk:
        for _ in range(3):
            await desk.press("m", "right")
        marks = list(desk.screen.bookmarks)
        assert [(m - script.START_NS) // 10**6 for m in marks] == [0, 10_000, 20_000]
        await desk.press("quotation_mark")
        assert desk.playback.market_ns == marks[2]
        await desk.press("quotation_mark")
        assert desk.playback.market_ns == marks[1]
        await desk.press("apostrophe")
        assert desk.playback.market_ns == marks[2]
        await desk.press("apostrophe")
        assert desk.playback.market_ns == marks[0]
        await desk.press("m")
        assert list(desk.screen.bookmarks) == marks[1:]


async def test_a_jump_without_bookmarks_says_how_to_set_one(trade):
    async with trade() as desk:
        await desk.press("apostrophe")
        assert "m sets one" in desk.text()


async def test_the_anchor_key_starts_a_vwap_here_and_shows_it(trade):
    async with trade(size=(160, 40)) as desk:
        for _ in range(3):
            await desk.press("greater_than_sign")
        assert desk.shown.chart.anchor_slot == 0
        await desk.press("v")
        assert desk.shown.chart.anchor_slot >= 2
        assert desk.shown.chart.vwap_now is None
        await desk.press("greater_than_sign")
        assert desk.shown.chart.vwap_now == desk.shown.tape.prints["tick"][0]
        await desk.press("V", "full_stop")
        assert desk.shown.chart.anchor_slot == 0


async def test_the_cursor_keeps_its_price_through_steps_seeks_themes_and_sizes(trade):
    async with trade() as desk:
        await desk.press("up", "up", "up")
        ladder = desk.screen.query_one(Ladder)
        price = ladder.cursor
        assert price is not None
        for keys in (["full_stop"], ["right"], ["comma"], ["f9"], ["z"], ["z"], ["f6"], ["f5"], ["plus"], ["minus"]):
            await desk.press(*keys)
            assert ladder.cursor == price
        await desk.pilot.resize_terminal(90, 25)
        await desk.frame()
        assert ladder.cursor == price


async def test_tab_goes_round_the_panels_and_each_tells_its_keys(trade):
    async with trade(size=(160, 40)) as desk:
        seen = []
        for _ in range(len(PANELS)):
            seen.append(type(desk.app.focused))
            last = desk.text().splitlines()[-1]
            assert {Ladder: "group", Tape: "filter", Chart: "span", Alerts: "select"}[seen[-1]] in last
            await desk.press("tab")
        assert seen == list(PANELS)
        assert isinstance(desk.app.focused, Ladder)
        await desk.press("shift+tab")
        assert isinstance(desk.app.focused, PANELS[-1])


async def test_zoom_gives_one_panel_the_body_and_back(trade):
    async with trade(size=(160, 40)) as desk:
        tape, ladder = desk.screen.query_one(Tape), desk.screen.query_one(Ladder)
        width = tape.size.width
        await desk.press("tab", "z")
        assert tape.size.width == 160
        assert ladder not in desk.screen.panels
        await desk.press("z")
        assert tape.size.width == width
        assert ladder in desk.screen.panels


async def test_the_chart_can_be_zoomed_though_it_shares_a_column(trade):
    async with trade(size=(160, 40)) as desk:
        await desk.press("tab", "tab", "z")
        chart = desk.screen.query_one(Chart)
        assert chart.size == (160, 37)
        await desk.press("escape")
        assert chart.size.width < 80


@pytest.mark.parametrize(
    ("key", "there"),
    [
        ("f4", {Ladder, Alerts}),
        ("f5", {Ladder, Tape, Chart, Alerts}),
        ("f6", {Ladder, Tape}),
        ("f7", {Ladder, Chart, Alerts}),
        ("f8", {Ladder}),
    ],
)
async def test_layouts_show_what_they_say(trade, key, there):
    async with trade(size=(120, 36)) as desk:
        await desk.press("f8")
        await desk.press(key)
        assert {type(panel) for panel in desk.screen.panels} & {Ladder, Tape, Chart, Alerts} == there
        assert all(panel.size.width > 20 for panel in desk.screen.panels)


@pytest.mark.parametrize(
    ("size", "there", "absent"),
    [
        ((80, 24), {Ladder, Tape, Meters, AlertStrip}, {Chart, Card, Alerts}),
        ((120, 36), {Ladder, Tape, Chart, Meters, Alerts}, {Card, AlertStrip}),
        ((200, 60), {Ladder, Tape, Chart, Meters, Alerts}, {Card, AlertStrip}),
        ((60, 16), {Ladder, Tape}, {Chart, Card}),
        ((59, 16), {Card}, {Ladder, Tape, Chart, Meters, Alerts, AlertStrip}),
        ((60, 15), {Card}, {Ladder, Tape, Chart, Meters, Alerts, AlertStrip}),
        ((20, 5), {Card}, {Ladder}),
    ],
)
async def test_each_size_has_its_composition(trade, size, there, absent):
    async with trade(size=size) as desk:
        kinds = {type(panel) for panel in desk.screen.panels}
        assert there <= kinds
        assert not absent & kinds
        lines = desk.text().splitlines()
        assert len(lines) == size[1]
        assert all(len(line) == size[0] for line in lines)


async def test_panels_fill_the_screen_without_overlap(trade):
    async with trade(size=(80, 24)) as desk:
        for size in ((60, 16), (80, 24), (99, 40), (100, 28), (110, 30), (120, 36), (159, 50), (160, 40), (200, 60)):
            await desk.pilot.resize_terminal(*size)
            await desk.frame()
            cells = np.zeros((size[1], size[0]), int)
            for panel in desk.screen.panels:
                region = panel.region
                cells[region.y : region.bottom, region.x : region.right] += 1
            assert (cells == 1).all(), size


async def test_a_key_goes_round_all_sizes_without_losing_its_place(trade):
    async with trade(size=(120, 36)) as desk:
        await desk.press("right", "up")
        cursor, at = desk.screen.query_one(Ladder).cursor, desk.playback.market_ns
        for size in ((20, 5), (1, 1), (200, 60), (80, 24), (120, 36)):
            await desk.pilot.resize_terminal(*size)
            await desk.frame()
        assert (desk.screen.query_one(Ladder).cursor, desk.playback.market_ns) == (cursor, at)
        assert "100." in desk.text()


async def test_a_panel_that_cannot_draw_says_so_and_leaves_the_others_alone(trade, monkeypatch):
    async with trade(size=(120, 36)) as desk:
        broken = [True]
        draw = Tape.rows

        def rows(self, *args):
            if broken[0]:
                raise RuntimeError("dead tape")
            return draw(self, *args)

        monkeypatch.setattr(Tape, "rows", rows)
        await desk.press("full_stop")
        assert "dead tape" in desk.text()
        await desk.press("full_stop", "full_stop")
        assert level(desk, 400) == (8, 0)
        broken[0] = False
        await desk.press("tab", "R")
        assert "dead tape" not in desk.text()
        assert "100.25" in desk.text()


async def test_a_panel_that_cannot_ask_leaves_the_others_alone(trade, monkeypatch):
    async with trade(size=(120, 36)) as desk:
        monkeypatch.setattr(Chart, "ask", lambda self, window: 1 // 0)
        await desk.press("full_stop")
        assert desk.shown.ladder.last_tick == 401
        assert "ZeroDivisionError" in desk.text()


async def test_a_fault_behind_the_screen_holds_the_session_and_is_told_again_at_the_end(trade, monkeypatch):
    async with trade() as desk:
        await desk.press("p")
        monkeypatch.setattr(type(desk.playback), "tick", lambda self, now: 1 // 0)
        desk.screen.frame()
        assert not desk.playback.playing
        assert "ZeroDivisionError" in desk.screen._said
        assert "100.25" in desk.text()
        monkeypatch.undo()
        await desk.press("full_stop")
        assert desk.shown.ladder.last_tick == 401
        assert len(desk.app.faults) == 1
        assert "ZeroDivisionError" in desk.app.faults[0]


async def test_a_fault_in_a_seek_holds_the_session_too(trade, monkeypatch):
    async with trade() as desk:
        monkeypatch.setattr(type(desk.playback), "seek_relative", lambda self, seconds: {}[seconds])
        desk.screen.action_seek_by(10)
        await desk.frame()
        assert "KeyError" in desk.screen._said
        monkeypatch.undo()
        await desk.press("right")
        assert desk.since_start_ms == 10_000


async def test_alt_and_a_number_show_another_instrument(trade, tmp_path):
    other = record(tmp_path, SESSION.replace("400", "410").replace("401", "411"), symbol="MNQ")
    first = record(tmp_path, symbol="ONE")
    async with trade(addresses=[first, other]) as desk:
        assert desk.shown.status.instrument == "cme:ONE"
        await desk.press("alt+2")
        assert desk.shown.status.instrument == "cme:MNQ"
        assert desk.shown.ladder.best_bid == 410
        await desk.press("alt+9")
        assert desk.shown.status.instrument == "cme:MNQ"
        await desk.press("alt+1")
        assert desk.shown.status.instrument == "cme:ONE"
        line = desk.text().splitlines()[2]
        assert "▸1 ONE" in line
        assert " 2 MNQ" in line
        await desk.pilot.click(InstrumentTabs, offset=(line.index("MNQ"), 0))
        await desk.frame()
        assert desk.shown.status.instrument == "cme:MNQ"
        assert "▸2 MNQ" in desk.text().splitlines()[2]


async def test_the_event_rate_of_one_instrument_is_not_counted_against_anothers(trade, tmp_path):
    busy, calm = record(tmp_path, symbol="BUSY"), record(tmp_path, OPENING + " ~60000 +401:1", symbol="CALM")
    async with trade(addresses=[busy, calm], at="+40s") as desk:
        for key in ("full_stop", "full_stop", "full_stop", "alt+2"):
            await desk.press(key)
        assert desk.shown.status.instrument == "cme:CALM"
        assert desk.shown.status.events_per_s >= 0


async def test_one_instrument_needs_no_tabs(trade):
    async with trade() as desk:
        assert InstrumentTabs not in {type(panel) for panel in desk.screen.panels}


async def test_a_click_on_the_timeline_goes_there(trade):
    async with trade(size=(120, 36)) as desk:
        line = desk.screen.query_one(Timeline)
        await desk.pilot.click(Timeline, offset=(line.size.width // 2, 0))
        await desk.frame()
        length = EVENTS["recv_ns"][-1] - EVENTS["recv_ns"][0]
        assert abs(desk.playback.market_ns - EVENTS["recv_ns"][0] - length / 2) < length / 40


async def test_a_click_puts_the_cursor_on_a_price(trade):
    async with trade(size=(120, 36)) as desk:
        await desk.pilot.click(Ladder, offset=(10, 6))
        await desk.frame()
        ladder = desk.screen.query_one(Ladder)
        assert ladder.cursor == int(desk.shown.ladder.tick[5])


async def test_the_palette_offers_what_keys_do(trade):
    async with trade() as desk:
        told = {command.title for command in desk.app.get_system_commands(desk.screen)}
        assert {"Play or pause", "Go to a time", "Ladder and tape", "Centre on the touch", "Theme light"} <= told
        await desk.press("ctrl+p", *"play or pause", "enter")
        end = time.monotonic() + 20
        while not desk.playback.playing:
            assert time.monotonic() < end
            await desk.pilot.press("enter")
            await desk.pilot.pause(0.05)


async def test_help_leaves_the_session_where_it_is(trade):
    async with trade() as desk:
        await desk.press("right")
        at = desk.playback.market_ns
        await desk.press("question_mark")
        assert isinstance(desk.app.screen, HelpScreen)
        await desk.press("q")
        assert desk.app.screen is desk.screen
        assert desk.playback.market_ns == at


@pytest.mark.parametrize("theme", ["dark", "light", "deuter"])
async def test_themes_change_live(trade, theme):
    async with trade() as desk:
        while desk.app.theme != theme:
            await desk.press("f9")
        await desk.press("full_stop")
        bid = desk.app.theme_variables["bid"].lower()
        assert bid.lstrip("#") in desk.app.export_screenshot().lower()


async def test_q_remembers_where_the_session_was_left(trade, recording):
    async with trade(last=bundled.Last(str(recording), "MES")) as desk:
        await desk.press("right")
        at = desk.playback.market_ns
        await desk.pilot.press("q")
        await desk.pilot.pause()
    assert bundled.last() == bundled.Last(str(recording), "MES", at, "22:13:30")


def set_by(where, tmp_path, key, value):
    """Settings with one value of the screen, from a file or from the command line."""
    if where == "--set":
        return config.load([], [f"screen.{key}={value}"]).config
    path = tmp_path / "config.toml"
    path.write_text(f"[screen]\n{key} = {value!r}\n".replace("'", '"'))
    return config.load([path]).config


@pytest.mark.parametrize("where", ["file", "--set"])
class TestSettingsOfTheScreenAreSeenInItsFirstFrame:
    async def test_fps_is_how_often_a_frame_is_due(self, trade, tmp_path, where):
        async with trade() as desk:
            screen = TradeScreen(desk.playback, set_by(where, tmp_path, "fps", 12).screen)
            await desk.app.push_screen(screen)
            assert [t._interval for t in screen._timers if t._callback == screen.frame] == [pytest.approx(1 / 12)]
            await desk.app.pop_screen()

    async def test_recent_s_is_how_far_sold_and_bought_look_back(self, trade, recording, tmp_path, where):
        async with trade(at="+20s", settings=set_by(where, tmp_path, "recent_s", 2)) as desk:
            now = desk.playback.market_ns
            prints = [
                e for e in script.events(SESSION) if e["kind"] == TRADE and now - 2 * 10**9 <= e["recv_ns"] <= now
            ]
            wanted = {}
            for event in prints:
                wanted[int(event["tick"])] = wanted.get(int(event["tick"]), 0) + int(event["lots"])
            part = desk.shown.ladder
            assert {t: lots for t, lots in zip(part.tick.tolist(), part.bought.tolist(), strict=True) if lots} == wanted
            assert len(prints) == 4
            assert "auto · 2 s" in desk.text()

    async def test_tape_min_lots_is_the_least_size_on_the_tape(self, trade, tmp_path, where):
        async with trade(at="+20s", settings=set_by(where, tmp_path, "tape_min_lots", 4)) as desk:
            lots = desk.shown.tape.prints["lots"]
            assert len(lots) > 5
            assert (lots >= 4).all()
            assert "filter ≥ 4 (not aggregated)" in desk.text()

    @pytest.mark.parametrize(("seconds", "words"), [(45, "45 s"), (120, "1 of 2 min"), (900, "1 of 15 min")])
    async def test_chart_s_is_the_span_of_the_chart(self, trade, tmp_path, where, seconds, words):
        settings = set_by(where, tmp_path, "chart_s", seconds)
        async with trade(size=(160, 40), at="+46s", settings=settings) as desk:
            assert f" {words} " in desk.text()
            part = desk.shown.chart
            shown_s = min(seconds, 60)
            assert round(part.column_ns * len(part.close) / 1e9) == shown_s

    @pytest.mark.parametrize("mode", ["auto", "static", "pinned"])
    async def test_recentre_is_how_the_ladder_follows_the_touch(self, trade, tmp_path, where, mode):
        async with trade(settings=set_by(where, tmp_path, "recentre", mode)) as desk:
            assert f" {mode} · 60 s" in desk.text()
            ladder = desk.screen.query_one(Ladder)
            ladder.scroll_rows(200)
            await desk.frame()
            away = desk.shown.ladder.top
            ladder.scroll_rows(-200)
            await desk.frame()
            assert (away == desk.shown.ladder.top) == (mode == "pinned")


async def test_own_keys_do_what_they_were_given(trade):
    settings = Config(keys={"replay.event": "f12", "replay.pause": "ctrl+g"})
    async with trade(settings=settings) as desk:
        before = desk.playback.lane.session.seq
        await desk.press("full_stop")
        assert desk.playback.lane.session.seq == before
        await desk.press("f12")
        assert desk.playback.lane.session.seq > before
        assert "F12 event" in desk.text().splitlines()[-1]


async def test_a_frame_without_change_draws_nothing(trade, monkeypatch):
    async with trade() as desk:
        await desk.press("full_stop")
        await desk.frame()
        shown = []
        monkeypatch.setattr(Panel, "draw", lambda self, snapshot: shown.append(self))
        desk.screen._changed_ns = time.monotonic_ns() - 10**10
        for _ in range(5):
            desk.screen.frame()
        assert shown == []
        await desk.press("full_stop")
        assert shown


async def test_while_the_market_goes_on_slow_panels_are_drawn_ten_times_a_second_and_on_pause_at_once(
    trade, monkeypatch
):
    async with trade(size=(160, 44)) as desk:
        screen = desk.screen
        await desk.press("p")
        now = time.monotonic_ns()
        screen._timed, screen._changed_ns = True, now
        drawn = []
        draw = Panel.draw
        monkeypatch.setattr(Panel, "draw", lambda self, snapshot: drawn.append(type(self)) or draw(self, snapshot))
        for number in range(60):
            monkeypatch.setattr(time, "monotonic_ns", lambda number=number: now + number * 16_666_667)
            screen.frame()
        assert drawn.count(Ladder) == drawn.count(Tape) > 50
        assert 9 <= drawn.count(Chart) <= 11
        assert drawn.count(Meters) == drawn.count(Chart)
        await desk.pilot.press("p")
        drawn.clear()
        screen.frame()
        assert {Ladder, Tape, Chart, Meters} <= set(drawn)
        assert screen.query_one(Chart).snapshot is screen.query_one(Ladder).snapshot is screen.shown
        assert screen.shown.chart is not None


async def test_a_stalled_program_does_not_leap_over_the_market(trade, monkeypatch):
    async with trade() as desk:
        await desk.press("p")
        desk.screen._timed = True
        desk.screen.frame()
        at, now = desk.playback.market_ns, time.monotonic_ns()
        monkeypatch.setattr(time, "monotonic_ns", lambda: now + 3600 * 10**9)
        desk.screen.frame()
        monkeypatch.undo()
        assert desk.playback.market_ns - at < 10**9


async def test_with_its_own_timer_the_market_goes_on_by_itself(trade, recording):
    from tapeview.playback import open_playback

    async with trade() as desk:
        playback = open_playback([str(recording)], speed=10.0)
        screen = TradeScreen(playback, Config().screen)
        await desk.app.push_screen(screen)
        end = time.monotonic() + 30
        while playback.market_ns is None or playback.market_ns - script.START_NS < 2 * 10**9:
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        assert screen.shown is not None
