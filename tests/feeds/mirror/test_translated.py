"""Events in Binance's words: what its parser reads of them is what they say."""

from __future__ import annotations

from itertools import islice

from feeds.events import BOOK, CLEAR, TRADE, EventBuffer
from feeds.mirror import open_reel
from feeds.mirror.reel import FRAME, SNAPSHOT
from feeds.source import Checks, open_source
from feeds.venues.binance_futures import BinanceFutures
from tapeview.engine import Engine
from tests.conftest import ROOT

FOLDER = ROOT / "recordings" / "quiet-open"


def test_a_source_of_orders_becomes_depth_trades_and_quotes_that_the_venues_parser_reads():
    reel = open_reel(str(FOLDER))
    one = reel.markets["binance-futures"]["MES"]
    checks, out = Checks(), EventBuffer()
    parser = BinanceFutures({"MES": (0, one)}, checks)
    last = 0
    for shot in islice(reel.shots(), 2_000):
        last = shot.ns
        if shot.kind == SNAPSHOT:
            parser.on_snapshot(shot.symbol, shot.raw, shot.ns, out)
        else:
            assert shot.kind == FRAME
            parser.on_frame(shot.raw, shot.ns, out)
    rows = out.take()
    assert (checks.gaps, checks.damaged, checks.duplicates) == (0, 0, 0)
    assert checks.problems == []
    source = open_source(FOLDER)
    engine = Engine(source.instruments[0])
    prints = []
    for batch in source.batches():
        engine.apply(batch[batch["recv_ns"] < last])
        prints += batch[(batch["kind"] == TRADE) & (batch["recv_ns"] < last)][["tick", "lots", "side"]].tolist()
        if batch["recv_ns"][-1] >= last:
            break
    heard = rows[rows["kind"] == TRADE][["tick", "lots", "side"]].tolist()
    assert heard[: len(prints)] == prints
    assert len(prints) > 100
    book: dict[int, dict[int, int]] = {1: {}, -1: {}}
    for kind, side, tick, lots in rows[["kind", "side", "tick", "lots"]].tolist():
        if kind == CLEAR:
            book = {1: {}, -1: {}}
        elif kind == BOOK and lots:
            book[side][tick] = lots
        elif kind == BOOK:
            book[side].pop(tick, None)
    for side, levels in ((1, engine.book.bids()), (-1, engine.book.asks())):
        there = {int(row["tick"]): int(row["lots"]) for row in levels}
        # The last message tells of the time up to it, and what happened in its own moment may be in it or not.
        assert len(there.items() ^ book[side].items()) <= 4


def test_times_of_the_frames_never_go_back_and_the_snapshot_comes_once():
    reel = open_reel(str(FOLDER))
    shots = list(islice(reel.shots(), 2_000))
    assert [shot.ns for shot in shots] == sorted(shot.ns for shot in shots)
    assert sum(shot.kind == SNAPSHOT for shot in shots) == 1
