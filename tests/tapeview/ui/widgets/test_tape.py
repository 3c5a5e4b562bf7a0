from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual import events
from textual.geometry import Region

from feeds.events import BUST, PRINTS
from tapeview.snapshot import PRINT_BIG, PRINT_BUSTED, PRINT_HIGH, PRINT_LOW, PRINT_OFF_GRID, Window
from tapeview.ui.widgets.tape import KIND_LETTERS, Tape, _next_one_two_five, _one_two_five
from tests.kit import snapshots as kit
from tests.kit.screen import Stage, assert_aligned, assert_golden, drawn, lines

STATES = kit.prints(
    {"place": 1, "side": -1, "tick": 20_047},
    {"place": 2, "side": -1, "tick": 20_048},
    {"place": 3, "lean": -1},
    {"place": 3, "lean": 0},
    {"place": 3, "lean": 1},
    {"place": 4},
    {"place": 5, "tick": 20_050},
    {"place": 0, "side": 1},
    {"place": 0, "side": -1},
    {"place": 0, "side": 0},
    {"marks": PRINT_BIG, "lots": 120},
    {"marks": PRINT_BIG, "lots": 98, "place": 2, "side": -1},
    {"marks": PRINT_HIGH, "tick": 20_055, "count": 7},
    {"marks": PRINT_LOW, "tick": 20_041, "place": 2, "side": -1},
    {"marks": PRINT_BUSTED, "lots": 50},
    {"marks": PRINT_OFF_GRID, "tick": 20_049, "fine": 501_235_500_000},
    {"kind": 4, "lots": 4_000_000},
    {"count": 1_234_567},
)
FRAMES = {
    "states": kit.snapshot(tape=kit.tape(STATES)),
    "kinds": kit.snapshot(tape=kit.tape(kit.prints(*({"kind": kind} for kind in range(len(PRINTS)))))),
    "empty": kit.snapshot(tape=kit.tape(kit.prints(), per_minute=0, big_lots=0)),
    "filtered": kit.snapshot(tape=kit.tape(min_lots=25)),
    "bitcoin": kit.snapshot(
        kit.BTC,
        tape=kit.tape(kit.prints({"tick": 279_851, "lots": 1}, {"tick": 1_279_850, "lots": 123_456}), big_lots=5_000),
    ),
    "unfolded": kit.snapshot(
        tape=kit.tape(
            kit.prints(
                {"count": 3, "lots": 9}, {"seq": 1000, "lots": 4}, {"seq": 999, "lots": 3}, {"seq": 998, "lots": 2}, {}
            ),
            depth=np.array([0, 1, 1, 1, 0], np.int8),
        )
    ),
}


@pytest.mark.parametrize(
    ("name", "width"), [*((name, 40) for name in FRAMES), ("states", 30), ("states", 52), ("bitcoin", 36)]
)
def test_a_tape_looks_as_it_was_found_good(name, width):
    panel = Tape()
    panel._unfold = frozenset({1000}) if name == "unfolded" else frozenset()
    panel.min_lots = FRAMES[name].tape.min_lots
    rows = drawn(panel, FRAMES[name], size=(width, 24))
    assert_aligned(rows, width)
    assert_golden(__file__, f"tape_{name}_{width}", rows)


def test_where_a_print_traded_is_told_without_colour():
    found = lines(drawn(Tape(), kit.snapshot(tape=kit.tape(STATES[:10])), size=(52, 20)))[1:11]
    glyphs = [line[14:16] for line in found]
    assert glyphs == ["▼▼", "▼ ", "·▾", "· ", "·▴", "▲ ", "▲▲", "△ ", "▽ ", "◦ "]


def test_there_is_a_letter_for_every_kind_of_print_and_none_twice():
    assert len(KIND_LETTERS) == len(PRINTS)
    assert len(set(KIND_LETTERS)) == len(PRINTS)
    assert KIND_LETTERS[0] == " "
    found = lines(drawn(Tape(), FRAMES["kinds"], size=(52, 20)))[1 : 1 + len(PRINTS)]
    assert [line.split()[-1] for line in found[1:]] == list(KIND_LETTERS[1:])
    assert KIND_LETTERS[BUST] == "x"


def test_what_is_large_extreme_busted_or_off_the_grid_says_so_in_letters():
    found = lines(drawn(Tape(), FRAMES["states"], size=(52, 24)))
    by_lots = {line.split("█")[1].split()[0] for line in found if "█" in line}
    assert by_lots == {"120", "98"}
    assert [line.rstrip()[-1] for line in found if "5 013.75" in line] == ["H"]
    assert [line.rstrip()[-1] for line in found if "5 010.25" in line] == ["L"]
    assert sum("✗" in line for line in found) == 1
    assert sum(line.rstrip().endswith("~") for line in found) == 1
    assert "5 012.355" in "\n".join(found)


@pytest.mark.parametrize("width", [24, 30, 40, 52])
def test_a_print_with_which_an_alert_began_is_marked_in_the_colour_of_its_grade(width):
    records = kit.prints(
        {"seq": 100, "last_seq": 110},
        {"seq": 90, "last_seq": 90, "marks": PRINT_HIGH},
        {"seq": 80, "last_seq": 80},
    )
    alerts = replace(kit.alerts(), began=((105, 1), (104, 3), (90, 2), (81, 3), (79, 3)))
    rows = drawn(Tape(), kit.snapshot(tape=kit.tape(records), alerts=alerts), size=(width, 13))[1:4]
    assert_aligned(rows, width)
    signs = [[style for words, style in row if words == "!"] for row in rows]
    assert signs == [["alert-act bold"], ["alert-warn bold"], []]
    if width > 24:
        assert lines(rows)[1].rstrip().endswith("H!")


def test_a_busted_print_is_struck_through():
    rows = drawn(Tape(), FRAMES["states"], size=(52, 24))
    struck = [run.strip() for row in rows for run, style in row if "strike" in style]
    assert struck == ["5 012.25", "50"]


def test_merged_prints_tell_how_many():
    found = lines(drawn(Tape(), FRAMES["states"], size=(52, 24)))
    assert any("×7 " in line for line in found)
    assert any("×…" in line for line in found)


def held(window, newest=5000, count=200):
    """A tape of `count` prints up to `newest`, answered as the engine would."""
    seqs = [s for s in range(newest, newest - count, -1) if window.tape_until is None or s <= window.tape_until]
    rows = kit.prints(
        *(
            {"seq": s, "last_seq": s, "lots": 1 + s % 9, "count": 1 + s % 3, "recv_ns": kit.NOON_NS + s}
            for s in seqs[: window.tape_rows]
        )
    )
    newer = 0 if window.tape_until is None else newest - window.tape_until
    return kit.snapshot(window=window, tape=kit.tape(rows, newer=newer))


def seqs(panel):
    return panel.snapshot.tape.prints["seq"].tolist()


def test_raw_prints_of_an_unfolded_one_are_told_from_prints_in_their_own_right():
    panel = Tape()
    panel._unfold = frozenset({1000})
    found = lines(drawn(panel, FRAMES["unfolded"], size=(40, 20)))[1:6]
    assert [line[0] for line in found] == [" ", "└", "└", "└", " "]
    assert "▾3" in found[0]


async def test_scrolling_holds_the_tape_and_counts_what_comes_meanwhile():
    panel, newest = Tape(), 5000
    async with Stage(panel).run_test(size=(40, 13)) as pilot:
        panel.focus()
        panel.show(held(panel.ask(Window()), newest))
        await pilot.press("down")
        assert panel.held
        still = seqs(panel)
        for newest in (5003, 5132):
            panel.show(held(panel.ask(Window()), newest))
            assert seqs(panel) == still
        heading = lines(panel.dump())[0]
        assert heading.startswith(" HELD · 132 newer")
        assert "Home follows" in heading
        await pilot.press("home")
        assert not panel.held
        panel.show(held(panel.ask(Window()), newest))
        assert seqs(panel)[0] == 5132


async def test_one_can_go_down_the_tape_and_up_again_print_by_print():
    panel = Tape()
    async with Stage(panel).run_test(size=(40, 13)) as pilot:
        panel.focus()
        panel.show(held(panel.ask(Window())))
        rows = panel.print_rows
        picked = []
        for _ in range(rows + 5):
            await pilot.press("down")
            panel.show(held(panel.ask(Window())))
            line = next(line for line in lines(panel.dump()) if line.startswith("▸"))
            picked.append((panel._selected, line))
        assert [seq for seq, _ in picked] == list(range(5000, 5000 - rows - 5, -1))
        for _ in range(3 * rows):
            await pilot.press("up")
            panel.show(held(panel.ask(Window())))
        assert not panel.held
        assert seqs(panel)[0] == 5000


async def test_pages_go_back_and_forth():
    panel = Tape()
    async with Stage(panel).run_test(size=(40, 13)) as pilot:
        panel.focus()
        panel.show(held(panel.ask(Window())))
        page = panel.print_rows - 1
        for number in range(1, 4):
            await pilot.press("pagedown")
            panel.show(held(panel.ask(Window())))
            assert seqs(panel)[0] == 5000 - number * page
        await pilot.press("pageup")
        panel.show(held(panel.ask(Window())))
        assert seqs(panel)[0] == 5000 - 2 * page
        await pilot.press("pageup", "pageup")
        panel.show(held(panel.ask(Window())))
        assert seqs(panel)[0] == 5000
        await pilot.press("pageup")
        assert not panel.held


async def test_enter_and_a_click_unfold_a_merged_print():
    panel = Tape()
    async with Stage(panel).run_test(size=(40, 13)) as pilot:
        panel.focus()
        panel.show(held(panel.ask(Window())))
        await pilot.press("down", "enter")
        assert panel.ask(Window()).tape_unfold == {5000}
        await pilot.press("enter")
        assert panel.ask(Window()).tape_unfold == frozenset()
        await pilot.click(panel, offset=(5, 3))  # the third print: 4998 has one raw print, nothing to unfold
        assert panel.ask(Window()).tape_unfold == frozenset()
        await pilot.click(panel, offset=(5, 2))
        assert panel.ask(Window()).tape_unfold == {4999}


async def test_the_filter_is_a_filter_and_says_so():
    panel = Tape()
    async with Stage(panel).run_test(size=(40, 13)) as pilot:
        panel.focus()
        panel.show(kit.snapshot(tape=kit.tape(big_lots=40)))
        seen = []
        for key in ("+", "+", "+", "-", "-", "-", "-"):
            await pilot.press(key)
            seen.append(panel.ask(Window()).tape_min_lots)
        assert seen == [2, 5, 10, 5, 2, 1, 0]
        await pilot.press("+")
        panel.show(kit.snapshot(tape=kit.tape(min_lots=2)))
        assert "filter ≥ 2 (not aggregated)" in lines(panel.dump())[-2]
        await pilot.press("0")
        assert panel.ask(Window()).tape_min_lots == 0
        await pilot.press("u")
        assert panel.ask(Window()).tape_merged is False


@given(lots=st.integers(1, 10**15))
def test_filter_steps_are_one_two_five(lots):
    step = _one_two_five(lots)
    assert step >= lots
    assert step < 2.5 * lots + 1
    assert str(step)[0] in "125"
    assert set(str(step)[1:]) <= {"0"}
    if step < 10**15:
        assert _next_one_two_five(_next_one_two_five(step, 1), -1) == step


async def test_the_wheel_holds_the_tape_and_lets_it_go():
    panel = Tape()
    async with Stage(panel).run_test(size=(40, 13)) as pilot:
        panel.show(held(panel.ask(Window())))
        await pilot._post_mouse_events([events.MouseScrollDown], panel, offset=(5, 5))
        panel.show(held(panel.ask(Window())))
        assert panel.held
        assert seqs(panel)[0] == 4997
        await pilot._post_mouse_events([events.MouseScrollUp], panel, offset=(5, 5))
        panel.show(held(panel.ask(Window())))
        assert seqs(panel)[0] == 5000


async def test_prints_that_only_moved_keep_their_finished_strings():
    panel = Tape()
    async with Stage(panel).run_test(size=(40, 13)):
        panel.show(held(panel.ask(Window()), 5000))
        before = panel.render_lines(Region(0, 0, 40, 13))
        panel.show(held(panel.ask(Window()), 5002))
        after = panel.render_lines(Region(0, 0, 40, 13))
        assert [id(strip) for strip in before[1:9]] == [id(strip) for strip in after[3:11]]


@settings(max_examples=20, deadline=None)
@given(data=st.data(), width=st.integers(24, 70), scale=st.sampled_from([kit.MES, kit.BTC, kit.OIL]))
def test_every_row_is_as_wide_as_the_panel_whatever_the_numbers(data, width, scale):
    one = st.fixed_dictionaries(
        {
            "tick": st.integers(-(10**10), 10**10), "lots": st.integers(0, 2**62), "side": st.integers(-1, 1),
            "lean": st.integers(-1, 1), "count": st.integers(1, 2**32 - 1), "place": st.integers(0, 5),
            "kind": st.integers(0, 255), "marks": st.integers(0, 63), "fine": st.integers(-(2**61), 2**61),
        }
    )  # fmt: skip
    records = kit.prints(*data.draw(st.lists(one, max_size=9)))
    assert_aligned(
        drawn(Tape(), kit.snapshot(scale, tape=kit.tape(records, shown_lots=2**62)), size=(width, 13)), width
    )
