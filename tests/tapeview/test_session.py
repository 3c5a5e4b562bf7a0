"""One machine whatever the batches, the front end or the file: digests decide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.events import CLOCK, EVERY, LAST
from feeds.instruments import Instrument
from feeds.script import START_NS, events
from feeds.source import Checks, Source, SourceInfo
from tapeview.session import Session, cut_at, message_ends

STORY = (
    "[ b100:5 b99:7 a101:3 a103:9 ] ~250 +101:2&a101:1 ~10 +101:1&a101:0 ~300 -100:1&b100:4 ~900 +103:4&a103:5 "
    "~4000 b98:3 ~100 !gap !clear ~50 [ b97:2 a99:4 ] ~700 ?98:6 -97:2&b97:0 ~1500 b96:1"
)


class Rows(Source):
    """Rows in memory as a source."""

    def __init__(self, rows, instruments, pieces=None):
        self.rows = rows
        self.instruments = instruments
        self.checks = Checks()
        self.info = SourceInfo(address="rows", format="rows", venue="test", tier="C", verification="chain", bytes=0)
        self.pieces = pieces or [len(rows)]

    def batches(self):
        at = 0
        for piece in self.pieces:
            yield self.rows[at : at + piece]
            at += piece


def one(symbol="ONE"):
    """An instrument of whole ticks."""
    return Instrument(venue="test", symbol=symbol, tick="1")


def bare(*sources):
    """Sessions of rows without detectors."""
    sessions = [Session(source, thresholds={}) for source in sources]
    return sessions[0] if len(sessions) == 1 else sessions


def two_markets():
    """Two instruments whose rows are mixed in one stream."""
    first, second = events(STORY, clock=False), events(STORY.replace("100:", "200:"), clock=False)
    second["inst"] = 1
    rows = np.concatenate([first, second])
    rows = rows[np.argsort(rows["recv_ns"], kind="stable")]
    from feeds.clock import Clock

    return Clock().insert(rows)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 40), min_size=1))
def test_how_the_stream_is_cut_changes_nothing(pieces):
    rows = events(STORY)
    whole, cut = bare(Rows(rows, (one(),)), Rows(rows, (one(),), [*pieces, len(rows)]))
    frames = [b"".join(o.frame.tobytes() for o in session.run()) for session in (whole, cut)]
    assert frames[0] == frames[1]
    assert whole.digest() == cut.digest()


def test_instruments_of_one_stream_do_not_touch_each_other():
    mixed = bare(Rows(two_markets(), (one("A"), one("B"))))
    for _ in mixed.run():
        pass
    alone = bare(Rows(events(STORY), (one("A"),)))
    for _ in alone.run():
        pass
    assert mixed.engines[0].book.bids().tolist() == alone.book().bids().tolist()
    assert mixed.engines[0].tape.totals == alone.tape().totals
    assert mixed.engines[1].book.bids()["tick"].tolist() == alone.book().bids()["tick"].tolist()


def test_outcomes_name_their_instrument_and_count_every_row_once():
    rows = two_markets()
    session = bare(Rows(rows, (one("A"), one("B"))))
    seen = {0: 0, 1: 0}
    for outcome in session.run():
        seen[outcome.instrument] += np.count_nonzero(outcome.events["inst"] != EVERY)
    assert seen == {n: np.count_nonzero(rows["inst"] == n) for n in (0, 1)}


def test_running_until_a_moment_stops_after_the_last_row_at_or_before_it():
    rows = events(STORY)
    for at in np.unique(rows["recv_ns"]).tolist():
        session = bare(Rows(rows, (one(),)))
        more = session.run_until(recv_ns=at)
        assert session.seq == int(rows["seq"][rows["recv_ns"] <= at].max())
        assert more == (at < int(rows["recv_ns"].max()))


def test_a_clock_that_stepped_back_does_not_cut_rows_off():
    rows = events("b1:1 ~100 b2:1 ~100 b3:1", clock=False)
    rows["recv_ns"][1] -= 300_000_000
    assert cut_at(rows, recv_ns=START_NS) == 2
    assert cut_at(rows, recv_ns=START_NS + 200_000_000) == 3


def test_messages_end_where_the_venue_says_and_not_at_clock_rows():
    rows = events(STORY)
    ends = message_ends(rows)
    assert ((rows["marks"][ends - 1] & LAST) != 0).all()
    assert (rows["kind"][ends - 1] != CLOCK).all()
    assert len(ends) == np.count_nonzero((rows["marks"] & LAST != 0) & (rows["kind"] != CLOCK))


def test_a_source_without_instruments_is_refused():
    with pytest.raises(ValueError, match="at least one instrument"):
        Session(Rows(events("b1:1"), ()))


def test_a_session_runs_every_detector_unless_told_otherwise():
    from tapeview.detectors import load

    assert set(Session(Rows(events(STORY), (one(),))).thresholds) == set(load())
    case = next(case for case in load()["iceberg"].cases if case.alerts and not case.thresholds and case.tier == "C")
    told = {}
    for name, thresholds in (("all", None), ("none", {})):
        with Session(Rows(events(case.script), (one(),)), thresholds=thresholds) as session:
            told[name] = [str(alert["detector"]) for outcome in session.run() for alert in outcome.alerts]
    assert told["none"] == []
    assert len(told["all"]) >= len(case.alerts)


class Faulty:
    """A desk that breaks at its n-th call."""

    busy = False

    def __init__(self, calls):
        self.left = calls

    def _call(self, *_):
        self.left -= 1
        if self.left < 0:
            raise ZeroDivisionError("planted")

    adopt = before = after = _call

    def cut(self, rows):
        self._call()
        return len(rows)


def test_a_desk_that_breaks_is_let_go_of_and_the_market_goes_on():
    rows = events(STORY)
    whole = bare(Rows(rows, (one(),)))
    for _ in whole.run():
        pass
    for calls in range(1, 12):
        session = bare(Rows(rows, (one(),), [3] * 40))
        told = []
        session.desk_failed = told.append
        session.attach(Faulty(calls))
        for _ in session.run():
            pass
        assert session.digest() == whole.digest()
        assert session.desk is None
        assert [type(error) for error in told] == [ZeroDivisionError]


def test_a_fault_of_the_desk_is_raised_where_nobody_takes_it():
    session = bare(Rows(events(STORY), (one(),)))
    session.attach(Faulty(1))
    with pytest.raises(ZeroDivisionError):
        for _ in session.run():
            pass
