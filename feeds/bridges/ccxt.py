"""Exchanges through ccxt (`ccxt.pro`): `ccxt-EXCHANGE:SYMBOL`, symbols as ccxt writes them, `BTC/USDT`.

ccxt joins snapshots to updates itself and hands over whole books of floats: no sequence and no checksum is left to
verify, so its books are told to be unverifiable. A float stands for its shortest decimal text.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from feeds.bridges._bridge import Bridge
from feeds.errors import BadInput, MissingExtra
from feeds.events import (
    ASK,
    BID,
    BOOK,
    BUY,
    CLEAR,
    LAST,
    NONE,
    REGULAR,
    S_LIVE,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    UNKNOWN,
)  # fmt: skip
from feeds.files._columns import off_marks
from feeds.files._exact import Floats, Levels, blank, count_floats, differences
from feeds.instruments import Grid, Instrument

DEPTH: Final = 400
"""Levels a side that are taken of a book."""
_MS: Final = 1_000_000
_BEFORE_NS: Final = 5_000_000_000
"""Prints that are older than the connection by more than this were printed before it."""
_SIDES: Final = {"buy": BUY, "sell": SELL}
_MISREAD: Final = {"coinbase", "coinbaseadvanced", "coinbaseexchange", "coinbaseinternational"}
"""Exchanges whose `side` is the maker's, which ccxt hands on as the taker's."""


class CcxtBridge(Bridge):
    """Symbols of one exchange. `settings` goes to the exchange's constructor: keys, proxies, other addresses."""

    exchange: ClassVar[str]
    silence_s = 120.0

    def __init__(self, symbols: Sequence[str], *, settings: Mapping[str, Any] | None = None, **more: Any) -> None:
        super().__init__(symbols, **more)
        self._settings = dict(settings or {})
        self._before: dict[int, tuple[Levels, Levels]] = {}
        self._newest: dict[int, int] = {}
        """Time of the newest print of each instrument, in ns."""

    def _make(self) -> Any:
        try:
            import ccxt.pro
        except ImportError:
            raise MissingExtra(f"{self.name}", "ccxt") from None
        if self.exchange not in ccxt.pro.exchanges:
            near = difflib.get_close_matches(self.exchange, ccxt.pro.exchanges, 3)
            what = " or ".join(f"ccxt-{one}" for one in near) or "an exchange of ccxt that has websockets"
            raise BadInput("address: venue", self.name, what)
        return getattr(ccxt.pro, self.exchange)({"newUpdates": True, **self._settings})

    async def prepare(self) -> Mapping[str, tuple[int, Instrument]]:
        """Ask the exchange for its markets; raise OSError where it does not answer."""
        exchange = self._make()
        import ccxt

        try:
            markets = await exchange.load_markets()
        except ccxt.BaseError as error:
            raise OSError(f"{self.name}: {type(error).__name__}: {error}"[:300]) from None
        finally:
            await exchange.close()
        made = []
        for symbol in self.symbols:
            market = markets.get(symbol) or markets.get(symbol.upper())
            if market is None:
                near = difflib.get_close_matches(symbol.upper(), list(markets), 3)
                raise BadInput(f"address {self.name}: symbol", symbol, " or ".join(near) or "a symbol of the exchange")
            made.append(_instrument(self.name, symbol, market, exchange.precisionMode))
        self.instruments = tuple(made)
        return {one.symbol: (at, one) for at, one in enumerate(made)}

    async def session(self) -> str:
        """One client of the exchange, until one of its streams fails."""
        exchange = self._make()
        try:
            await exchange.load_markets()
            self.opened()
            began, _ = self.times.now()
            streams = []
            for inst, instrument in enumerate(self.instruments):
                symbol = instrument.symbol
                if exchange.has.get("watchOrderBook"):
                    streams.append(self._books(exchange, symbol, inst))
                if exchange.has.get("watchTrades"):
                    streams.append(self._trades(exchange, symbol, inst, began))
            if not streams:
                raise BadInput("address: venue", self.name, "an exchange with streams of books or trades")
            tasks = [asyncio.ensure_future(stream) for stream in streams]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
                errors = [task.exception() for task in tasks if task.done() and not task.cancelled()]
                first = next((error for error in errors if error is not None), None)
                return f"{type(first).__name__}: {first}" if first is not None else "its streams ended"
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await exchange.close()

    def forget(self) -> None:
        """Forget the books."""
        self._before.clear()

    async def _books(self, exchange: Any, symbol: str, inst: int) -> None:
        while True:
            book = await exchange.watch_order_book(symbol)
            try:
                self.book(inst, book)
            except (BadInput, TypeError, KeyError, IndexError) as error:
                self._damaged(error)

    async def _trades(self, exchange: Any, symbol: str, inst: int, began_ns: int) -> None:
        while True:
            prints = await exchange.watch_trades(symbol)
            try:
                self.trades(inst, prints, began_ns)
            except (BadInput, TypeError, KeyError, IndexError) as error:
                self._damaged(error)

    def _damaged(self, error: Exception) -> None:
        self.checks.damaged += 1
        self.checks.problem(f"{self.name}: {type(error).__name__}: {error}"[:300])

    def book(self, inst: int, book: Mapping[str, Any]) -> None:
        """Write the differences of a whole book to the one before; raises BadInput for numbers that are none."""
        new = (self._levels(inst, book["bids"]), self._levels(inst, book["asks"]))
        recv_ns, _ = self.times.now()
        self.heard(recv_ns)
        self.checks.messages += 1
        stamp = book.get("timestamp")
        exch_ns = _ns(stamp)
        nonce = book.get("nonce")
        ref = nonce if isinstance(nonce, int) and 0 <= nonce < 2**62 else NONE
        before = self._before.get(inst)
        nothing = self._levels(inst, [])
        if before is None:
            self.out.append(CLEAR, recv_ns, exch_ns, inst=inst, marks=SNAPSHOT)
        many = 0
        for at, side in enumerate((BID, ASK)):
            _, tick, lots, _, marks = differences(before[at] if before else nothing, new[at])
            rows = blank(len(tick))
            rows["recv_ns"], rows["exch_ns"], rows["inst"], rows["ref"] = recv_ns, exch_ns, inst, ref
            rows["kind"], rows["side"], rows["tick"], rows["lots"] = BOOK, side, tick, lots
            rows["marks"] = marks | (SNAPSHOT if before is None else 0)
            self.out.extend(rows)
            many += len(rows)
        self._before[inst] = new
        if before is None or not many:
            ends = LAST | (SNAPSHOT if before is None else 0)
            self.out.append(STATUS, recv_ns, exch_ns, aux=S_LIVE, ref=ref, inst=inst, marks=ends)
        else:
            self.out.mark_last()

    def _levels(self, inst: int, levels: Sequence[Sequence[float]]) -> Levels:
        instrument = self.instruments[inst]
        pairs = [(float(level[0]), float(level[1])) for level in levels[:DEPTH]]
        values: Floats = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        tick, off = count_floats(instrument.price, values[:, 0], f"{self.name}: price")
        lots, off_lot = count_floats(instrument.size, values[:, 1], f"{self.name}: size")
        there = lots > 0
        self.checks.off_grid += int(off.sum())
        marks = off_marks(off, off_lot)
        return Levels(np.zeros(int(there.sum()), np.int64), tick[there], lots[there], marks[there])

    def trades(self, inst: int, trades: Sequence[Mapping[str, Any]], began_ns: int) -> None:
        """Write prints, but not those that were printed before the connection or come once more."""
        recv_ns, _ = self.times.now()
        self.heard(recv_ns)
        instrument = self.instruments[inst]
        newest = self._newest.get(inst, began_ns - _BEFORE_NS)
        told = newest
        for trade in trades:
            stamp = trade.get("timestamp")
            exch_ns = _ns(stamp)
            if exch_ns != NONE and exch_ns <= newest and (inst not in self._newest or exch_ns < newest):
                self.checks.ignore("trades before the subscription")
                continue
            value: Floats = np.array([float(trade["price"]), float(trade["amount"])])
            tick, off = count_floats(instrument.price, value[:1], f"{self.name}: price")
            lots, off_lot = count_floats(instrument.size, value[1:], f"{self.name}: size")
            if lots[0] <= 0:
                self.checks.damaged += 1
                continue
            side = UNKNOWN if self.exchange in _MISREAD else _SIDES.get(str(trade.get("side")), UNKNOWN)
            text = str(trade.get("id") or "")
            ref = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else NONE
            marks = int(off_marks(off, off_lot)[0]) | LAST
            self.out.append(TRADE, recv_ns, exch_ns, int(tick[0]), int(lots[0]), side, ref, REGULAR, inst, marks)
            told = max(told, exch_ns)
        self._newest[inst] = told


def ccxt_bridge(name: str) -> type[CcxtBridge]:
    """The bridge to `ccxt-EXCHANGE`."""
    exchange = name.removeprefix("ccxt-")
    if not exchange.isascii() or not exchange.isidentifier():
        raise BadInput("address: venue", name, "ccxt-EXCHANGE, as in ccxt-kucoin:BTC/USDT")
    return type("CcxtBridge", (CcxtBridge,), {"name": name, "exchange": exchange, "__doc__": CcxtBridge.__doc__})


def _instrument(venue: str, symbol: str, market: Mapping[str, Any], mode: int) -> Instrument:
    """The instrument as ccxt describes it; increments that it does not know are derived: 1e-8."""
    import ccxt

    told = market.get("precision") or {}
    increments = []
    for what in ("price", "amount"):
        value = told.get(what)
        text = ""
        if isinstance(value, (int, float)) and value > 0 and mode == ccxt.TICK_SIZE:
            text = repr(value).removesuffix(".0")
        elif isinstance(value, (int, float)) and mode == ccxt.DECIMAL_PLACES:
            text = f"1e{-int(value)}"
        increments.append(_plain(text))
    return Instrument(
        venue=venue, symbol=str(market.get("symbol") or symbol), tick=increments[0] or "0.00000001",
        lot=increments[1] or "0.00000001", currency=str(market.get("quote") or ""), derived="" in increments,
        multiplier=_plain(repr(market.get("contractSize") or 1).removesuffix(".0")) or "1",
    )  # fmt: skip


def _ns(stamp: object) -> int:
    return stamp * _MS if isinstance(stamp, int) and 0 <= stamp < 2**62 // _MS else NONE


def _plain(text: str) -> str:
    """An increment without an exponent; '' where it is none."""
    try:
        return Grid(text).text(1)
    except BadInput:
        return ""
