"""Words for how a live market is connected: never by colour alone, and the cause is always there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tapeview.gaplog import Hole
from tapeview.snapshot import HOLE_ROW, LinkPart, SavedPart
from tapeview.ui.widgets.card import Card
from tapeview.ui.widgets.ladder import Ladder
from tapeview.ui.widgets.meters import Meters
from tapeview.ui.widgets.status import LinkLine, TruthLine
from tapeview.ui.widgets.tape import Tape, hole_row
from tests.kit import snapshots as kit
from tests.kit.screen import assert_aligned, drawn, lines

S = 1_000_000_000
WELL = LinkPart("live", "", None, "live", 12_345, 0, 20_000, (12_000_000, 41_000_000), None, 0, 0)


def live(link=WELL, **changes):
    return kit.status(mode="LIVE", link=link, source="", **changes)


def line(widget, status, width=120):
    rows = drawn(widget, kit.snapshot(status=status), size=(width, 1))
    assert_aligned(rows, width)
    return lines(rows)[0]


@pytest.mark.parametrize(
    ("state", "retry", "words"),
    [
        ("live", None, "LIVE ✓"),
        ("connecting", None, "CONNECTING"),
        ("reconnecting", 2_400_000_000, "RECONNECTING in 3 s"),
        ("banned", 60 * S, "BANNED until 12:31:00"),
        ("refused", None, "REFUSED"),
        ("stale", None, "STALE"),
        ("syncing", None, "SYNCING"),
    ],
)
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_badge_is_in_words_at_every_width(state, retry, words, width):
    status = live(replace(WELL, state=state, why="the cause", retry_ns=retry), state=state)
    assert words in line(TruthLine(), status, width)
    card = lines(drawn(Card(), kit.snapshot(status=status), size=(40, 10)))
    assert any(words in row for row in card)


@pytest.mark.parametrize(
    ("verification", "told"),
    [
        ("checksum", "12 345 checksums agree"),
        ("chain", "20 000 messages verified by sequence"),
        ("counter", "20 000 messages verified by sequence"),
        ("snapshot", "20 000 messages verified by whole snapshots"),
        ("unverifiable", "nothing to verify"),
    ],
)
def test_what_vouches_for_the_book_is_told(verification, told):
    assert told in line(LinkLine(), live(verification=verification))


def test_checksums_that_disagree_are_told():
    assert "3 do not" in line(LinkLine(), live(replace(WELL, failed=3), verification="checksum"))


def test_lateness_a_clock_that_is_off_and_lag_are_told():
    status = live(replace(WELL, clock_off_ns=250_000_000, lag_ns=2 * S, waiting=41_000))
    told = line(LinkLine(), status, 160)
    assert "late 12ms p99 41ms" in told
    assert "clock off by 250ms" in told
    assert "lag 2.0s 41 000 rows" in told
    assert "lag 0" in line(LinkLine(), live())


def test_the_cause_takes_the_place_of_the_trust_where_it_does_not_run():
    assert "the connection ended (1006)" in line(
        LinkLine(), live(replace(WELL, state="reconnecting", why="the connection ended (1006)"))
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_disk_that_takes_nothing_is_told_before_all_else(width):
    saved = SavedPart(10, 2_000_000, 0, "no space left", kit.NOON_NS)
    assert "NOT RECORDING since 12:30:00: no space left" in line(LinkLine(), live(replace(WELL, saved=saved)), width)


def test_a_recording_and_what_we_dropped_are_told():
    saved = SavedPart(10, 2_000_000, 7, "", None)
    told = line(LinkLine(), live(replace(WELL, saved=saved)))
    assert "● REC 2.0 MB" in told
    assert "7 dropped by us" in told


def test_a_held_picture_says_so_and_how_far_behind():
    told = line(TruthLine(), live(replace(WELL, held_ns=kit.NOON_NS - 12 * S)))
    assert "HELD" in told
    assert "12.0s behind" in told


def hole(**changes):
    at = kit.NOON_NS
    known = Hole(7, at - 4 * S, at - S, at, 9, "disconnect", None, 10, 20)
    return known._replace(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "— gap 4.0s, seq 10..20 —"),
        ({"before": None, "lost": 12}, "— gap 4.0s, 12 messages lost —"),
        ({"after": None}, "— gap 4.0s, disconnect —"),
        ({"until_ns": None, "after": None}, "— gap since 12:29:56, disconnect —"),
        ({"prints_only": True, "after": None}, "— prints may be missing, disconnect —"),
    ],
)
def test_a_hole_is_a_line_of_the_tape(changes, words):
    for width in (44, 60):
        text = hole_row(hole(**changes), 0, width)[0][0]
        assert len(text) == width
        assert words in text
    assert hole_row(hole(**changes), 0, 30)[0][0].count("—") == 2


def test_the_tape_draws_a_hole_between_its_prints_and_keeps_its_rows():
    snapshot = kit.snapshot(status=live())
    part = snapshot.tape
    depth = part.depth.copy()
    depth[2] = HOLE_ROW
    told = replace(snapshot, tape=replace(part, depth=depth, holes={int(part.prints["seq"][2]): hole()}))
    rows = lines(drawn(Tape(), told, size=(60, 20)))
    assert "— gap 4.0s" in rows[3]
    assert "▲" in rows[2] or "▼" in rows[2] or "·" in rows[2]


def test_the_tape_says_when_what_brings_it_does_not_run():
    status = live(replace(WELL, tape_state="reconnecting", retry_ns=S))
    assert "RECONNECTING in 1 s" in lines(drawn(Tape(), kit.snapshot(status=status), size=(60, 20)))[0]


def test_a_ladder_of_which_nothing_is_known_says_why_and_shows_no_price():
    status = live(state="reconnecting", why="no list of instruments")
    snapshot = replace(kit.snapshot(status=status), ladder=None)
    rows = lines(drawn(Ladder(), snapshot, size=(60, 20)))
    assert any("RECONNECTING" in row for row in rows)
    assert not any(character.isdigit() for row in rows for character in row)


def test_sums_after_a_hole_are_dim_and_say_since_when():
    status = live(partial_since_ns=kit.NOON_NS - 90 * S)
    for height in (1, 10):
        rows = drawn(Meters(), kit.snapshot(status=status), size=(100, height))
        assert "partial since 12:28:30" in "\n".join(lines(rows))
        summed = [style for row in rows for words, style in row if words[:3] in ("▲ +", "▼ −") and "." not in words]
        assert summed == ["dim"]
