from rich.console import Console
from rich.segment import Segment
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Static

from tapeview.ui.widgets._paint import RowsUpdate
from tapeview.ui.widgets._panel import Panel
from tests.kit.trade import open_trade, record


class Glass:
    """What a terminal shows: whole screens as composed, and rows written over them."""

    def __init__(self, app, monkeypatch):
        self.app, self.direct, self.composed, self.rows = app, 0, 0, []
        self.look()
        monkeypatch.setattr(app, "_display", self.display)

    def look(self):
        self.rows = [list(cells(strip)) for strip in self.app.screen._compositor.render_strips()]

    def display(self, screen, update):
        if isinstance(update, RowsUpdate):
            self.direct += 1
            for x, y, strip in update.rows:
                self.rows[y][x : x + strip.cell_length] = cells(strip)
        elif update is not None:
            self.composed += 1
            self.look()

    def shows_what_would_be_composed(self):
        return self.rows == [list(cells(strip)) for strip in self.app.screen._compositor.render_strips()]


def cells(strip):
    return [(c, part.style) for part in strip for c in part.text]


async def test_what_is_written_row_by_row_is_what_the_compositor_would_show(tmp_path, monkeypatch):
    async with open_trade([record(tmp_path)], size=(160, 44)) as desk:
        glass = Glass(desk.app, monkeypatch)
        for keys in (
            ["full_stop"], ["greater_than_sign"], ["up"], ["right"], ["tab", "down"], ["full_stop"], ["plus"], ["m"],
            ["full_stop"], ["f8"], ["full_stop"], ["f5"], ["greater_than_sign"], ["z"], ["comma"], ["z"], ["right"],
        ):  # fmt: skip
            await desk.press(*keys)
            await desk.pilot.pause()
            assert glass.shows_what_would_be_composed(), keys
        assert glass.direct > 10


async def test_while_nothing_else_changes_the_compositor_has_nothing_to_do(tmp_path, monkeypatch):
    async with open_trade([record(tmp_path)], size=(120, 36)) as desk:
        await desk.press("full_stop")
        await desk.pilot.pause()
        glass = Glass(desk.app, monkeypatch)
        for _ in range(5):
            desk.playback.step_event()
            desk.screen.frame(anyway=True)
            await desk.pilot.pause()
        assert (glass.direct, glass.composed) == (5, 0)
        assert glass.shows_what_would_be_composed()


async def test_under_another_screen_panels_are_left_to_the_compositor(tmp_path, monkeypatch):
    class Pop(ModalScreen):
        def compose(self):
            yield Static("over it", id="box")

    async with open_trade([record(tmp_path)], size=(120, 36)) as desk:
        await desk.app.push_screen(Pop())
        await desk.pilot.pause()
        glass = Glass(desk.app, monkeypatch)
        for _ in range(3):
            desk.playback.step_event()
            desk.screen.frame(anyway=True)
            await desk.pilot.pause()
        assert glass.direct == 0
        assert glass.composed > 0


async def test_a_panel_with_something_over_it_is_left_to_the_compositor(tmp_path, monkeypatch):
    async with open_trade([record(tmp_path)], size=(120, 36)) as desk:
        over = Static("note")
        over.styles.position, over.styles.overlay = "absolute", "screen"
        over.styles.offset, over.styles.width, over.styles.height = (2, 6), 10, 3
        await desk.screen.mount(over)
        await desk.frame()
        await desk.pilot.pause()
        written = []
        monkeypatch.setattr(
            RowsUpdate, "__init__", lambda self, rows: written.extend(rows) or setattr(self, "rows", rows)
        )
        ladder = desk.screen.query_one("#ladder", Panel).region
        assert over.region.overlaps(ladder)
        for _ in range(4):
            desk.playback.step_trade()
            desk.screen.frame(anyway=True)
            await desk.pilot.pause()
        assert written
        assert not [x for x, y, _ in written if ladder.contains(x, y)]
        assert "note" in desk.text()


def test_rows_are_written_at_their_places():
    console = Console(color_system="truecolor", force_terminal=True)
    update = RowsUpdate([(4, 2, Strip([Segment("one")])), (0, 9, Strip([Segment("two")]))])
    assert update.render_segments(console) == "\x1b[3;5Hone\x1b[10;1Htwo"
