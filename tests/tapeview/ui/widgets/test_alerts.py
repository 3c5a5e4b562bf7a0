import textwrap
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual import events

from tapeview.snapshot import AlertLine, AlertsPart, Window
from tapeview.ui.widgets._ascii import to_ascii
from tapeview.ui.widgets.alerts import GRADES, SIDES, Alerts, AlertStrip, AlertsView, age, foremost, gravest, sureness
from tests.kit import snapshots as kit
from tests.kit.screen import Stage, assert_aligned, assert_golden, drawn, drawn_each, lines

S = 1_000_000_000


def line(number, ago_s, words, **changes):
    """A story told so many seconds before noon."""
    at = kit.NOON_NS - ago_s * S
    usual = {
        "number": number, "detector": "iceberg", "method": "native", "seq": 10 * number, "recv_ns": at, "side": -1,
        "tick": 20_050, "tick_to": 20_050, "grade": 2, "score": 3.14, "confidence": None, "tier": "A",
        "text": f"{words} · score 3.1 · tier A", "phase": "confirmed", "reason": "", "told_ns": at, "lasts": True,
    }  # fmt: skip
    return AlertLine(**(usual | changes))


ICEBERG = line(
    9, 3, "ICEBERG SELL 5012.50 · native · 9 refills, peak ~4 · ≥37 hidden done", confidence=0.987, grade=3,
    text="ICEBERG SELL 5012.50 · native · 9 refills, peak ~4 · ≥37 hidden done · conf .99 · tier A",
)  # fmt: skip
PRINT = line(
    8, 41, "LARGE PRINT ▲ 60 bought at 5012.50 · large from 20", detector="large_print", lasts=False, grade=1, score=0.5
)
OLD_PRINT = line(
    7, 95, "LARGE PRINT ▼ 47 sold at 5012.00 · large from 20", detector="large_print", lasts=False, side=1, tick=20_048
)
EATEN = line(
    6, 200, "EATEN 5012.00 after 74 lots", side=1, tick=20_048, phase="cleared", reason="eaten", grade=3,
    told_ns=kit.NOON_NS - 20 * S,
)  # fmt: skip
SQUEEZE = line(5, 4000, "SQUEEZE IGNITING MES · fuel 82", detector="squeeze", side=0, tick=None, tick_to=None)
STORIES = (ICEBERG, PRINT, OLD_PRINT, EATEN, SQUEEZE)


def part(*stories, **changes):
    """What an alert log would hand out of these stories, newest first."""
    standing = [one for one in stories if one.lasts and one.phase != "cleared"]
    made = AlertsPart(
        lines=stories, total=len(stories), newer=0, held=0, muted=(),
        active=tuple((one.side, one.tick, one.tick_to, one.grade) for one in standing if one.tick is not None),
        newest=stories[0] if stories else None, standing=standing[0] if standing else None,
        began=tuple((one.seq, one.grade) for one in stories),
    )  # fmt: skip
    return replace(made, **changes)


def answered(window, stories=STORIES):
    """A snapshot as the alert log would answer the window."""
    listed = [one for one in stories if one.detector not in window.alert_muted]
    held = [one for one in listed if window.alert_until is None or one.number <= window.alert_until]
    found = part(*listed, muted=tuple(sorted(window.alert_muted)))
    return kit.snapshot(
        window=window, alerts=replace(found, lines=tuple(held[: window.alert_rows]), newer=len(listed) - len(held))
    )


FRAMES = {
    "stories": kit.snapshot(alerts=part(*STORIES)),
    "left_out": kit.snapshot(alerts=part(*STORIES[:2], held=14, muted=("absorption", "squeeze"))),
    "none": kit.snapshot(alerts=part()),
    "off": kit.snapshot(alerts=None),
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("size", [(31, 6), (48, 12), (69, 18)])
def test_what_the_list_draws(name, size):
    rows = drawn(Alerts(), FRAMES[name], size=size)
    assert_aligned(rows, size[0])
    assert_golden(__file__, f"alerts_{name}_{size[0]}x{size[1]}", rows)


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("width", [60, 80, 200])
def test_what_the_line_draws(name, width):
    rows = drawn(AlertStrip(), FRAMES[name], size=(width, 1))
    assert_aligned(rows, width)
    assert_golden(__file__, f"alert_line_{name}_{width}", rows)


def test_the_gravest_is_told_in_all_its_words():
    shown = " ".join(one.strip() for one in lines(drawn(Alerts(), FRAMES["stories"], size=(48, 12))))
    for word in ICEBERG.text.split():
        assert word in shown


@pytest.mark.parametrize(
    ("stories", "wanted"),
    [
        (STORIES, ICEBERG),
        ((PRINT, ICEBERG, EATEN), ICEBERG),  # graver than the newest
        ((OLD_PRINT, SQUEEZE, EATEN), SQUEEZE),  # an old print is no news, and what is over does not count
        ((OLD_PRINT, EATEN), OLD_PRINT),  # nothing counts now
    ],
)
def test_the_gravest_that_counts_now_is_written_out_and_keys_act_on_it(stories, wanted):
    panel = Alerts()
    shown = lines(drawn(panel, kit.snapshot(alerts=part(*stories)), size=(40, 16)))
    assert panel.subject == wanted
    unfolded = " ".join(one.strip() for one in shown if one.startswith(" " * 5) and one.strip())
    assert unfolded.startswith(" ".join(wanted.text.split()[:2])) or wanted.reason in unfolded
    marked = [one for one in shown if one.startswith("›")]
    assert len(marked) == (wanted is not stories[0])


def test_a_graver_alert_below_the_rows_in_sight_is_not_acted_on():
    many = (*(line(number, 10, f"STORY {number}", grade=1) for number in range(30, 9, -1)), ICEBERG)
    panel = Alerts()
    drawn(panel, kit.snapshot(alerts=part(*many)), size=(48, 12))
    assert panel.subject == many[0]


def test_among_equally_grave_ones_the_newest_is_written_out():
    two = (line(12, 10, "STORY 12", grade=3), line(11, 20, "STORY 11", grade=3))
    assert gravest(two, kit.NOON_NS) == two[0]
    assert gravest(two[::-1], kit.NOON_NS) == two[0]


def test_what_fits_in_its_row_is_not_told_twice():
    short = line(1, 1, "PULLED ×4")
    assert sum("PULLED" in one for one in lines(drawn(Alerts(), kit.snapshot(alerts=part(short)), size=(69, 18)))) == 1


def test_grade_side_and_end_are_told_without_colour():
    found = lines(drawn(Alerts(), FRAMES["stories"], size=(69, 18)))[1:]
    rows = [one for one in found if one[:5].strip()]
    assert [one[:5].strip() for one in rows] == ["!!!", "!", "!!", "!!!", "!!"]
    assert [next((word for word in one.split() if word in ("bid", "ask")), "") for one in rows] == [
        "ask", "ask", "bid", "bid", "",
    ]  # fmt: skip
    assert ["✗" in one for one in rows] == [False, False, False, True, False]
    assert "✗ eaten" in rows[3]


def test_what_is_over_or_old_news_is_dim_and_what_counts_is_not():
    rows = drawn(Alerts(), FRAMES["stories"], size=(69, 18))[1:]
    styles = {
        "".join(run for run, _ in row).split()[0] + str(n): {style for run, style in row if run.strip()}
        for n, row in enumerate(rows)
        if "".join(run for run, _ in row)[:5].strip()
    }
    quiet = [found == {"dim"} for found in styles.values()]
    assert quiet == [False, False, True, True, False]


def test_how_sure_is_a_confidence_only_where_there_is_a_map():
    assert sureness(ICEBERG) == "conf .99"
    assert sureness(replace(ICEBERG, confidence=1.0)) == "conf 1"
    assert sureness(replace(ICEBERG, confidence=0.0)) == "conf .00"
    assert sureness(PRINT) == "score .50"
    assert sureness(SQUEEZE) == "score 3.1"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86_399, "23h"), (86_400, "1d"),
     (10**9, "99d")],
)  # fmt: skip
def test_ages_are_short(seconds, shown):
    assert age(int(seconds * S)) == shown


def test_the_line_shows_what_counts_now():
    now = kit.NOON_NS
    view = AlertsView()
    old, stands = replace(OLD_PRINT, number=20, seq=999), replace(SQUEEZE, seq=5)
    cases = [
        ((ICEBERG, PRINT), ICEBERG), ((PRINT, EATEN), PRINT), ((old, stands, EATEN), stands), ((EATEN,), EATEN),
        ((OLD_PRINT, EATEN), OLD_PRINT), ((), None),
    ]  # fmt: skip
    for stories, wanted in cases:
        assert foremost(part(*stories), view, now) == wanted


def test_the_line_tells_of_what_it_leaves_out():
    found = kit.snapshot(alerts=part(*STORIES, held=3, muted=("pulled",), active=((-1, 1, 1, 2), (1, 2, 2, 1))))
    shown = lines(drawn(AlertStrip(), found, size=(200, 1)))[0]
    assert "2 active" in shown
    assert "3 held back" in shown
    assert "muted 1" in shown


def test_signs_that_differ_differ_in_ascii():
    assert len({to_ascii(signs) for signs, _ in GRADES}) == len(GRADES)
    assert len({to_ascii(word) for word, _ in SIDES.values()}) == len(SIDES)
    for panel, size in ((Alerts(), (48, 12)), (AlertStrip(), (80, 1))):
        for one in lines(drawn(panel, FRAMES["stories"], size=size)):
            assert to_ascii(one).isascii()
            assert cell_len(to_ascii(one)) == cell_len(one)


MANY = tuple(line(number, 300 - number, f"STORY {number}", lasts=number % 3 != 0) for number in range(39, -1, -1))


async def test_scrolling_holds_the_list_and_counts_what_comes_meanwhile():
    panel = Alerts()
    async with Stage(panel).run_test(size=(69, 12)) as pilot:
        panel.focus()
        panel.show(answered(panel.ask(Window()), MANY[10:]))
        # The gravest that stands: every third is an event, long over as news.
        assert panel.subject.number == 29
        await pilot.press("down", "down")
        assert panel.held
        panel.show(answered(panel.ask(Window()), MANY))
        heading, *rows = lines(panel.dump())
        assert heading.startswith(" HELD · 10 newer")
        assert "Home follows" in heading
        assert "STORY 29" in rows[0]
        assert rows[1].startswith("▸")
        assert panel.subject.number == 28
        await pilot.press("home")
        panel.show(answered(panel.ask(Window()), MANY))
        assert not panel.held
        assert "STORY 39" in lines(panel.dump())[1]
        assert panel.subject.number == 38


async def test_one_can_go_down_the_list_and_up_again_story_by_story():
    panel = Alerts()
    async with Stage(panel).run_test(size=(69, 8)) as pilot:
        panel.focus()
        panel.show(answered(panel.ask(Window()), MANY))
        picked = []
        for _ in range(45):
            await pilot.press("down")
            panel.show(answered(panel.ask(Window()), MANY))
            picked.append(panel.subject.number)
            assert sum(one.startswith("▸") for one in lines(panel.dump())) == 1
        assert picked == [*range(39, -1, -1), 0, 0, 0, 0, 0]
        for _ in range(45):
            await pilot.press("up")
            panel.show(answered(panel.ask(Window()), MANY))
        assert not panel.held
        assert panel.subject.number == 38


async def test_pages_go_back_and_forth():
    panel = Alerts()
    async with Stage(panel).run_test(size=(69, 8)) as pilot:
        panel.focus()
        panel.show(answered(panel.ask(Window()), MANY))
        seen = [39]
        for key in ("pagedown", "pagedown", "pageup", "pageup"):
            await pilot.press(key)
            panel.show(answered(panel.ask(Window()), MANY))
            seen.append(panel.subject.number)
        assert seen[0] > seen[1] > seen[2]
        assert seen[3:] == [seen[1], seen[0]]


async def test_the_wheel_holds_the_list_and_lets_it_go():
    panel = Alerts()
    async with Stage(panel).run_test(size=(69, 8)) as pilot:
        panel.show(answered(panel.ask(Window()), MANY))
        await pilot._post_mouse_events([events.MouseScrollDown], panel, offset=(5, 5))
        panel.show(answered(panel.ask(Window()), MANY))
        assert panel.held
        assert "STORY 36" in lines(panel.dump())[1]
        for _ in range(2):
            await pilot._post_mouse_events([events.MouseScrollUp], panel, offset=(5, 5))
            panel.show(answered(panel.ask(Window()), MANY))
        assert not panel.held
        assert "STORY 39" in lines(panel.dump())[1]


async def test_a_click_selects_and_a_click_on_the_heading_follows():
    panel = Alerts()
    async with Stage(panel).run_test(size=(69, 12)) as pilot:
        panel.show(answered(panel.ask(Window())))
        row = next(y for y, one in enumerate(lines(panel.dump())) if "EATEN" in one)
        await pilot.click(panel, offset=(20, row))
        panel.show(answered(panel.ask(Window())))
        assert panel.subject == EATEN
        assert panel.held
        await pilot.click(panel, offset=(20, 0))
        panel.show(answered(panel.ask(Window())))
        assert panel.subject == ICEBERG
        assert not panel.held


async def test_muted_detectors_are_named_and_not_listed():
    panel = Alerts(AlertsView(muted=frozenset({"large_print"})))
    async with Stage(panel).run_test(size=(69, 12)):
        panel.show(answered(panel.ask(Window())))
        shown = "\n".join(lines(panel.dump()))
        assert "LARGE PRINT" not in shown
        assert "muted large_print" in shown
        assert "ICEBERG" in shown


async def test_enter_and_a_double_click_ask_for_an_explanation():
    asked = []

    class Watched(Alerts):
        def on_alerts_opened(self):
            asked.append(self.subject.number)

    panel = Watched()
    async with Stage(panel).run_test(size=(69, 12)) as pilot:
        panel.focus()
        panel.show(answered(panel.ask(Window())))
        await pilot.press("enter")
        await pilot.click(panel, offset=(20, 2), times=2)
        await pilot.pause()
    assert asked == [9, 9]


def test_a_story_keeps_its_row_as_long_as_nothing_of_it_changes():
    frames = [answered(Window(alert_rows=20), STORIES[1:]), answered(Window(alert_rows=20))]
    shown = [lines(rows) for rows in drawn_each(Alerts(), frames, size=(69, 18))]
    told = [next(one for one in rows if "✗ eaten" in one) for rows in shown]
    assert told[0] == told[1]


words = st.text(st.characters(exclude_categories=("Cs",)), max_size=120)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), width=st.integers(20, 120), height=st.integers(1, 20), scale=st.sampled_from([kit.MES, kit.BTC]))
def test_every_row_is_as_wide_as_the_panel_whatever_is_told(data, width, height, scale):
    stories = [
        line(
            number, data.draw(st.integers(-5, 10**6)), "", text=data.draw(words), reason=data.draw(words),
            side=data.draw(st.integers(-1, 1)), grade=data.draw(st.integers(0, 4)),
            tick=data.draw(st.none() | st.integers(-(10**9), 10**9)),
            phase=data.draw(st.sampled_from(("confirmed", "raised", "cleared"))), lasts=data.draw(st.booleans()),
            score=data.draw(st.floats(-1e6, 1e6)), confidence=data.draw(st.none() | st.floats(0, 1)),
        )
        for number in range(data.draw(st.integers(0, 6)), 0, -1)
    ]  # fmt: skip
    found = part(*stories, held=data.draw(st.integers(0, 10**6)), muted=tuple(data.draw(st.lists(words, max_size=3))))
    for panel in (Alerts(), AlertStrip()):
        rows = drawn(panel, kit.snapshot(scale, alerts=found), size=(width, height if isinstance(panel, Alerts) else 1))
        assert_aligned(rows, width)


def test_wrapped_words_end_in_a_sign_that_there_is_more():
    long = line(1, 1, "", text=textwrap.fill("word " * 200, 10_000))
    shown = lines(drawn(Alerts(), kit.snapshot(alerts=part(long)), size=(40, 12)))
    assert shown[4].rstrip().endswith("…")
    assert not shown[5].strip()
