"""Other order books, where installed, fed the same streams each in its own format.

Only the book's work is timed: a peer's compiler, and the translation of our rows into its bytes or records, are not.
"""

from __future__ import annotations

import datetime
import importlib.util
import struct
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from feeds.events import ADD, BID, BOOK, CANCEL, FILL, MODIFY, TRADE, Events

_CHUNKS: Final = 16
"""Pieces that a peer gets its bytes in; a quarter of them goes before the clock starts."""
_DAY: Final = datetime.date(2024, 1, 2)
_FROM_NS: Final = 36_000_000_000_000
_FRAME: Final = struct.Struct(">HcHH6s")
"""Length, then type, locate, tracking number and ns since midnight: how every message of ITCH 5.0 begins."""
_ADDED: Final = struct.Struct(">QcI8sI")
_EXECUTED: Final = struct.Struct(">QIQ")
_REDUCED: Final = struct.Struct(">QI")
_DELETED: Final = struct.Struct(">Q")
_REPLACED: Final = struct.Struct(">QQII")


class Touch(NamedTuple):
    """The best prices and what rests there, to see that two books came to the same end."""

    bid: int
    bid_lots: int
    ask: int
    ask_lots: int


class Peer(NamedTuple):
    """Another book and how to run it."""

    name: str
    work: str
    """From what to what it is timed."""
    requirement: str
    """What to hand to pip."""
    module: str
    stream: str
    """'levels' or 'orders'."""
    run: Callable[[Events], tuple[float, Touch]]
    """Run it over a stream; give the seconds for all rows as `tapeview.bench.engine` counts them, and its end."""

    @property
    def missing(self) -> str:
        """One line that says how to have it; empty where it is installed."""
        if importlib.util.find_spec(self.module) is not None:
            return ""
        return f"no {self.name}: not installed (pip install {self.requirement})"


# -- hftbacktest: levels --------------------------------------------------------------------------


@cache
def _walk() -> Any:
    from numba import njit

    @njit
    def walk(market: Any, rows: int) -> Any:
        taken = prices = 0
        while taken < rows:
            taken += 1
            # 2 says that a row was taken and more follow, 1 that it was the last.
            more = market.wait_next_feed(False, 1 << 60) == 2
            depth = market.depth(0)
            # Given back, so that no compiler finds the prices unread.
            prices ^= depth.best_bid_tick ^ depth.best_ask_tick
            if not more:
                break
        return taken, prices

    return walk


def hftbacktest_rows(events: Events) -> Any:
    """Translate levels and trades into hftbacktest's own records, a microsecond apart.

    They are marked for the local side only: the book of its simulated exchange is so spared the work.
    """
    import hftbacktest as hft
    from hftbacktest.types import event_dtype

    kind = events["kind"]
    rows = events[(kind == BOOK) | (kind == TRADE)]
    out = np.zeros(len(rows), event_dtype)
    side = np.where(rows["side"] > 0, hft.BUY_EVENT, hft.SELL_EVENT)
    what = np.where(rows["kind"] == BOOK, hft.DEPTH_EVENT, hft.TRADE_EVENT)
    out["ev"] = what | side | hft.LOCAL_EVENT
    out["exch_ts"] = out["local_ts"] = np.arange(1, len(rows) + 1) * 1000
    out["px"], out["qty"] = rows["tick"], rows["lots"]
    return out


def _market(rows: Any) -> Any:
    import hftbacktest as hft

    asset = (
        hft.BacktestAsset().data(rows).linear_asset(1.0).constant_order_latency(0, 0)
        .no_partial_fill_exchange().risk_adverse_queue_model().trading_qty_fee_model(0.0, 0.0)
        .tick_size(1.0).lot_size(1.0).last_trades_capacity(0)
        .roi_lb(float(rows["px"].min() - 1)).roi_ub(float(rows["px"].max() + 1))
    )  # fmt: skip
    return hft.ROIVectorMarketDepthBacktest([asset])


def run_hftbacktest(events: Events) -> tuple[float, Touch]:
    """Run hftbacktest's array book (ROIVectorMarketDepth) in a compiled loop that reads the best prices at each row."""
    rows, walk = hftbacktest_rows(events), _walk()
    few = rows[:64].copy()
    warming = _market(few)
    walk(warming, 32)
    warming.close()
    market = _market(rows)
    head = len(rows) // 4
    walk(market, head)
    began = time.process_time()
    taken, _ = walk(market, len(rows) - head)
    seconds = time.process_time() - began
    if taken != len(rows) - head:
        raise AssertionError(f"hftbacktest took {head + taken} of {len(rows)} rows")
    depth = market.depth(0)
    bid, ask = depth.best_bid_tick, depth.best_ask_tick
    # Its best_bid_qty gives the price in 2.4.4, so the size is asked for by price.
    touch = Touch(bid, int(depth.bid_qty_at_tick(bid)), ask, int(depth.ask_qty_at_tick(ask)))
    market.close()
    return seconds * len(rows) / (len(rows) - head), touch


# -- itch-book: orders ----------------------------------------------------------------------------


def itch_bytes(events: Events) -> bytes:
    """Translate an order-by-order stream into ITCH 5.0 with length prefixes, one stock, a tick being 0.0001.

    A fill is an execution, which says its trade too; a smaller size is a cancel of the difference, any other change
    a replacement under a new number, as the format has it.
    """
    out = bytearray()
    stock = b"X".ljust(8)
    numbers: dict[int, int] = {}
    lots_of: dict[int, int] = {}
    fresh = int(events["ref"].max()) + 1
    columns = [events[name].tolist() for name in ("kind", "side", "tick", "lots", "ref")]
    for at, (kind, side, tick, lots, ref) in enumerate(zip(*columns, strict=True)):
        if kind == ADD:
            numbers[ref], lots_of[ref] = ref, lots
            letter, body = b"A", _ADDED.pack(ref, b"B" if side == BID else b"S", lots, stock, tick)
        elif kind == FILL:
            lots_of[ref] -= lots
            letter, body = b"E", _EXECUTED.pack(numbers[ref], lots, at)
        elif kind == CANCEL:
            letter, body = b"D", _DELETED.pack(numbers[ref])
        elif kind == MODIFY and lots < lots_of[ref]:
            letter, body = b"X", _REDUCED.pack(numbers[ref], lots_of[ref] - lots)
            lots_of[ref] = lots
        elif kind == MODIFY:
            letter, body = b"U", _REPLACED.pack(numbers[ref], fresh, lots, tick)
            numbers[ref], lots_of[ref] = fresh, lots
            fresh += 1
        else:
            continue
        stamp = (_FROM_NS + 1000 * at).to_bytes(6, "big")
        out += _FRAME.pack(_FRAME.size - 2 + len(body), letter, 1, 0, stamp) + body
    return bytes(out)


def run_itch_book(events: Events) -> tuple[float, Touch]:
    """Run itch-book over a file of the stream's ITCH bytes to its table of best prices, parsing included."""
    import itch_book

    touch, done, began = None, 0, time.process_time()
    with tempfile.TemporaryDirectory(prefix="tapeview-bench-") as folder:
        path = Path(folder) / "stream.itch"
        raw = itch_bytes(events)
        path.write_bytes(raw)
        chunk = -(-len(raw) // _CHUNKS)
        with itch_book.Feed(str(path), date=_DAY, price_type="fixed", chunk_bytes=chunk) as feed:
            for taken, batch in enumerate(feed.batches(("bbo",), rows=1), 1):
                if len(batch.bbo["seq"]):
                    touch = Touch(*(int(batch.bbo[name][-1]) for name in ("bid_px", "bid_sz", "ask_px", "ask_sz")))
                if taken == _CHUNKS // 4 and touch is not None:
                    done, began = int(batch.bbo["seq"][-1]) + 1, time.process_time()
            seconds = time.process_time() - began
        messages = (feed.stats or {})["messages"]
    if touch is None:
        raise AssertionError("itch-book found no best prices")
    return seconds * messages / (messages - done), touch


PEERS: Final = (
    Peer("hftbacktest", "book only", "hftbacktest==2.4.4", "hftbacktest", "levels", run_hftbacktest),
    Peer("itch-book", "ITCH bytes to best prices", "itch-book==0.2.1", "itch_book", "orders", run_itch_book),
)
"""The books measured beside ours."""
