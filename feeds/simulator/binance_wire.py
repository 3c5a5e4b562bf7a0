"""The simulated perpetual as a recorder would receive it from Binance USD-M futures: frames with receive times.

Depth every 100 ms, conflated (`btcusdt@depth@100ms`, chained by `pu`), aggregate trades, best quotes and the mark
price as combined-stream frames, and one REST snapshot, in the shapes of developers.binance.com. Book and trades come
over connections of their own with latencies of their own, so a trade usually arrives before the depth it changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final, NamedTuple

import msgspec
import numpy as np

from feeds.events import FILL, SELL, TRADE, Events
from feeds.simulator.draws import Draws, wait
from feeds.simulator.exchange import Half
from feeds.simulator.flow import Flow

DEPTH_NS: Final = 100_000_000
"""Distance of the depth messages."""
QUOTE_NS: Final = 50_000_000
"""Best quotes are sent where they changed, at most this often."""
SNAPSHOT_LEVELS: Final = 1000
"""Levels a side in the REST snapshot (limit=1000)."""
FUNDING_MS: Final = 28_800_000
_FIRST_UPDATE: Final = 6_500_000_000_000
_BOOK_LATENCY_NS: Final = 9_000_000
_TRADE_LATENCY_NS: Final = 14_000_000
_JITTER_NS: Final = 3_000_000
_SECOND_NS: Final = 1_000_000_000


class Frame(NamedTuple):
    """What one connection gave at one time."""

    recv_ns: int
    channel: str
    """'ws:public' and 'ws:market' after the venue's routes, or 'rest:snapshot:SYMBOL' for the snapshot's answer."""
    payload: bytes


class BinanceWire:
    """Turn a flow into frames in the order of their receive times."""

    def __init__(self, flow: Flow, seed: int) -> None:
        instrument = flow.profile.instrument
        self.flow = flow
        self.symbol = instrument.symbol
        self._price, self._size = instrument.price.text, instrument.size.text
        self._word = Draws(seed, 8).word
        self._waiting: list[tuple[int, int, Frame]] = []
        self._sent = 0
        self._last_ns = {"public": 0, "market": 0}
        self._update = self._last_update = _FIRST_UPDATE + flow.market.messages
        self._quote: tuple[int | None, int, int | None, int] = (None, 0, None, 0)
        self._trade_id = 4_000_000_000
        self._mark = flow.value

    def frames(self, until_ns: int | None) -> Iterator[Frame]:
        """Give the frames received before a time, or without end."""
        flow, now = self.flow, self.flow.profile.start_ns
        market = flow.market
        market.bids.changed.clear()
        market.asks.changed.clear()
        step = 0
        while until_ns is None or now < until_ns:
            now += QUOTE_NS
            step += 1
            flow.run(now)
            self._trades(flow.give(), step)
            self._liquidations()
            self._update = _FIRST_UPDATE + market.messages
            if step == 1:
                self._snapshot(now)
            if step > 1:
                self._best(now)
            if now % DEPTH_NS == 0:
                self._depth(now)
            if now % _SECOND_NS == 0:
                self._mark_price(now)
            while self._waiting and self._waiting[0][0] < now:
                frame = heappop(self._waiting)[2]
                if until_ns is not None and frame.recv_ns >= until_ns:
                    return
                yield frame

    def _send(self, route: str, sent_ns: int, stream: str, data: dict[str, object]) -> None:
        latency = _BOOK_LATENCY_NS if route == "public" else _TRADE_LATENCY_NS
        recv = max(self._last_ns[route], sent_ns + latency + wait(self._word(), _JITTER_NS) // 1000 * 1000) + 1000
        self._last_ns[route] = recv
        payload = msgspec.json.encode({"stream": f"{self.symbol.lower()}@{stream}", "data": data})
        self._queue(Frame(recv, f"ws:{route}", payload))

    def _queue(self, frame: Frame) -> None:
        self._sent += 1
        heappush(self._waiting, (frame.recv_ns, self._sent, frame))

    def _snapshot(self, now: int) -> None:
        market = self.flow.market

        def side(half: Half) -> list[tuple[str, str]]:
            ticks = half.ticks()[:SNAPSHOT_LEVELS]
            return [(self._price(tick), self._size(half.levels[tick].lots)) for tick in ticks]

        answer = {
            "lastUpdateId": self._update,
            "E": now // 1_000_000,
            "T": now // 1_000_000,
            "bids": side(market.bids),
            "asks": side(market.asks),
        }
        self._queue(Frame(now + 1_000_000, f"rest:snapshot:{self.symbol}", msgspec.json.encode(answer)))

    def _depth(self, now: int) -> None:
        market, stamp = self.flow.market, now // 1_000_000

        def side(half: Half) -> list[tuple[str, str]]:
            ticks = sorted(half.changed)
            half.changed.clear()
            levels = half.levels
            return [(self._price(t), self._size(levels[t].lots if t in levels else 0)) for t in ticks]

        data: dict[str, object] = {
            "e": "depthUpdate",
            "E": stamp + 1 + (self._word() & 3),
            "T": stamp,
            "s": self.symbol,
            "U": self._last_update + 1,
            "u": self._update,
            "pu": self._last_update,
            "b": side(market.bids),
            "a": side(market.asks),
        }
        if self._update == self._last_update:
            return
        self._last_update = self._update
        self._send("public", now, "depth@100ms", data)

    def _best(self, now: int) -> None:
        bids, asks = self.flow.market.bids, self.flow.market.asks
        if bids.best is None or asks.best is None:
            return
        quote = bids.best, bids.levels[bids.best].lots, asks.best, asks.levels[asks.best].lots
        if quote == self._quote:
            return
        self._quote = quote
        stamp = now // 1_000_000
        data: dict[str, object] = {
            "e": "bookTicker",
            "u": self._update,
            "s": self.symbol,
            "b": self._price(bids.best),
            "B": self._size(quote[1]),
            "a": self._price(asks.best),
            "A": self._size(quote[3]),
            "T": stamp,
            "E": stamp + 1,
        }
        self._send("public", now, "bookTicker", data)

    def _trades(self, rows: Events, step: int) -> None:
        """One aggregate trade for each price an aggressor reached; its single trades are the orders filled."""
        at = np.flatnonzero(rows["kind"] == TRADE)
        fills = np.cumsum(rows["kind"] == FILL)
        counts = np.diff(fills[at], append=fills[-1] if len(fills) else 0).tolist()
        for row, count in zip(rows[at], counts, strict=True):
            first = self._trade_id
            self._trade_id += count
            if step == 1:  # before the snapshot nobody has subscribed
                continue
            exch_ns = int(row["exch_ns"])
            data: dict[str, object] = {
                "e": "aggTrade",
                "E": exch_ns // 1_000_000 + 2 + (self._word() & 3),
                "a": int(row["ref"]),
                "s": self.symbol,
                "p": self._price(int(row["tick"])),
                "q": self._size(int(row["lots"])),
                "f": first,
                "l": self._trade_id - 1,
                "T": exch_ns // 1_000_000,
                "m": int(row["side"]) == SELL,
            }
            self._send("market", exch_ns, "aggTrade", data)

    def _liquidations(self) -> None:
        """The order that closed each position, as an order filled at once."""
        for forced in self.flow.story.forced:
            stamp = forced.exch_ns // 1_000_000
            price, size = self._price(forced.tick), self._size(forced.lots)
            order: dict[str, object] = {
                "s": self.symbol,
                "S": "SELL" if forced.side == SELL else "BUY",
                "o": "LIMIT",
                "f": "IOC",
                "q": size,
                "p": price,
                "ap": price,
                "X": "FILLED",
                "l": size,
                "z": size,
                "T": stamp,
            }
            self._send("market", forced.exch_ns, "forceOrder", {"e": "forceOrder", "E": stamp + 3, "o": order})
        self.flow.story.forced.clear()

    def _mark_price(self, now: int) -> None:
        """The mark price follows the fair value over some seconds; the index lies a little below it."""
        self._mark += (self.flow.value - self._mark) // 4
        stamp = now // 1_000_000

        def text(value: int) -> str:
            eight = value * 10_000_000 >> 20
            return f"{eight // 100_000_000}.{eight % 100_000_000:08d}"

        data: dict[str, object] = {
            "e": "markPriceUpdate",
            "E": stamp,
            "s": self.symbol,
            "p": text(self._mark),
            "P": text(self._mark - self._mark // 40_000),
            "i": text(self._mark - self._mark // 5_000),
            "r": "0.00010000",
            "T": (stamp // FUNDING_MS + 1) * FUNDING_MS,
        }
        self._send("market", now, "markPrice@1s", data)
