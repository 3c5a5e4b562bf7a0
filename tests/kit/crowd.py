"""A session of many small orders and some larger ones, whose large prints depend on the thresholds."""

from __future__ import annotations

from feeds.instruments import Instrument
from feeds.recording import RecordingWriter, open_recording
from feeds.script import START_NS, events
from feeds.source import SourceInfo

INSTRUMENT = Instrument(venue="cme", symbol="CROWD", tick="1")
STORY = "[ b100:500 b99:500 a101:400 a102:400 a103:400 a104:500 ] " + " ".join(
    f"~200 {'+101' if n % 3 else '-100'}:{1 + n % 3 if n % 11 else 5 + n % 7 * 3} b99:{400 + n}" for n in range(200)
)
LOOSE = {"large_print": {"quantile": 0.9, "min_orders": 20}}
STRICT = {"large_print": {"quantile": 0.99, "min_orders": 60}}
SPAN_MS = int(events(STORY)["recv_ns"].max() - START_NS) // 1_000_000


def record(folder, script=STORY, instrument=INSTRUMENT, part_rows=40):
    """Write a script as a recording of many small parts."""
    info = SourceInfo(address="story", format="script", venue="cme", tier="C", verification="chain", bytes=0)
    with RecordingWriter(folder, info, (instrument,), part_rows=part_rows) as writer:
        writer.write(events(script))
    return open_recording(folder)
