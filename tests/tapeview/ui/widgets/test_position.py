import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeview.ui.widgets.position import Position, lots_words, side_run, summary
from tests.kit import snapshots as kit
from tests.kit.screen import assert_aligned, assert_golden, drawn, lines

DESKS = {
    "flat": kit.desk(),
    "long": kit.long_two(armed=False),
    "band": kit.long_two(armed=False, position=1, position_hopeful=2, profit="-12.50", profit_hopeful="8.00", r=-0.31),
    "naked": kit.long_two(armed=False, cover="naked", cover_text="2 lots uncovered", stop_tick=None, orders=(), r=None),
    "short": kit.long_two(
        armed=False, position=-2, position_hopeful=-2, entry_tick=20_048.4, stop_tick=20_056, trailing=True,
        cover="partial", cover_text="1 of 2",
    ),
    "locked": kit.desk(
        locked="the daily loss limit of 500.00", loss_used=1.0, loss_left="0.00", trades=4, process=0.75
    ),
    "troubled": kit.long_two(
        armed=False, hindsight=True, pause="wait 3 min after two losses", trouble="no space left on the device",
        unwritten=12, rest="a break is due", rest_due=True, cover="unknown",
    ),
    "off": kit.desk(off="nothing can be traded here: the instrument has no multiplier"),
}  # fmt: skip


def pane(desk, size, *, blind=True):
    panel = Position()
    panel.blind = blind
    return drawn(panel, kit.snapshot(desk=desk), size=size)


@pytest.mark.parametrize("size", [(31, 6), (70, 11), (80, 1)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", DESKS)
def test_the_pane_looks_as_it_was_found_good(name, size):
    rows = pane(DESKS[name], size)
    assert_aligned(rows, size[0])
    assert_golden(__file__, f"position_{name}_{size[0]}x{size[1]}", rows)


@pytest.mark.parametrize("size", [(31, 6), (70, 11), (80, 1)])
def test_money_is_hidden_in_a_trade_and_nowhere_else(size):
    for desk in (DESKS["long"], DESKS["band"], DESKS["short"]):
        hidden = "\n".join(lines(pane(desk, size)))
        assert not any(amount in hidden for amount in ("16.80", "12.50", "43.10", "345.00"))
        assert "R " in hidden
    shown = "\n".join(lines(pane(DESKS["long"], size, blind=False)))
    assert "+16.80" in shown
    assert "++" not in shown
    if size[1] > 1:
        assert "0.00" in "\n".join(lines(pane(DESKS["flat"], size)))


@pytest.mark.parametrize("size", [(20, 3), (31, 6), (31, 4), (70, 11), (60, 1), (80, 1)])
def test_what_endangers_is_told_at_every_size(size):
    assert "NAKED" in "\n".join(lines(pane(DESKS["naked"], size)))
    assert "LONG" in "\n".join(lines(pane(DESKS["naked"], size)))
    if size[1] > 3:
        assert "LOCKED" in "\n".join(lines(pane(DESKS["locked"], size)))


def test_loud_states_differ_in_words():
    told = {name: "\n".join(lines(pane(DESKS[name], (70, 11)))) for name in DESKS}
    assert "PARTLY COVERED" in told["short"]
    assert "STOP UNKNOWN" in told["troubled"]
    assert "JOURNAL: no space left" in told["troubled"]
    assert "HINDSIGHT" in told["troubled"]
    assert "12 records" not in told["troubled"]  # the trouble says more
    assert "trails" in told["short"]


@pytest.mark.parametrize(
    ("sure", "hoped", "words"),
    [(2, 2, "LONG 2"), (1, 2, "LONG 1-2"), (-2, -3, "SHORT 2-3"), (0, 2, "LONG 0-2"), (0, -1, "SHORT 0-1"),
     (1, -1, "LONG OR SHORT +1 or −1"), (0, 0, "flat")],
)  # fmt: skip
def test_where_the_views_differ_both_are_told(sure, hoped, words):
    assert side_run(kit.desk(position=sure, position_hopeful=hoped), kit.MES)[0] == words


def test_lots_are_told_as_the_venue_counts_them():
    assert lots_words(kit.desk(position=1500, position_hopeful=1500), kit.BTC) == "1.5"


def test_the_end_of_the_bottom_line():
    told = {name: "".join(words for words, _ in summary(desk, kit.MES)) for name, desk in DESKS.items()}
    assert told["flat"] == "flat  R 0.00  1:58 left "
    assert told["long"] == "LONG 2  R +0.42  1:58 left "
    assert told["naked"] == "LONG 2  R –   NAKED   1:58 left "


@given(
    used=st.floats(0, 2), width=st.integers(20, 120), height=st.integers(1, 14), r=st.none() | st.floats(-99, 99),
    sure=st.integers(-5, 5), hoped=st.integers(-5, 5), note=st.text(max_size=60),
)  # fmt: skip
def test_any_desk_is_drawn_within_its_panel(used, width, height, r, sure, hoped, note):
    desk = kit.long_two(
        loss_used=used, r=r, position=sure, position_hopeful=hoped, pause=note, trouble=note, off=note, locked=note
    )
    rows = Position().rows(kit.snapshot(desk=desk), width, height)
    assert len(rows) <= height
    for row in rows:
        assert all(words.isprintable() for words, _ in row)
