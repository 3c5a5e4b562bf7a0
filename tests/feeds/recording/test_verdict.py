"""What the rows of any source tell: every planted fault is found with its place."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from feeds import script
from feeds.clock import Clock
from feeds.events import BAD_TIME, CHECKED, LAST, NONE, QUOTE, SUSPECT, EventBuffer, Events
from feeds.recording import Verdict, verify_source
from feeds.source import Checks, Source
from tests.kit.recordings import INFO
from tests.kit.rows import INSTRUMENTS

GOOD = "[ b100:5 b99:4 a101:5 ] ~50 +101:1 a101:4 ~300 b100:6 -100:2 b100:4 " + "~20 b98:1 a103:2 +101:1 a101:3 " * 40


class Given(Source):
    """Rows as a source."""

    def __init__(self, rows: Events, checks: Checks | None = None) -> None:
        self.info, self.instruments, self.checks = INFO, INSTRUMENTS[:1], checks or Checks()
        self._rows = rows

    def batches(self):
        yield self._rows


def test_a_verdict_has_the_promised_json() -> None:
    plain = msgspec.json.decode(msgspec.json.encode(Verdict()))
    promised = {
        "ok", "blocks", "checksums", "gaps", "resyncs", "crossed", "off_grid", "out_of_order", "torn_bytes",
        "frames_digest", "events_digest", "problems",
    }  # fmt: skip
    assert promised <= plain.keys()
    assert plain["checksums"] == {"checked": 0, "failed": 0}


def found_in(text: str, **options: object) -> Verdict:
    return verify_source(Given(script.events(text, **options)))


def test_gaps_are_listed_with_their_seq() -> None:
    verdict = found_in("[ b100:5 a101:5 ] !gap b100:6")
    assert verdict.gaps == 1
    assert any("gap" in problem and "seq" in problem for problem in verdict.problems)


def test_a_book_crossed_for_long_is_a_problem_and_a_short_cross_is_counted() -> None:
    short = found_in("[ b100:5 a101:5 ] b102:1 ~100 b102:0 b99:1")
    assert (short.crossed, short.ok) == (1, True)
    long = found_in("[ b100:5 a101:5 ] b102:1 ~3000 b99:1 b98:1")
    assert long.crossed == 3
    assert any("crossed" in problem for problem in long.problems)


def test_a_book_is_not_judged_in_the_middle_of_a_message_or_before_it_is_live() -> None:
    assert found_in("[ b100:5 a101:5 ] b103:1&a101:0&a105:1 ~3000 b99:1").crossed == 0
    assert found_in("b100:5 a99:5 ~5000 b98:1").crossed == 0


def test_time_that_goes_back_is_counted_and_is_a_problem_unless_marked() -> None:
    rows = script.events("[ b100:5 a101:5 ] ~10 b99:1 ~10 b98:1")
    rows["recv_ns"][-1] -= 15_000_000
    verdict = verify_source(Given(rows))
    assert verdict.out_of_order == 1
    assert any("goes back by 5000000 ns" in problem for problem in verdict.problems)
    rows["marks"][-1] |= BAD_TIME
    verdict = verify_source(Given(rows))
    assert (verdict.out_of_order, verdict.ok) == (1, True)


def test_rows_missing_or_out_of_number_are_found() -> None:
    rows = script.events(GOOD)
    assert any("does not follow" in problem for problem in verify_source(Given(np.delete(rows, 5))).problems)


def test_marked_checksums_are_counted() -> None:
    rows = script.events("[ b100:5 a101:5 ] b99:1 b98:1 b97:1")
    rows["marks"][-3:] |= np.array([CHECKED, CHECKED, SUSPECT], np.uint16)
    verdict = verify_source(Given(rows))
    assert (verdict.checksums.checked, verdict.checksums.failed) == (3, 1)
    assert not verdict.ok


def test_what_the_reader_says_is_passed_on() -> None:
    checks = Checks(checksums=9, snapshots=4, snapshots_failed=1, resyncs=2)
    checks.problem("file: line 3: strange")
    verdict = verify_source(Given(script.events("[ b100:5 a101:5 ]"), checks))
    assert verdict.checksums.checked == 9
    assert (verdict.snapshots.checked, verdict.snapshots.failed, verdict.resyncs) == (4, 1, 2)
    assert "file: line 3: strange" in verdict.problems


def quoted(best_bid: int, *, late: bool) -> Events:
    """A book whose depth updates 10, 20, 30 are to agree with quotes; update 20 sets the bid to 100:7."""
    out, ns = EventBuffer(), script.START_NS
    out.append(7, ns, ns, marks=2)
    out.append(1, ns, ns, 100, 5, 1, 10, marks=2)
    out.append(1, ns, ns, 101, 5, -1, 10, marks=2)
    out.append(9, ns, ns, aux=1, ref=10, marks=2 | LAST)

    def quote(ref: int, bid_lots: int) -> None:
        out.append(QUOTE, ns, NONE, best_bid, bid_lots, 1, ref)
        out.append(QUOTE, ns, NONE, 101, 5, -1, ref, marks=LAST)

    def depth(ref: int, lots: int) -> None:
        out.append(1, ns, ns, 100, lots, 1, ref, marks=LAST)

    quote(9, 5)
    if not late:
        quote(15, 7)
    depth(20, 7)
    if late:
        quote(15, 7)
    depth(30, 7)
    quote(35, 8)
    return Clock().insert(out.take())


@pytest.mark.parametrize("late", [False, True])
def test_the_inside_must_equal_the_last_quote_up_to_the_depth_update(late: bool) -> None:
    good = verify_source(Given(quoted(100, late=late)))
    assert (good.quotes.checked, good.quotes.failed) == (3, 0)
    bad = verify_source(Given(quoted(99, late=late)))
    assert (bad.quotes.checked, bad.quotes.failed) == (3, 3)
    assert any("venue's quote" in problem for problem in bad.problems)


def test_a_source_that_is_refused_while_it_is_read_gives_a_verdict() -> None:
    from feeds.errors import BadInput

    class Broken(Given):
        def batches(self):
            yield self._rows
            raise BadInput("file: byte 77", None, "an undamaged file")

    verdict = verify_source(Broken(script.events("[ b100:5 a101:5 ]")))
    assert not verdict.ok
    assert "byte 77" in verdict.problems[0]
