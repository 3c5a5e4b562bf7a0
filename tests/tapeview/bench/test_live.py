"""The live measurement: what the venue told is what the screen's engine has, and lateness is counted from sending."""

from __future__ import annotations

import json

import numpy as np
import pytest

from feeds.source import Checks
from feeds.venues.okx import Okx
from tapeview.bench import live
from tapeview.bench._live_venue import SYMBOL, Teller, framed


def test_a_whole_run_ends_with_the_venues_own_book() -> None:
    told = live.run_once(400, 1.5)
    assert told["exact"] is True
    assert told["applied"] == told["messages"] > 300
    assert told["fps"] > 1
    assert 0 < told["book_ms"][0] <= told["book_ms"][1]
    assert told["book_ms"][0] <= told["paint_ms"][0]


def test_lateness_runs_from_sending_to_the_first_moment_that_has_the_message() -> None:
    second = 1_000_000_000
    sent = {"messages": 4, "seq": 5, "sent_ns": [0, 0, 0, 2 * second, 3 * second, 4 * second], "books": {}}
    seen = {
        "book_ns": [2 * second + 1_000_000, 4 * second + 3_000_000], "book_seq": [3, 5],
        "paint_ns": [4 * second + 10_000_000], "paint_seq": [5], "books": {},
        "applied": 4, "lag_ms": 0, "cpu": 0, "rss_mib": [], "rss_s": [], "threads": 0, "files": 0,
    }  # fmt: skip
    told = live._joined(sent, seen)
    # 3 was sent at 2 s and there 1 ms later, 4 waited for the second look, 5 was there 3 ms later.
    assert told["book_ms"] == pytest.approx(list(np.percentile([1, 1003, 3], (50, 99))))
    assert told["paint_ms"] == pytest.approx(list(np.percentile([2010, 1010, 10], (50, 99))))


def test_the_venues_words_are_understood_and_its_frames_are_those_of_the_protocol() -> None:
    from feeds.events import EventBuffer

    teller = Teller()
    listed = Okx.read_instruments(
        json.dumps({"code": "0", "data": [
            {"instId": SYMBOL, "instType": "SPOT", "tickSz": "0.1", "lotSz": "0.001", "state": "live"}
        ]})
    )  # fmt: skip
    checks, out = Checks(), EventBuffer()
    parser = Okx({SYMBOL: (0, listed[SYMBOL])}, checks)
    parser.on_frame(teller.snapshot(), 1, out)
    for _ in range(500):
        parser.on_frame(teller.next(1_700_000_000_000), 2, out)
    assert (checks.gaps, checks.damaged, checks.problems) == (0, 0, [])
    assert teller.messages == 500
    assert teller.trades == 100
    assert framed(b"x" * 100)[:2] == bytes((0x81, 100))
    assert framed(b"x" * 300)[:4] == b"\x81\x7e\x01\x2c"
