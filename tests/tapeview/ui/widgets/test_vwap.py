import asyncio
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapeview.snapshot import Window
from tapeview.ui.widgets.vwap import LINES, Chart, _axis, _draw, _price_dots, span_words
from tests.kit import snapshots as kit
from tests.kit.screen import Stage, assert_aligned, assert_golden, drawn, lines

NAN = float("nan")


def broken(columns=120):
    gap = np.zeros(columns, np.bool_)
    gap[50:54] = True
    part = kit.chart(columns, gap=gap)
    part.close[50:54] = part.vwap[50:54] = NAN
    return part


def nothing(columns=40):
    blank = np.full(columns, NAN)
    return kit.chart(
        columns, close=blank, high=blank, low=blank, vwap=blank, sigma=blank, vwap_now=None, sigma_now=None, z=None
    )


FRAMES = {
    "live": kit.snapshot(),
    "young": kit.snapshot(chart=kit.chart(valid=False, z=-2.5)),
    "partial": kit.snapshot(status=kit.status(partial_since_ns=kit.NOON_NS - 600_000_000_000)),
    "gap": kit.snapshot(chart=broken()),
    "empty": kit.snapshot(chart=nothing()),
    "one_price": kit.snapshot(
        chart=kit.chart(60, close=np.full(60, 20_048.0), high=np.full(60, 20_048.0), low=np.full(60, 20_048.0))
    ),
}


@pytest.mark.parametrize(
    ("name", "size"),
    [*((name, (62, 20)) for name in FRAMES), ("live", (34, 16)), ("live", (24, 12)), ("gap", (34, 16))],
)
def test_a_chart_looks_as_it_was_found_good(name, size):
    rows = drawn(Chart(), FRAMES[name], size=size)
    assert_aligned(rows, size[0])
    assert_golden(__file__, f"chart_{name}_{size[0]}", rows)


def test_vwap_and_bands_differ_without_colour():
    glyphs = [glyph for _, glyph, _, _ in LINES]
    assert len(set(glyphs)) == 4
    assert sorted(factor for factor, *_ in LINES) == [0, 1, 2, 3]
    found = "\n".join(lines(drawn(Chart(), kit.snapshot(), size=(62, 30))))
    assert all(glyph in found for glyph in glyphs[1:])


def test_each_line_lies_in_the_row_of_its_price():
    columns = 20
    part = kit.chart(
        columns, close=np.full(columns, NAN), high=np.full(columns, NAN), low=np.full(columns, NAN),
        vwap=np.full(columns, 100.0), sigma=np.full(columns, 10.0),
    )  # fmt: skip
    codes, _ = _draw(part, 60.0, 140.0, 10, 40)
    found = {chr(code): row for row in range(40) for code in set(codes[row].tolist()) if chr(code) != " "}
    # 80 ticks over 40 rows: row = (140 - price) / 2.
    assert found["─"] == 20
    text = {row: chr(codes[row][0]) for row in range(40) if chr(codes[row][0]) != " "}
    assert text == {5: "·", 10: "┈", 15: "╌", 20: "─", 25: "╌", 30: "┈", 35: "·"}


def dots_of(part, low, high, plot, height):
    """Lit dots as a grid of booleans, read back from the braille bits (Unicode 2800)."""
    bits = _price_dots(part, low, high, plot, height)
    order = {(0, 0): 0, (1, 0): 1, (2, 0): 2, (0, 1): 3, (1, 1): 4, (2, 1): 5, (3, 0): 6, (3, 1): 7}
    grid = np.zeros((4 * height, 2 * plot), np.bool_)
    for y in range(height):
        for x in range(plot):
            for (row, column), bit in order.items():
                grid[4 * y + row, 2 * x + column] = bool(int(bits[y, x]) >> bit & 1)
    return grid


@settings(max_examples=60, deadline=None)
@given(data=st.data(), plot=st.integers(2, 12), height=st.integers(2, 8))
def test_the_price_line_lights_exactly_the_dots_between_low_high_and_the_close_before(data, plot, height):
    columns = 2 * plot
    low, high = 0.0, float(4 * height - 1)  # a dot a tick
    ticks = st.integers(0, 4 * height - 1)
    close = np.array(data.draw(st.lists(st.none() | ticks, min_size=columns, max_size=columns)), np.float64)
    gap = np.array(data.draw(st.lists(st.booleans(), min_size=columns, max_size=columns)), np.bool_)
    reach = data.draw(st.integers(0, 2))
    part = kit.chart(columns, close=close, high=close + reach, low=close - reach, gap=gap)
    grid = dots_of(part, low, high, plot, height)
    before = None
    for x in range(columns):
        lit = set(np.flatnonzero(grid[:, x]).tolist())
        if gap[x] or np.isnan(close[x]):
            assert lit == set()
            before = None
            continue
        here = [close[x] - reach, close[x] + reach, *([before] if before is not None else [])]
        top, bottom = min(4 * height - 1, max(here)), max(0, min(here))
        assert lit == {int(high - tick) for tick in range(int(bottom), int(top) + 1)}
        before = close[x]


def test_a_gap_is_drawn_as_a_gap():
    found = lines(drawn(Chart(), FRAMES["gap"], size=(62, 24)))[1:-1]
    # Columns 50 to 53 of 120 are broken; a cell shared with an unbroken column may show that one's price.
    left, plot = len("5 012.00") + 2, 62 - len("5 012.00") - 2 - 5
    broken_cells = {left + column * plot // 120 for column in range(50, 54)}
    whole = broken_cells - {left + column * plot // 120 for column in (*range(50), *range(54, 120))}
    assert whole
    for line in found:
        assert whole <= {at for at, c in enumerate(line) if c == "╎"} <= broken_cells


@settings(max_examples=100, deadline=None)
@given(low=st.integers(-(10**9), 10**9), span=st.integers(2, 10**7), height=st.integers(3, 60))
def test_axis_labels_are_round_prices_on_their_rows(low, span, height):
    rows = _axis(float(low), float(low + span), height)
    ticks = list(rows.values())
    assert len(rows) <= height
    assert all(low <= tick <= low + span for tick in ticks)
    if len(ticks) > 1:
        steps = {abs(a - b) for a, b in itertools.pairwise(ticks)}
        assert len(steps) == 1
        step = str(steps.pop())
        assert step.rstrip("0") in {"1", "2", "5"}
    for row, tick in rows.items():
        assert abs((low + span - tick) / span * height - row - 0.5) <= 0.5 + 1e-6


def test_the_heading_tells_value_sigma_z_anchor_and_span():
    heading = lines(drawn(Chart(), kit.snapshot(), size=(62, 20)))[0]
    for words in ("VWAP session", "5 012.00", "σ 1.00", "z +0.62", "5 min"):
        assert words in heading
    assert "partial since 12:20:00" in "\n".join(lines(drawn(Chart(), FRAMES["partial"], size=(62, 20))))
    assert "no trades yet" in lines(drawn(Chart(), FRAMES["empty"], size=(62, 20)))[0]


@pytest.mark.parametrize(
    ("chosen", "shown", "words"),
    [
        (300, 300, " 5 min "),
        (300, 120, " 2 of 5 min "),
        (300, 30, " 30 s of 5 min "),
        (3600, 600, " 10 min of 1 h "),
        (0, 840, " session "),
    ],
)
def test_the_heading_tells_the_span_that_is_shown(chosen, shown, words):
    panel = Chart()
    panel.span_s = chosen
    part = kit.chart(60, column_ns=shown * 1_000_000_000 // 60)
    assert words in lines(drawn(panel, kit.snapshot(chart=part), size=(80, 20)))[0]


def test_spans_are_told_in_their_largest_whole_unit():
    words = [span_words(seconds) for seconds in (30, 60, 90, 900, 3600, 5400, 14400, 86400)]
    assert words == ["30 s", "1 min", "90 s", "15 min", "1 h", "90 min", "4 h", "1 day"]


async def test_keys_and_wheel_change_span_and_anchor():
    panel = Chart()
    async with Stage(panel).run_test(size=(62, 20)) as pilot:
        panel.focus()
        panel.show(kit.snapshot())
        assert panel.ask(Window()).chart_s == 300
        seen = []
        for key in ("+", "+", "+", "+", "-"):
            await pilot.press(key)
            seen.append(panel.ask(Window()).chart_s)
        # 0 is the session, and the last.
        assert seen == [900, 3600, 0, 0, 3600]
        panel.span_s = 120
        for key in ("-", "+", "+"):
            await pilot.press(key)
            seen.append(panel.ask(Window()).chart_s)
        assert seen[5:] == [60, 120, 300]
        await pilot.press("w")
        assert panel.ask(Window()).anchor == 1
        # An anchor that is not there is passed over.
        for slot in range(1, 8):
            panel.show(kit.snapshot(chart=kit.chart(anchor="day" if slot == 1 else "–", anchor_slot=slot)))
        await pilot.press("w")
        for _ in range(8):
            slot = panel.ask(Window()).anchor
            panel.show(kit.snapshot(chart=kit.chart(anchor="session" if slot == 0 else "–", anchor_slot=slot)))
        assert panel.ask(Window()).anchor == 0


def test_a_chart_asks_for_two_columns_a_cell():
    async def run():
        panel = Chart()
        async with Stage(panel).run_test(size=(62, 20)):
            panel.show(kit.snapshot())
            return panel.ask(Window()).chart_columns, panel.plot_width

    columns, plot = asyncio.run(run())
    assert columns == 2 * plot
    assert plot == 62 - len("5 012.00") - 2 - 5


@settings(max_examples=15, deadline=None)
@given(data=st.data(), width=st.integers(5, 80), height=st.integers(1, 30))
def test_every_row_is_as_wide_as_the_panel_whatever_the_numbers(data, width, height):
    columns = data.draw(st.integers(1, 150))
    number = st.floats(-1e9, 1e9) | st.just(NAN)
    close, vwap = (np.array(data.draw(st.lists(number, min_size=columns, max_size=columns))) for _ in range(2))
    sigma = np.abs(np.array(data.draw(st.lists(number, min_size=columns, max_size=columns))))
    part = kit.chart(columns, close=close, high=close + 5, low=close - 5, vwap=vwap, sigma=sigma)
    assert_aligned(drawn(Chart(), kit.snapshot(chart=part), size=(width, height)), width)


def test_what_did_not_change_is_not_drawn_again():
    panel = Chart()
    rows = []

    def keep(panel):
        rows.append(panel._rows[:])

    other = kit.chart()
    other.vwap[:] += 1e-9
    drawn(panel, kit.snapshot(), kit.snapshot(chart=other), size=(62, 20), act=keep)
    assert all(one is other for one, other in zip(rows[0][1:-1], panel._rows[1:-1], strict=True))
