import pytest

from tapeview.ui.widgets.timeline import Timeline
from tests.kit import snapshots as kit
from tests.kit.screen import Stage, assert_aligned, assert_golden, drawn, lines

MINUTE = 60_000_000_000
FRAMES = {
    "middle": kit.status(),
    "start": kit.status(market_ns=kit.NOON_NS - 15 * MINUTE),
    "end": kit.status(market_ns=kit.NOON_NS + 15 * MINUTE, ended=True),
    "indexing": kit.status(indexed=0.4),
    "unknown": kit.status(timeline=(), start_ns=None, end_ns=None),
    "not_yet": kit.status(timeline=(), indexed=0.0),
}


@pytest.mark.parametrize("width", [12, 80, 200])
@pytest.mark.parametrize("name", FRAMES)
def test_a_timeline_looks_as_it_was_found_good(name, width):
    rows = drawn(Timeline(), kit.snapshot(status=FRAMES[name]), size=(width, 1))
    assert_aligned(rows, width)
    assert_golden(__file__, f"timeline_{name}_{width}", rows)


def test_now_stands_where_it_is_in_the_session():
    line = lines(drawn(Timeline(), kit.snapshot(), size=(80, 1)))[0]
    bar = line[10:-10]
    assert line.startswith(" 12:15:00 ")
    assert line.endswith(" 12:45:00 ")
    assert bar.index("┃") == len(bar) // 2


def test_the_bar_is_as_high_as_the_volume_is():
    line = lines(drawn(Timeline(), kit.snapshot(status=kit.status(timeline=(0.0, 0.5, 1.0, 0.25))), size=(80, 1)))[0]
    bar = line[10:-10].replace("┃", "")
    assert bar[0] == "▁"
    assert bar[20] == "▄"
    assert bar[40] == "█"
    assert bar[-1] == "▂"


def test_what_the_background_pass_has_not_seen_is_dotted():
    line = lines(
        drawn(
            Timeline(), kit.snapshot(status=kit.status(indexed=0.5, market_ns=kit.NOON_NS - 14 * MINUTE)), size=(80, 1)
        )
    )[0]
    bar = line[10:-10]
    assert "·" not in bar[:29]
    assert set(bar[31:]) == {"·"}


async def test_a_click_seeks_to_the_time_under_the_mouse():
    times = []

    class Watching(Stage):
        def on_timeline_seek(self, event):
            times.append(event.market_ns)

    panel = Timeline()
    async with Watching(panel).run_test(size=(80, 1)) as pilot:
        panel.show(kit.snapshot())
        for x in (10, 40, 69, 79):
            await pilot.click(panel, offset=(x, 0))
    start, end = kit.NOON_NS - 15 * MINUTE, kit.NOON_NS + 15 * MINUTE
    cell = (end - start) / 60
    assert [round((ns - start) / cell, 1) for ns in times] == [0.5, 30.5, 59.5, 60.0]


async def test_a_click_means_nothing_where_there_is_no_end():
    panel = Timeline()
    async with Stage(panel).run_test(size=(80, 1)) as pilot:
        panel.show(kit.snapshot(status=FRAMES["unknown"]))
        await pilot.click(panel, offset=(40, 0))
        assert panel.error is None
