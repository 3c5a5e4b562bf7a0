"""The alert log: each finding once, whoever brought it, and never anything later than the moment asked for."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tapeview.alert import Alert
from tapeview.alertlog import AlertLog
from tapeview.snapshot import Window
from tapeview.watch import Finding

NOTHING = np.zeros(1, np.void)


def finding(
    seq: int, key: int, phase: str = "confirmed", detector: str = "iceberg", *, held: bool = False, lasts: bool = True
) -> Finding:
    alert = Alert(
        detector=detector, method="m", key=key, phase=phase, inst=0, seq=seq, recv_ns=seq * 1000, exch_ns=None, side=-1,
        tick=100 + key, tick_to=100 + key, lots=1, grade=1, score=1.0, tier="A", held=held, lasts=lasts,
        text=f"{detector} {key} {phase}", evidence={},
    )  # fmt: skip
    return Finding(alert, None, NOTHING)


STORY = [
    finding(10, 1), finding(15, 1, "raised"), finding(20, 2), finding(30, 1, "cleared"), finding(40, 3, held=True),
    finding(50, 1, detector="large_print", lasts=False),
]  # fmt: skip


def log(*findings: Finding) -> AlertLog:
    out = AlertLog()
    out.add(findings)
    return out


def test_newest_first_and_nothing_of_later() -> None:
    part = log(*STORY).part(0, 25, Window(alert_rows=9))
    assert [(line.text, line.phase) for line in part.lines] == [
        ("iceberg 2 confirmed", "confirmed"), ("iceberg 1 raised", "raised"),
    ]  # fmt: skip
    assert part.total == 2
    assert part.active == ((-1, 102, 102, 1), (-1, 101, 101, 1))


def test_a_cleared_story_shows_its_end_and_is_active_no_more() -> None:
    part = log(*STORY).part(0, 30, Window(alert_rows=9))
    assert part.lines[1].phase == "cleared"
    assert part.active == ((-1, 102, 102, 1),)


def test_held_ones_are_counted_and_events_are_never_active() -> None:
    part = log(*STORY).part(0, 99, Window(alert_rows=9))
    assert (part.held, part.total) == (1, 3)
    assert part.lines[0].detector == "large_print"
    assert len(part.active) == 1


def test_muted_detectors_and_short_lists() -> None:
    part = log(*STORY).part(0, 99, Window(alert_rows=1, alert_muted=frozenset({"large_print"})))
    assert [line.text for line in part.lines] == ["iceberg 2 confirmed"]
    assert (part.total, part.muted) == (2, ("large_print",))


def test_a_held_list_counts_what_is_newer() -> None:
    part = log(*STORY).part(0, 99, Window(alert_rows=9, alert_until=0))
    assert [line.number for line in part.lines] == [0]
    assert part.newer == 2


def test_the_part_follows_later_lines_of_a_story() -> None:
    out = log(*STORY)
    window = Window(alert_rows=9)
    assert out.part(0, 29, window).lines[1].phase == "raised"
    assert out.part(0, 30, window).lines[1].phase == "cleared"
    assert out.part(0, 29, window).lines[1].phase == "raised"


def test_jumps_go_to_beginnings_and_leave_out_what_is_not_shown() -> None:
    out = log(*STORY)
    muted = frozenset({"large_print"})
    nexts = [out.next_after(0, seq) for seq in (0, 10, 20)]
    assert [f.alert.seq for f in nexts if f] == [10, 20, 50]
    assert out.next_after(0, 20, muted) is None
    before = out.last_before(0, 50, muted)
    assert before is not None
    assert before.alert.seq == 20
    assert out.last_before(0, 10) is None
    assert out.next_after(1, 0) is None


def test_what_began_is_told_newest_first_as_far_back_as_the_tape_is_held() -> None:
    out = log(*STORY)
    assert out.part(0, 99, Window(alert_rows=1)).began == ((50, 1), (20, 1), (10, 1))
    assert out.part(0, 99, Window(alert_rows=1, tape_until=20)).began == ((20, 1), (10, 1))
    assert out.part(0, 99, Window(alert_rows=1, alert_muted=frozenset({"iceberg"}))).began == ((50, 1),)
    assert out.part(0, 19, Window(alert_rows=1)).began == ((10, 1),)


def test_the_newest_is_the_one_that_began_or_grew_last_however_the_list_is_held() -> None:
    out = log(*STORY)
    for seq, wanted in ((9, None), (10, 0), (19, 0), (20, 1), (35, 1), (99, 3)):
        newest = out.part(0, seq, Window(alert_rows=1, alert_until=0)).newest
        assert (newest.number if newest is not None else None) == wanted
    grown = log(finding(10, 1), finding(20, 2), finding(30, 1, "raised"))
    newest = grown.part(0, 40, Window(alert_rows=1)).newest
    assert newest is not None
    assert (newest.number, newest.phase, newest.told_ns) == (0, "raised", 30_000)


def test_what_stands_is_the_newest_that_lasts_and_is_not_over() -> None:
    out = log(*STORY)
    for seq, wanted in ((9, None), (10, 0), (25, 1), (99, 1)):
        standing = out.part(0, seq, Window(alert_rows=1)).standing
        assert (standing.number if standing is not None else None) == wanted
    assert log(*STORY[:1], STORY[3]).part(0, 99, Window(alert_rows=1)).standing is None


def test_how_sure_it_was_stays_known_when_it_is_over() -> None:
    sure = finding(10, 1)
    sure = sure._replace(alert=msgspec.structs.replace(sure.alert, confidence=0.9, score=7.5, grade=3))
    over = finding(30, 1, "cleared")
    line = log(sure, over).part(0, 99, Window(alert_rows=1)).lines[0]
    assert (line.phase, line.confidence, line.score, line.grade) == ("cleared", 0.9, 7.5, 3)


def test_a_story_is_found_again_by_its_number() -> None:
    out = log(*STORY)
    for one in STORY:
        assert one in out.story(0, out.number(one))
    assert out.number(finding(10, 77)) == -1


@settings(max_examples=50, deadline=None)
@given(st.permutations(STORY), st.integers(0, 6))
def test_order_and_repetition_of_what_comes_in_change_nothing(order: list[Finding], again: int) -> None:
    out = AlertLog()
    for one in itertools.chain(order[:again], order):
        out.add([one])
    for seq in range(0, 60, 5):
        assert out.part(0, seq, Window(alert_rows=9)) == log(*STORY).part(0, seq, Window(alert_rows=9))
    assert [f.alert.phase for f in out.story(0, 0)] == ["confirmed", "raised", "cleared"]


def test_a_log_that_keeps_so_many_lets_the_oldest_go_and_numbers_stay() -> None:
    out = AlertLog(10)
    for key in range(35):
        out.add([finding(10 * key, key)])
    part = out.part(0, 10_000, Window(alert_rows=50))
    assert [line.number for line in part.lines] == list(range(34, 34 - len(part.lines), -1))
    assert 9 <= len(part.lines) <= 10
    for line in part.lines:
        (told,) = out.story(0, line.number)
        assert told.alert.key == line.number
        assert out.number(told) == line.number
    assert out.story(0, 0) == ()
    out.add([finding(999, 3, "cleared")])
    assert out.part(0, 10_000, Window(alert_rows=50)).total == part.total, "the end of a story that was let go"


def test_what_stands_at_a_moment_and_what_was_told_last_are_those_of_then() -> None:
    found = log(*STORY)
    stands, newest = found.standing(0, 5)
    assert (stands, newest) == ([], None)
    stands, newest = found.standing(0, 25)
    assert [alert.text for alert in stands] == ["iceberg 1 raised", "iceberg 2 confirmed"]
    assert newest is not None
    assert newest.text == "iceberg 2 confirmed"
    stands, newest = found.standing(0, 99)
    assert [alert.text for alert in stands] == ["iceberg 2 confirmed", "iceberg 3 confirmed"], "one is over, one held"
    assert newest is not None
    assert newest.text == "large_print 1 confirmed", "what is held was not told, what is over is no news"
    assert found.standing(1, 99) == ([], None)
