import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.events import STATUSES
from tapeview.ui.widgets.status import BADGES, KeysLine, TruthLine, speed_words
from tests.kit import snapshots as kit
from tests.kit.screen import Stage, assert_aligned, assert_golden, drawn, drawn_each, lines

FRAMES = {
    "live": kit.status(),
    "paused": kit.status(playing=False),
    "ended": kit.status(playing=False, ended=True),
    "real": kit.status(mode="LIVE", start_ns=None, end_ns=None),
    "stale": kit.status(state="stale", book_age_ns=4_200_000_000, gaps=2),
    "crossed": kit.status(state="crossed"),
    "syncing": kit.status(state="syncing", market_ns=None, book_age_ns=None, tape_age_ns=None),
    "auction": kit.status(state="auction"),
    "halted": kit.status(state="halted"),
    "partial": kit.status(
        partial_since_ns=kit.NOON_NS, coalesced=17, notice="kernels compiling: plain Python meanwhile"
    ),
    "several": kit.status(instruments=("a:A", "b:B", "c:C"), index=1, instrument="b:B", speed=0),
    "hostile": kit.status(instrument="evil\x1b]0;x\x07:名前\u202e", source="s\x1b[2J"),
}


@pytest.mark.parametrize(
    ("name", "width"),
    [*((name, 80) for name in FRAMES), *((n, w) for n in ("live", "partial", "several") for w in (60, 120, 200))],
)
def test_the_truth_line_looks_as_it_was_found_good(name, width):
    rows = drawn(TruthLine(), kit.snapshot(status=FRAMES[name]), size=(width, 1))
    assert_aligned(rows, width)
    assert_golden(__file__, f"truth_{name}_{width}", rows)


def test_there_is_a_badge_for_every_state_and_they_differ_in_words():
    assert set(BADGES) == {*STATUSES, "connecting", "reconnecting", "banned", "refused"}
    assert len({badge for badge, _ in BADGES.values()}) == len(BADGES)


def test_a_book_that_nothing_verifies_is_live_with_a_question():
    told = [
        "".join(
            piece
            for piece, _ in drawn(TruthLine(), kit.snapshot(status=kit.status(verification=word)), size=(120, 1))[0]
        )
        for word in ("chain", "unverifiable")
    ]
    assert "LIVE ✓" in told[0]
    assert "LIVE ?" in told[1]
    assert "✓" not in told[1]


def test_what_matters_most_is_always_there():
    snapshots = [kit.snapshot(status=status) for status in FRAMES.values()]
    for width in (60, 80, 120):
        found = drawn_each(TruthLine(), snapshots, size=(width, 1))
        for (name, status), rows in zip(FRAMES.items(), found, strict=True):
            line = lines(rows)[0]
            assert BADGES[status.state][0].strip() in line
            assert name == "syncing" or "12:30:00.000" in line
            assert name == "hostile" or status.instrument in line


def test_the_state_of_the_player_differs_without_colour():
    found = {
        name: lines(drawn(TruthLine(), kit.snapshot(status=FRAMES[name]), size=(120, 1)))[0]
        for name in ("live", "paused", "ended", "real")
    }
    assert len(set(found.values())) == 4
    assert "▶ 4x" in found["live"]
    assert "‖ paused 4x" in found["paused"]
    assert "■ ended" in found["ended"]
    assert "● live" in found["real"]


@pytest.mark.parametrize(("speed", "words"), [(0.25, "0.25x"), (1.0, "1x"), (100.0, "100x"), (0.0, "max")])
def test_speeds_have_words(speed, words):
    assert speed_words(speed) == words


def test_times_are_the_markets_own():
    line = lines(drawn(TruthLine(), kit.snapshot(status=kit.status(utc_offset_s=-5 * 3600)), size=(120, 1)))[0]
    assert "07:30:00.000" in line


async def test_the_keys_line_shows_what_fits_and_a_message():
    panel = KeysLine()
    async with Stage(panel).run_test(size=(60, 1)):
        panel.set_hints(
            (("space", "centre"), ("p", "pause"), ("?", "help"), ("g", "go to a time far away in the session"))
        )
        panel.show(kit.snapshot())
        assert lines(panel.dump()) == [" space centre  p pause  ? help".ljust(60)]
        panel.set_message("bookmark at 12:30")
        assert lines(panel.dump())[0].endswith("bookmark at 12:30 ")
        panel.set_message("")
        panel.show(kit.snapshot(status=kit.status(notice="kernels compile")))
        assert lines(panel.dump())[0].endswith("kernels compile ")
        panel.show(kit.snapshot(alerts=kit.alerts("ICEBERG? ask 5 012.50", "LARGE PRINT buy 120")))
        assert "ICEBERG" not in lines(panel.dump())[0]


@settings(max_examples=20, deadline=None)
@given(
    width=st.integers(1, 150),
    name=st.text(max_size=40),
    notice=st.text(max_size=80),
    speed=st.sampled_from([0, 0.25, 100]),
)
def test_every_line_is_as_wide_as_the_panel_whatever_the_words(width, name, notice, speed):
    status = kit.status(instrument=name, source=name, notice=notice, speed=speed, gaps=10**9, events_per_s=1e12)
    assert_aligned(drawn(TruthLine(), kit.snapshot(status=status), size=(width, 1)), width)


HINTS = (("bs", "limit"), ("BS", "market"), ("x", "cancel"), ("?", "help"))


async def keys_line(width, snapshot, *, order="2 lots bracket 8/16", message="", alarm=""):
    panel = KeysLine()
    async with Stage(panel).run_test(size=(width, 1)):
        panel.set_hints(HINTS)
        panel.set_order(order)
        panel.set_message(message)
        panel.set_alarm(alarm)
        panel.show(snapshot)
        rows = panel.dump()
        assert_aligned(rows, width)
        return lines(rows)[0], rows[0], panel.taken(snapshot, width)


@pytest.mark.parametrize("width", [80, 120])
async def test_armed_stands_first_on_the_bottom_line_with_the_next_order(width):
    line, row, taken = await keys_line(width, kit.snapshot(desk=kit.desk(armed=True)))
    assert line.startswith(" ARMED 2 lots bracket 8/16 ")
    assert row[0][1] == "armed bold reverse"
    assert line.endswith("  flat  R 0.00  1:58 left ")
    assert "bs limit" in line
    assert taken == len(" ARMED 2 lots bracket 8/16 ") + len("flat  R 0.00  1:58 left ")


async def test_locked_stands_first_with_its_reason_and_is_cut_where_it_is_long():
    locked = kit.desk(locked="the daily loss limit of 500.00 is reached at −500.00 of 25 000.00", armed=True)
    line, row, _ = await keys_line(80, kit.snapshot(desk=locked))
    assert line.startswith(" LOCKED the daily loss limit of 500.00")
    assert "… " in line
    assert row[0][1] == "alert-act bold reverse"
    assert "ARMED" not in line


async def test_a_desk_that_was_not_used_leaves_the_bottom_line_alone():
    without = await keys_line(80, kit.snapshot())
    assert await keys_line(80, kit.snapshot(desk=kit.desk())) == without
    assert "ARMED" not in without[0]


async def test_a_message_stands_beside_the_position_where_there_is_room():
    desk = kit.long_two(armed=False)
    for width, both in ((120, True), (60, False)):
        line, _, _ = await keys_line(width, kit.snapshot(desk=desk), message="refused: 12 orders in this minute")
        assert "refused: 12 orders" in line
        assert ("LONG 2" in line) == both


async def test_an_alarm_has_the_line_for_itself():
    line, row, _ = await keys_line(60, kit.snapshot(desk=kit.long_two()), message="x", alarm="NAKED " + "y" * 80)
    assert line.startswith(" NAKED yyy")
    assert row == ((line, "alert-act bold reverse"),)
