"""One press is one command: what the trading keys send, and when they send nothing.

The desk here is the test's own; that the desk itself refuses, and what comes of commands, is tested with it.
"""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
import pytest
from textual import events
from textual.widgets import Input

from tapeview.desk.commands import (
    Arm,
    Bracket,
    Call,
    CancelAll,
    CancelAt,
    Disarm,
    Flatten,
    Note,
    Place,
    Trail,
)  # fmt: skip
from tapeview.ui.screens import _trading
from tapeview.ui.screens._presses import HELD_S
from tapeview.ui.screens.help import HelpScreen
from tapeview.ui.terminal import HeldKey
from tapeview.ui.widgets.ladder import Ladder
from tapeview.ui.widgets.position import Position
from tests.kit import snapshots as kit
from tests.kit.paper import OwnDesk
from tests.kit.trade import CALM, record

BRACKET = Bracket(stop_ticks=8, targets=((16, 100),))


@pytest.fixture
def armed(trade):
    """The scripted session with a desk that is armed and the cursor on 400 (100.00), the best bid."""

    @asynccontextmanager
    async def open_one(addresses=None, *, arm=True, **options):
        async with trade(addresses, **options) as desk:
            desk.paper = OwnDesk(desk.playback)
            await desk.press("home")
            if arm:
                await desk.press("a")
            yield desk

    return open_one


async def keys(desk, *names, gap_s=0.01, held=False):
    """Press keys as a terminal sends them, at these times, without a frame between them."""
    at = asyncio.get_running_loop().time()
    for number, name in enumerate(names):
        event = (HeldKey if held else events.Key)(name, name if len(name) == 1 else None)
        event.time = at + number * gap_s
        desk.app.post_message(event)
    await desk.pilot.pause()
    await desk.frame()


# -- what keys send --------------------------------------------------------------------------------
async def test_a_arms_and_a_disarms(armed):
    async with armed(arm=False) as desk:
        assert not desk.screen.armed
        await desk.press("a")
        assert desk.paper.sent == [Arm()]
        assert "ARMED 1 lot bracket 8/16" in desk.text().splitlines()[-1]
        await desk.press("question_mark", "escape")  # a key between
        desk.paper.sent.clear()
        await desk.press("a")
        assert desk.paper.sent == [Arm()]  # help has disarmed it
        desk.paper.sent.clear()
        await desk.press("space", "a")
        assert desk.paper.sent == [Disarm(reason="by hand")]
        assert "ARMED" not in desk.text()


async def test_one_press_is_one_command(armed):
    commands = {
        "b": Place(side=1, lots=1, tick=400, bracket=BRACKET),
        "s": Place(side=-1, lots=1, tick=400, bracket=BRACKET),
        "B": Place(side=1, lots=1, kind="market", bracket=BRACKET),
        "S": Place(side=-1, lots=1, kind="market", bracket=BRACKET),
        "x": CancelAt(tick=400),
        "X": CancelAll(),
        "f": Flatten(),
        "t": Trail(on=True),
        "shift+up": Call(side=1, tick=400, stop_tick=392, target_tick=416),
        "shift+down": Call(side=-1, tick=400, stop_tick=408, target_tick=384),
    }
    async with armed() as desk:
        for number, (key, command) in enumerate(commands.items(), 1):
            await desk.press(key)
            assert desk.paper.orders[-1] == command
            assert len(desk.paper.orders) == number


async def test_nothing_is_done_until_armed(armed):
    async with armed(arm=False) as desk:
        for key in "bsBSxXft13k":
            desk.screen.say("")
            await desk.press(key)
            assert "not armed: a arms" in desk.text()
        assert desk.paper.sent == []
        assert desk.screen.lots == 1
        assert desk.screen.bracket == BRACKET


async def test_sizes_and_bracket_are_what_the_next_order_has(armed):
    async with armed() as desk:
        for key, lots in zip("12345", CALM.desk.lots, strict=True):
            await desk.press(key)
            assert f"ARMED {lots} lot" in desk.text()
        await desk.press("k")
        assert "ARMED 10 lots no bracket" in desk.text()
        await desk.press("b")
        assert desk.paper.orders == [Place(side=1, lots=10, tick=400)]
        await desk.press("space", "k")
        assert desk.screen.bracket == BRACKET


async def test_a_bracket_shares_its_targets_out_and_loses_no_part(armed):
    bracket = msgspec.structs.replace(CALM.desk.bracket, targets=[24, 8, 16], stop_ticks=5, trail=True)
    settings = msgspec.structs.replace(CALM, desk=msgspec.structs.replace(CALM.desk, bracket=bracket))
    async with armed(settings=settings) as desk:
        await desk.press("b")
        found = desk.paper.orders[0].bracket
        assert found == Bracket(stop_ticks=5, targets=((8, 33), (16, 33), (24, 34)), trail=True)
        assert "bracket 5/8,16,24 trailing" in desk.text()


async def test_an_order_that_leaves_a_position_brings_no_exits_of_its_own(armed):
    async with armed() as desk:
        desk.paper.stands(position=2, position_hopeful=2)
        await desk.press("2")  # two lots
        await desk.press("s", "b", "3", "s")
        assert [(order.side, order.lots, order.bracket is None) for order in desk.paper.orders] == [
            (-1, 2, True), (1, 2, False), (-1, 3, False),
        ]  # fmt: skip


async def test_t_trails_and_t_holds(armed):
    async with armed() as desk:
        desk.paper.stands(trailing=True, position=1, position_hopeful=1)
        await desk.frame()
        await desk.press("t")
        assert desk.paper.orders == [Trail(on=False)]


async def test_keys_of_ones_own_trade_and_the_old_ones_do_not(armed):
    settings = msgspec.structs.replace(CALM, keys={"trade.buy": "ctrl+b", "trade.arm": "f12"})
    async with armed(settings=settings, arm=False) as desk:
        await desk.press("b", "ctrl+b")
        assert "not armed: F12 arms" in desk.text()
        await desk.press("f12", "b", "ctrl+b")
        assert desk.paper.sent == [Arm(), Place(side=1, lots=1, tick=400, bracket=BRACKET)]
        await keys(desk, *["ctrl+b"] * 5)
        assert len(desk.paper.orders) == 1


# -- one price -------------------------------------------------------------------------------------
async def test_the_price_is_the_cursor_s_wherever_the_ladder_goes(armed):
    async with armed() as desk:
        ladder = desk.screen.query_one(Ladder)
        await desk.press("up", "up")
        ladder.action_centre()
        ladder.scroll_rows(7)
        desk.playback.step_trade()
        desk.playback.step_event()
        await keys(desk, "b")
        await desk.press("space", "s")
        assert [order.tick for order in desk.paper.orders] == [402, 402]


async def test_without_a_cursor_there_is_no_price(trade):
    async with trade() as desk:
        desk.paper = OwnDesk(desk.playback)
        await desk.frame()
        await desk.press("a", "b", "x", "shift+up")
        assert desk.paper.orders == []
        assert "no price is chosen" in desk.text()
        await desk.press("B")
        assert len(desk.paper.orders) == 1


async def test_a_price_inside_a_coarse_row_is_refused(armed):
    async with armed() as desk:
        await desk.press("up", "plus", "plus")  # 401, in rows of 5
        await desk.press("b")
        assert desk.paper.orders == []
        assert "100.25 lies inside a row of 5 ticks" in desk.text()
        await desk.press("up", "b")
        assert desk.paper.orders == [Place(side=1, lots=1, tick=405, bracket=BRACKET)]


async def test_x_takes_back_every_order_on_a_coarse_row(armed):
    async with armed() as desk:
        desk.paper.stands(orders=(kit.order(tick=402), kit.order(id=2, tick=404), kit.order(id=3, tick=405)))
        await desk.press("plus", "plus")
        await desk.press("x")
        assert desk.paper.orders == [CancelAt(tick=402), CancelAt(tick=404)]


async def test_a_ladder_that_is_not_on_the_screen_has_no_price(armed):
    async with armed() as desk:
        await desk.press("tab", "z", "b", "x", "shift+up")
        assert desk.paper.orders == []
        assert "the ladder is not on the screen" in desk.text()


async def test_another_instrument_takes_the_arming_away_and_its_price(armed, tmp_path):
    other = record(tmp_path, symbol="MNQ")
    async with armed([record(tmp_path, symbol="M2K"), other]) as desk:
        desk.paper.sent.clear()
        # At once, before any picture of it.
        await keys(desk, "alt+2", "B", "b", "f")
        assert desk.paper.sent == [Disarm(reason="another instrument")]


async def test_a_command_that_another_instrument_would_get_is_not_sent(armed, tmp_path):
    other = record(tmp_path, symbol="MNQ")
    async with armed([record(tmp_path, symbol="M2K"), other]) as desk:
        desk.playback.select(1)
        desk.screen.action_market(1)
        assert desk.paper.orders == []
        assert "another instrument is coming up" in desk.screen._said


async def test_on_the_way_to_another_time_nothing_is_sent_then_or_later(armed):
    async with armed() as desk:
        desk.screen._orders.busy = True
        for act in (desk.screen.action_arm, desk.screen.action_flatten, desk.screen.action_cancel_all):
            act()
        desk.screen.action_limit(1)
        desk.screen._orders.busy = False
        await desk.frame()
        assert desk.paper.orders == []
        assert "wait until it is there" in desk.text()


# -- one press -------------------------------------------------------------------------------------
async def test_a_key_held_down_trades_once(armed):
    async with armed() as desk:
        await keys(desk, *["b"] * 40, gap_s=0.03)
        assert len(desk.paper.orders) == 1
        assert "held down trades once" in desk.text()


async def test_a_key_held_down_arms_once(armed):
    async with armed(arm=False) as desk:
        await keys(desk, *["a"] * 31, gap_s=0.03)
        assert desk.paper.sent == [Arm()]


async def test_what_a_terminal_says_is_held_trades_once_at_any_rate(armed):
    async with armed() as desk:
        await keys(desk, "b", held=True, gap_s=2.0)
        assert desk.paper.orders == []


async def test_presses_apart_are_presses(armed):
    async with armed() as desk:
        await keys(desk, *["b"] * 4, gap_s=HELD_S + 0.01)
        assert len(desk.paper.orders) == 4


async def test_a_hundred_keys_a_second_for_ten_seconds_are_a_thousand_commands(armed):
    async with armed() as desk:
        await keys(desk, *"bsBS" * 250, gap_s=0.01)
        expected = [(1, "limit"), (-1, "limit"), (1, "market"), (-1, "market")] * 250
        assert [(order.side, order.kind) for order in desk.paper.orders] == expected


async def test_what_follows_arming_at_once_trades(armed):
    async with armed(arm=False) as desk:
        await keys(desk, "a", "b", "2", "s", "f", "a", "B", "f")
        assert [type(command) for command in desk.paper.sent] == [Arm, Place, Place, Flatten, Disarm]
        assert [order.lots for order in desk.paper.sent[1:3]] == [1, 2]


# -- where keys do not trade -----------------------------------------------------------------------
async def test_nothing_typed_into_a_line_trades(armed):
    async with armed() as desk:
        for opens in ("g", "o", "j"):
            await desk.press(opens)
            await desk.press(*"abBSxf15", "enter", "escape")
            assert not desk.screen.has_class("writing")
        assert [c for c in desk.paper.orders if not isinstance(c, Note)] == []
        # Typed at once, before the line has opened.
        await keys(desk, "g", *"bBf")
        assert [c for c in desk.paper.orders if not isinstance(c, Note)] == []


async def test_the_palette_and_help_take_the_arming_and_trade_nothing(armed):
    for opens in ("ctrl+p", "question_mark"):
        async with armed() as desk:
            await desk.press(opens)
            assert desk.paper.sent[-1] == Disarm(reason="another screen has the keys")
            await desk.pilot.press("b", "f", "B")
            await desk.pilot.press("escape")
            await desk.frame()
            assert desk.paper.orders == []
            assert "ARMED" not in desk.text()


async def test_commands_found_by_name_do_not_trade(armed):
    async with armed() as desk:
        names = {command.title for command in desk.app.get_system_commands(desk.screen)}
        assert "Bracket on and off" in names
        assert "Cancel all own orders and close the position" not in names
        assert not any(name.startswith(("Buy", "Sell", "Arm")) for name in names)


async def test_a_window_that_loses_the_keys_is_disarmed(armed):
    async with armed() as desk:
        desk.app.post_message(events.AppBlur())
        await desk.pilot.pause()
        assert desk.paper.sent[-1] == Disarm(reason="the window lost the keys")
        await desk.frame()
        assert not desk.screen.armed


async def test_who_presses_no_key_is_disarmed(armed, monkeypatch):
    async with armed() as desk:
        now = _trading.time.monotonic()
        monkeypatch.setattr(desk.screen, "_pressed_s", now - CALM.desk.idle_s + 5)
        await desk.frame()
        assert desk.screen.armed
        monkeypatch.setattr(desk.screen, "_pressed_s", now - CALM.desk.idle_s - 1)
        await desk.frame()
        assert desk.paper.sent[-1] == Disarm(reason=f"no key for {CALM.desk.idle_s} s")
        assert not desk.screen.armed


async def test_a_key_after_a_long_stop_does_not_trade(armed, monkeypatch):
    async with armed() as desk:
        # As after a stopped process goes on: the key comes before any picture is made.
        monkeypatch.setattr(desk.screen, "_pressed_s", _trading.time.monotonic() - CALM.desk.idle_s - 1)
        await keys(desk, "b")
        assert desk.paper.orders == []
        assert desk.paper.sent[-1] == Disarm(reason=f"no key for {CALM.desk.idle_s} s")


async def test_who_leaves_a_position_behind_is_asked_once(armed):
    async with armed() as desk:
        desk.paper.stands(position=2, position_hopeful=2)
        await desk.frame()
        await desk.press("q")
        assert "a position is open: q again leaves it behind" in desk.text()
        assert desk.app.screen is desk.screen
        await desk.pilot.press("q")
        await desk.pilot.pause()
        assert not desk.screen.is_attached


async def test_leaving_the_screen_disarms(armed):
    async with armed() as desk:
        await desk.pilot.press("q")
        await desk.pilot.pause()
        assert Disarm(reason="another screen has the keys") in desk.paper.sent


async def test_a_desk_that_disarms_by_itself_is_believed(armed):
    async with armed() as desk:
        await desk.frame()
        desk.paper.stands(armed=False)
        desk.paper.tell("disarmed", "disarmed: the book is stale")
        await desk.frame()
        assert not desk.screen.armed
        assert "disarmed: the book is stale" in desk.text()
        await desk.press("b")
        assert desk.paper.orders == []


async def test_a_locked_account_can_neither_be_armed_nor_traded(armed):
    async with armed() as desk:
        desk.paper.stands(armed=False, locked="the daily loss limit of 500.00")
        await desk.frame()
        await desk.press("space", "a", "b", "B", "f", "X")
        assert [c for c in desk.paper.sent if not isinstance(c, Arm)] == []
        assert desk.paper.sent == [Arm()]  # the one before the lock
        assert desk.text().count("LOCKED") >= 5
        assert "locked: the daily loss limit" in desk.text()


async def test_where_nothing_can_be_traded_it_says_why(armed, trade):
    async with armed(arm=False) as desk:
        desk.paper.stands(off="no multiplier is known for this instrument")
        await desk.frame()
        await desk.press("a")
        assert desk.paper.sent == []
        assert "no multiplier is known" in desk.text()
    async with trade() as desk:
        await desk.press("a")
        assert "there is no paper trading here" in desk.text()


async def test_a_refusal_is_a_sentence(armed):
    async with armed() as desk:
        desk.paper.refusal = "there is no going back while an order works"
        await desk.press("b")
        assert "no going back while an order works" in desk.text()


async def test_a_picture_that_is_held_lets_nothing_be_entered(armed):
    async with armed() as desk:
        link = kit.status().link
        assert link is None
        held = replace(desk.shown.status, link=_held_link(desk))
        desk.screen.shown = replace(desk.shown, status=held)
        desk.screen.action_market(1)
        desk.screen.action_limit(1)
        assert desk.paper.orders == []
        desk.screen.action_flatten()
        assert desk.paper.orders == [Flatten()]


def _held_link(desk):
    from tapeview.snapshot import LinkPart

    return LinkPart(
        state="live", why="", retry_ns=None, tape_state="live", checked=0, failed=0, messages=0, latency_ns=None,
        clock_off_ns=None, waiting=0, lag_ns=0, held_ns=desk.playback.market_ns,
    )  # fmt: skip


# -- ticket and note -------------------------------------------------------------------------------
async def test_a_ticket_goes_with_the_next_signal_and_with_no_other(armed):
    async with armed() as desk:
        await desk.press("o")
        await desk.press(*"pullback", "space", "6", "5", "space", *"again", "enter")
        assert "next signal: pullback 65% noted" in desk.text()
        assert "pullback 65%" in desk.text().splitlines()[-1]
        assert isinstance(desk.screen.focused, Ladder)
        await desk.press("b", "s")
        first, second = desk.paper.orders
        assert (first.setup, first.sure, first.note) == ("pullback", 0.65, "again")
        assert (second.setup, second.sure, second.note) == ("", None, "")
        await desk.press("o", "enter", "shift+up")  # the last one again is two keys
        assert desk.paper.orders[-1].setup == "pullback"


async def test_a_ticket_that_cannot_be_stays_open_and_says_what_is_wrong(armed):
    async with armed() as desk:
        await desk.press("o")
        await desk.press(*"x", "space", *"150", "enter")
        assert "0 to 100" in desk.text()
        assert isinstance(desk.screen.focused, Input)
        await desk.press("escape", "b")
        assert desk.paper.orders[0].setup == ""


async def test_a_note_goes_to_the_newest_signal(armed):
    async with armed() as desk:
        await desk.press("j")
        await desk.press("+", *"waited", "enter")
        assert desk.paper.orders == [Note(text="waited", followed=True)]
        await desk.press("j", "enter")
        assert len(desk.paper.orders) == 1


# -- what the desk says ----------------------------------------------------------------------------
async def test_an_alarm_stays_until_a_key_is_pressed_and_says_what_to_do(armed, monkeypatch):
    async with armed() as desk:
        desk.paper.tell("naked", "NAKED POSITION: no stop covers 2 lots", alarm=True)
        await desk.frame()
        line = desk.text().splitlines()[-1]
        assert line.startswith(" NAKED POSITION: no stop covers 2 lots · a and f close the position")
        # A key on its way when it came up does not take it away, and still trades.
        await desk.press("b")
        assert "NAKED" in desk.text().splitlines()[-1]
        assert len(desk.paper.orders) == 1
        desk.screen.say("something else")
        assert "NAKED" in desk.text().splitlines()[-1]
        monkeypatch.setattr(desk.screen, "_alarm_s", desk.screen._alarm_s - _trading.ALARM_LEAST_S)
        await desk.press("space")
        assert "NAKED" not in desk.text().splitlines()[-1]


async def test_an_alarm_is_seen_while_a_line_is_written_in_and_in_a_window_too_small(armed):
    async with armed() as desk:
        await desk.press("g")
        desk.paper.tell("naked", "NAKED POSITION", alarm=True)
        await desk.frame()
        assert "NAKED" in desk.text()
        assert "go to" in desk.text()
    async with armed(size=(50, 14)) as desk:
        desk.paper.tell("naked", "NAKED POSITION", alarm=True)
        await desk.frame()
        await desk.frame()
        assert "NAKED" in desk.text()


async def test_an_alarm_is_seen_on_another_screen(armed, monkeypatch):
    async with armed() as desk:
        await desk.press("question_mark")
        assert isinstance(desk.app.screen, HelpScreen)
        desk.paper.tell("naked", "NAKED POSITION", alarm=True)
        monkeypatch.setattr(desk.screen, "_looked_s", 0.0)
        await desk.frame()
        await desk.pilot.pause()
        assert [note.message for note in desk.app._notifications] == ["NAKED POSITION · a and f close the position"]
        await desk.press("escape")
        assert "NAKED" in desk.text().splitlines()[-1]


async def test_what_the_desk_says_is_said_once(armed):
    async with armed() as desk:
        desk.paper.tell("refused", "refused: 12 orders in this minute")
        await desk.frame()
        assert "12 orders in this minute" in desk.text()
        desk.screen.say("")
        await desk.frame()
        assert "12 orders in this minute" not in desk.text()
        # Another run counts anew.
        desk.paper.stands(told=((0, "warn", "half of the day's loss", False),))
        await desk.frame()
        assert "half of the day's loss" in desk.text()


async def test_every_key_is_told_to_the_market_once(armed):
    async with armed(arm=False) as desk:
        before = desk.paper.touches
        await desk.press("up", "down", "space")
        assert desk.paper.touches == before + 3


# -- where it stands -------------------------------------------------------------------------------
COMPOSITIONS = {
    (80, 24): {"f5": "#position-line", "f7": "#position-line"},
    (120, 36): {
        "f5": "#position", "f6": "#position-line", "f8": "#position-line", "f7": "#position", "f4": "#position",
        "z": "#position-line",
    },
    (200, 60): {"f5": "#position", "f6": "#position-line"},
}  # fmt: skip
"""Size -> key that composes the screen otherwise -> the panel that then holds the position."""


@pytest.mark.parametrize("size", COMPOSITIONS)
async def test_the_position_is_on_the_screen_once_in_every_composition(armed, size):
    async with armed(size=size) as desk:
        for press, where in COMPOSITIONS[size].items():
            await desk.press(press)
            shown = [panel for panel in desk.screen.query(Position) if panel in desk.screen.panels]
            assert [f"#{panel.id}" for panel in shown] == [where], press


async def test_before_the_desk_is_used_nothing_of_it_is_on_the_screen(armed):
    async with armed(arm=False) as desk:
        assert not [panel for panel in desk.screen.query(Position) if panel in desk.screen.panels]
        before = desk.screen.query_one(Ladder).region
        await desk.press("a")
        # The ladder's rows keep their places.
        assert desk.screen.query_one(Ladder).region == before
        await desk.press("space", "a")
        assert [panel for panel in desk.screen.query(Position) if panel in desk.screen.panels]


async def test_h_shows_money_in_a_trade_and_hides_it(armed):
    async with armed() as desk:
        desk.paper.stands(position=2, position_hopeful=2, profit="16.80", entry_tick=400.0, r=0.4)
        await desk.frame()
        assert "16.80" not in desk.text()
        await desk.press("h")
        assert "+16.80" in desk.text()
        await desk.press("space", "h")
        assert "16.80" not in desk.text()


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_armed_is_told_in_every_pane_and_on_the_bottom_line(armed, size):
    async with armed(size=size) as desk:
        await desk.frame()
        lines = desk.text().splitlines()
        panes = [panel for panel in desk.screen.panels if panel.size.height >= 3]
        assert sum(line.count("ARMED") for line in lines) == len(panes) + 1
        assert "ARMED 1 lot bracket 8/16" in lines[-1]
        assert "limit" in lines[-1]


async def test_armed_and_locked_are_told_without_colour_and_without_unicode(armed, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with armed(ascii_only=True) as desk:
        assert "ARMED 1 lot bracket 8/16" in desk.text()
        assert desk.text().isascii()
        desk.paper.stands(armed=False, locked="the daily loss limit")
        await desk.frame()
        assert desk.text().count("LOCKED") >= 5
        reversed_ = {s.text.strip() for line in desk.app.screen._compositor.render_strips() for s in line
                     if s.style is not None and s.style.reverse}  # fmt: skip
        assert "LOCKED" in reversed_


async def test_a_break_that_is_due_silences_alerts_and_no_alarm(armed):
    async with armed() as desk:
        from tests.kit.snapshots import alerts

        loud = replace(desk.shown, alerts=replace(alerts("ICEBERG"), newest=alerts("ICEBERG").lines[0]))
        now = desk.shown.status.market_ns
        newest = replace(loud.alerts.newest, told_ns=now)
        loud = replace(loud, alerts=replace(loud.alerts, newest=newest))
        desk.screen.tell_alert(replace(loud, desk=replace(loud.desk, rest_due=True)))
        assert "ICEBERG" not in desk.screen._said
        desk.screen._newest = None
        desk.screen.tell_alert(loud)
        assert "ICEBERG" in desk.screen._said
