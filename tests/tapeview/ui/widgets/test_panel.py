import os
from unittest import mock

import pytest
from rich.console import Console
from textual.containers import Vertical
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.widgets import Static

from tapeview.snapshot import Window
from tapeview.ui.widgets._palette import RowStrip
from tapeview.ui.widgets._panel import Beside, Panel, Stacked, mark_of
from tapeview.ui.widgets.alerts import Alerts
from tapeview.ui.widgets.card import Card
from tapeview.ui.widgets.ladder import Ladder
from tapeview.ui.widgets.meters import Meters
from tapeview.ui.widgets.position import Position
from tapeview.ui.widgets.tape import Tape
from tapeview.ui.widgets.vwap import Chart
from tests.kit import snapshots as kit
from tests.kit.screen import Stage, cells, lines, screen_cells


class Words(Panel):
    """Draws the instrument's name and the event count, each in a row."""

    fails = False

    def rows(self, snapshot, width, height):
        if self.fails:
            raise ZeroDivisionError("no \x1b[2J price")
        status = snapshot.status
        return [((status.instrument.ljust(width), "bid"),), ((f"{status.events:>{width}}", "ask bold"),)]


def frame(**changes):
    return kit.snapshot(status=kit.status(**changes))


async def test_only_rows_that_changed_are_repainted():
    panel = Words()
    async with Stage(panel).run_test(size=(20, 4)):
        panel.show(frame(events=1))
        panel._exchange_repaint_regions()
        panel.show(frame(events=2))
        assert panel._exchange_repaint_regions() == {Region(0, 1, 20, 1)}
        panel.show(frame(events=2))
        assert not panel._exchange_repaint_regions()
        panel.show(frame(events=3, instrument="x:Y"))
        assert panel._exchange_repaint_regions() == {Region(0, 0, 20, 2)}


async def test_a_row_that_did_not_change_keeps_its_finished_string():
    panel = Words()
    async with Stage(panel).run_test(size=(20, 4)):
        panel.show(frame(events=1))
        before = panel.render_lines(Region(0, 0, 20, 4))
        panel.show(frame(events=2))
        after = panel.render_lines(Region(0, 0, 20, 4))
        assert all(isinstance(strip, RowStrip) for strip in after)
        assert [one is other for one, other in zip(before, after, strict=True)] == [True, False, True, True]


async def test_a_panel_that_fails_says_so_in_itself_and_can_be_retried():
    panel, other = Words(), Words()
    failures = []

    class Watching(Stage):
        def on_panel_failed(self, event):
            failures.append((event.panel, type(event.error)))

    async with Watching(panel, other).run_test(size=(60, 20)) as pilot:
        panel.fails = True
        panel.show(frame(events=1))
        other.show(frame(events=1))
        await pilot.pause()
        text = "\n".join(lines(panel.dump()))
        assert "could not be drawn" in text
        assert "ZeroDivisionError" in text
        assert "\x1b" not in text
        assert "R tries again" in text
        assert lines(other.dump())[0].startswith("cme:MES")
        assert failures == [(panel, ZeroDivisionError)]
        panel.show(frame(events=2))  # does not run into the same fault every frame
        await pilot.pause()
        assert len(failures) == 1
        panel.fails = False
        panel.focus()
        await pilot.press("R")
        assert lines(panel.dump())[0].startswith("cme:MES")


async def test_a_panel_follows_its_size():
    panel = Words()
    app = Stage(panel)
    async with app.run_test(size=(20, 4)) as pilot:
        panel.show(frame())
        await pilot.resize_terminal(33, 7)
        await pilot.pause()
        assert {len(line) for line in lines(panel.dump())} == {33}
        assert len(panel.dump()) == 7
        for size in ((1, 1), (0, 0), (5, 2)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            panel.show(frame(events=5))
        assert panel.error is None
        assert lines(panel.dump()) == ["cme:M", "    5"]


async def test_a_panel_may_be_shown_to_before_it_is_on_a_screen_and_after_it_left():
    panel = Words()
    panel.show(frame(events=1))
    app = Stage(panel)
    async with app.run_test(size=(20, 4)) as pilot:
        panel.show(frame(events=2))
        await pilot.pause()
        assert "".join(c for c, _ in screen_cells(app)[1]).strip() == "2"
        await panel.remove()
        panel.show(frame(events=3))
        await pilot.pause()
        assert "".join(c for c, _ in screen_cells(app)[1]).strip() == ""
    panel.show(frame(events=4))
    assert panel.error is None


async def test_a_rule_stands_left_of_a_ruled_panel():
    panel = Words(ruled=True)
    async with Stage(panel).run_test(size=(20, 3)) as pilot:
        panel.show(frame())
        await pilot.pause()
        assert panel.inner_width == 19
        assert [strip.text[0] for strip in panel.render_lines(Region(0, 0, 20, 3))] == ["│"] * 3
        panel.ruled = False
        assert panel.render_lines(Region(0, 0, 20, 3))[0].text[0] == "c"


async def test_a_theme_changed_live_recolours_every_row():
    panel = Words()
    app = Stage(panel)
    async with app.run_test(size=(20, 3)) as pilot:
        panel.show(frame())
        await pilot.pause()
        dark = screen_cells(app)
        app.theme = "light"
        await pilot.pause()
        light = screen_cells(app)
        assert [[c for c, _ in row] for row in dark] == [[c for c, _ in row] for row in light]
        assert dark[0][0][1].color != light[0][0][1].color
        assert light[0][0][1].color.get_truecolor().hex == app.current_theme.variables["bid"]


class Popup(ModalScreen[None]):
    CSS = "Popup { align: center middle; } Static { width: 9; height: 3; background: red; }"

    def compose(self):
        yield Static("over\nthe\nladder")


async def shown(ready_made, *, size, steps):
    """The whole screen's cells after each step, drawn ready-made or by the documented line API."""
    found = []
    with mock.patch.object(Panel, "READY_MADE", ready_made):
        ladder, tape = Ladder(), Tape(ruled=True)

        class Two(Stage):
            def compose(self):
                with Beside():
                    yield ladder
                    yield tape
                yield Static("float", id="float")

        css = "Ladder { width: 45; } #float { layer: top; offset: 30 3; width: 12; height: 2; display: none; }"
        app = Two(css="Screen { layers: default top; }" + css)
        async with app.run_test(size=size) as pilot:
            for number, step in enumerate(steps):
                snapshot = kit.snapshot(ladder=kit.ladder(bids={20_048: 41 + number}), tape=kit.tape(per_minute=number))
                ladder.show(snapshot)
                tape.show(snapshot)
                await step(app, pilot)
                await pilot.pause()
                found.append(screen_cells(app))
    return found


async def test_ready_made_rows_compose_with_whatever_covers_them_as_ordinary_ones_do():
    async def nothing(app, pilot):
        pass

    async def float_on(app, pilot):
        app.screen.query_one("#float").display = True

    async def popup(app, pilot):
        await app.push_screen(Popup())

    async def shrink(app, pilot):
        app.pop_screen()
        await pilot.resize_terminal(61, 17)

    steps = (nothing, float_on, nothing, popup, nothing, shrink)
    ready = await shown(True, size=(90, 24), steps=steps)
    plain = await shown(False, size=(90, 24), steps=steps)
    for index, (one, other) in enumerate(zip(ready, plain, strict=True)):
        assert one == other, f"after step {index}"
    text = ["".join(c for c, _ in row) for row in ready[1]]
    assert any("float" in line for line in text)


@pytest.mark.parametrize("no_color", [False, True])
async def test_no_color_makes_every_cell_grey(no_color):
    panel = Words()
    with mock.patch.dict(os.environ, {"NO_COLOR": "1"} if no_color else {}):
        app = Stage(panel)
        async with app.run_test(size=(20, 3)) as pilot:
            panel.show(frame())
            await pilot.pause()
            styles = [style for row in screen_cells(app) for _, style in row]
    colours = [c.get_truecolor() for style in styles for c in (style.color, style.bgcolor) if c is not None]
    assert all(c.red == c.green == c.blue for c in colours) is no_color


@pytest.mark.parametrize(("system", "code"), [("truecolor", "38;2;"), ("256", "38;5;"), ("standard", "\x1b[0;36;40m")])
async def test_the_finished_strings_reach_the_terminal_in_its_own_colours(system, code):
    panel = Words()
    app = Stage(panel)
    async with app.run_test(size=(20, 3)) as pilot:
        panel.show(frame())
        await pilot.pause()
        update = app.screen._compositor.render_full_update()
        written = update.render_segments(Console(force_terminal=True, color_system=system))
        assert "cme:MES" in written
        assert code in written
        assert ("38;2;" in written) is (system == "truecolor")


async def test_text_of_a_panel_cannot_be_selected_and_it_takes_no_frame_of_its_own():
    panel = Words()
    async with Stage(panel).run_test(size=(20, 3)):
        assert not panel.allow_select
        assert panel.content_region.size == panel.region.size


async def test_containers_leave_what_no_panel_covers_to_the_screen():
    panel = Words()
    panel.styles.width = 6

    class Two(Stage):
        def compose(self):
            with Beside(), Stacked():
                yield panel

    app = Two()
    async with app.run_test(size=(20, 3)) as pilot:
        panel.show(frame())
        await pilot.pause()
        row = screen_cells(app)[0]
        assert "".join(c for c, _ in row) == "cme:ME" + " " * 14
        background = app.theme_variables["background"].lower()
        assert {style.bgcolor.get_truecolor().hex for _, style in row if style is not None} == {background}


async def test_a_panel_asks_for_nothing_unless_it_wants_something():
    window = Window(rows=7)
    assert Words().ask(window) == window
    assert Meters().ask(window) == window


async def test_the_documented_line_gives_the_same_cells_as_the_ready_one():
    ladder = Ladder()
    async with Stage(Vertical(ladder)).run_test(size=(70, 20)):
        ladder.show(kit.snapshot())
        ready = ladder.render_lines(Region(0, 0, 70, 20))
        assert [cells(strip) for strip in ready] == [cells(ladder.render_line(y)) for y in range(20)]


@pytest.mark.parametrize(
    ("desk", "word", "ink"), [({"armed": True}, "ARMED", "armed"), ({"locked": "x"}, "LOCKED", "alert-act")]
)
async def test_the_frame_of_every_panel_tells_that_keys_trade_or_that_nothing_can_be_traded(desk, word, ink):
    panels = [Ladder(), Tape(ruled=True), Chart(ruled=True), Meters(ruled=True), Alerts(ruled=True), Position(), Card()]
    for panel in panels:
        panel.styles.height = 8
    async with Stage(*panels).run_test(size=(60, 56)):
        for panel in panels:
            panel.show(kit.snapshot(alerts=kit.alerts("x")))
            assert word not in lines(panel.dump())[0]
            panel.show(kit.snapshot(alerts=kit.alerts("x"), desk=kit.desk(**desk)))
            head = panel.dump()[0]
            assert head[-1] == (f" {word} ", f"{ink} bold reverse")
            assert all(style.startswith(ink) and "reverse" in style for _, style in head)
            if panel.ruled:
                assert [panel._runs(row, panel.size.width)[0] for row in panel.dump()] == [
                    ("┃", f"{ink} bold")
                ] * panel.size.height
            panel.show(kit.snapshot(alerts=kit.alerts("x"), desk=kit.desk()))
            assert word not in lines(panel.dump())[0]


async def test_locked_goes_before_armed_and_lines_have_no_frame():
    panel = Meters()
    panel.styles.height = 1
    async with Stage(panel).run_test(size=(80, 1)):
        panel.show(kit.snapshot(desk=kit.desk(armed=True, locked="x")))
        assert "LOCKED" not in lines(panel.dump())[0]
    assert mark_of(kit.snapshot(desk=kit.desk(armed=True, locked="x"))) == ("LOCKED", "alert-act")
    assert mark_of(kit.snapshot(desk=kit.desk())) is None
    assert mark_of(None) is None
