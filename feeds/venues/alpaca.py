"""Alpaca with a key: US stocks' prints and best quotes, and books of coins.

Stocks have no book. A print says no side: it is told by the quote before it (Lee and Ready's rule without the tick
test: at the ask or above bought, at the bid or below sold, in between by the nearer one) and marked IMPLIED. A
correction takes a print back and tells another, a cancel takes one back. Books of coins begin with a whole one (`r`),
which replaces what was there whenever it comes, and go on by absolute sizes; `tks` of their prints is the taker's
side. Quote sizes are as the venue sends them. Prices below a dollar may lie off the grid of cents. Source: Alpaca's
"Real-time Stock Data" and "Real-time Crypto Data"; Lee & Ready 1991, "Inferring Trade Direction from Intraday Data".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final, NamedTuple
from urllib.parse import quote as escaped

import msgspec

from feeds.errors import BadInput
from feeds.events import (
    AUCTION,
    BUST,
    BUY,
    IMPLIED,
    LAST,
    LATE,
    NONE,
    ODD_LOT,
    OFF_EXCHANGE,
    OTHER,
    REGULAR,
    S_HALTED,
    S_LIVE,
    SELL,
    STATUS,
    TRADE,
    UNKNOWN,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._access import FAULTS, refuse_list
from feeds.venues._alpaca import Alpaca, Item, ident, number
from feeds.venues._inband import Market
from feeds.venues._times import iso_ns

TAKER: Final = {"B": BUY, "S": SELL}
"""`tks` of a coin's print is the aggressor's."""
CONDITIONS: Final = {
    "O": AUCTION, "5": AUCTION, "6": AUCTION,
    "Z": LATE, "L": LATE, "U": LATE,
    "M": OTHER, "Q": OTHER, "9": OTHER,
    "I": ODD_LOT,
}  # fmt: skip
"""Kinds of print by sale condition, of both tapes: opening, reopening and closing prints; sold late or out of
sequence; official prices, which are no trades; odd lots. The first of this order counts."""
HALTED: Final = ("2", "H", "P")
"""Codes of a trading status: halted (of tapes A and B, then C), paused."""
RESUMED: Final = ("3", "T")
_OFF_EXCHANGE: Final = "D"
_KEPT: Final = 50_000
_DOLLAR: Final = "0.01"


class _Told(NamedTuple):
    tick: int
    lots: int
    side: int
    marks: int


class _Level(msgspec.Struct, gc=False):
    p: msgspec.Raw
    s: msgspec.Raw


class _Last(msgspec.Struct):
    p: float = 0.0


class _Listed(msgspec.Struct):
    latestTrade: _Last | None = None  # noqa: N815


class _Asset(msgspec.Struct):
    symbol: str
    price_increment: str = ""
    min_trade_increment: str = ""


_SIDE: Final = msgspec.json.Decoder(list[_Level])
_LISTED: Final = msgspec.json.Decoder(dict[str, _Listed | None])
_ASSETS: Final = msgspec.json.Decoder(list[_Asset])


class AlpacaStocks(Alpaca):
    """US stocks as IEX trades them; symbols such as 'AAPL'."""

    name: ClassVar[str] = "alpaca"
    tier: ClassVar[str] = "D"
    path: ClassVar[str] = "/v2/iex"
    lists: ClassVar[tuple[str, ...]] = ("trades", "quotes", "statuses")
    feed: ClassVar[str] = "iex"

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self._told: dict[str, OrderedDict[tuple[str, int], _Told]] = {symbol: OrderedDict() for symbol in instruments}
        self._touch: dict[str, tuple[int, int]] = {}
        """Best bid and ask in fine units, 0 where there is none."""

    def on_item(self, item: Item, recv_ns: int, out: EventBuffer) -> bool:
        """Take a print, a quote, what becomes of a print, or a halt."""
        kind = item.T
        if kind not in ("t", "q", "c", "x", "s"):
            return False
        market = self.market(item.S)
        if market is None:
            return True
        exch_ns = iso_ns(item.t)
        if kind == "t":
            self._print(market, item.x, (item.i, item.p, item.s), item.c, exch_ns, recv_ns, out)
        elif kind == "q":
            self._quote(market, item, exch_ns, recv_ns, out)
        elif kind == "s":
            self._status(market, item, exch_ns, recv_ns, out)
        elif kind == "x":
            self._bust(market, (item.x, ident(item.i)), (item.p, item.s), exch_ns, recv_ns, out)
        else:
            market.print(number(item.cp), number(item.cs), UNKNOWN, ident(item.ci), exch_ns)  # before the first is gone
            self._bust(market, (item.x, ident(item.oi)), (item.op, item.os), exch_ns, recv_ns, out)
            self._print(market, item.x, (item.ci, item.cp, item.cs), item.cc, exch_ns, recv_ns, out)
        return True

    def _print(
        self, market: Market, exchange: str, raws: tuple[msgspec.Raw, msgspec.Raw, msgspec.Raw],
        conditions: list[str] | None, exch_ns: int, recv_ns: int, out: EventBuffer,
    ) -> None:  # fmt: skip
        key = (exchange, ident(raws[0]))
        read = market.print(number(raws[1]), number(raws[2]), UNKNOWN, key[1], exch_ns)
        if read.lots <= 0 or read.tick < 0:
            self.ignore("print of no size" if read.lots == 0 else "print of negative price or size")
            return
        told = self._told[market.symbol]
        if key in told:
            self.checks.duplicates += 1
            return
        side = self._side(market, read.tick, read.marks)
        kind = _kind(exchange, conditions or [])
        marks = read.marks | (IMPLIED if side else 0)
        told[key] = _Told(read.tick, read.lots, side, marks)
        if len(told) > _KEPT:
            told.popitem(last=False)
        market.touched = True
        self.checks.off_grid += read.marks != 0
        out.append(
            TRADE, recv_ns, exch_ns, read.tick, read.lots, side, key[1], kind, market.inst, marks | LAST
        )  # fmt: skip

    def _side(self, market: Market, tick: int, marks: int) -> int:
        bid, ask = self._touch.get(market.symbol, (0, 0))
        if not bid or not ask or bid >= ask:
            return UNKNOWN
        grid = market.numbers.instrument.price
        twice = 2 * (tick if marks else tick * grid.fine)
        middle = bid + ask
        return BUY if twice > middle else SELL if twice < middle else UNKNOWN

    def _bust(
        self, market: Market, key: tuple[str, int], raws: tuple[msgspec.Raw, msgspec.Raw], exch_ns: int, recv_ns: int,
        out: EventBuffer,
    ) -> None:  # fmt: skip
        told = self._told[market.symbol].pop(key, None)
        if told is None:
            # Of before the subscription: it never counted here.
            read = market.print(number(raws[0]), number(raws[1]), UNKNOWN, key[1], exch_ns)
            self.ignore(f"end of a print not seen, {'of a size' if read.lots else 'of none'}")
            return
        market.touched = True
        out.append(
            TRADE, recv_ns, exch_ns, told.tick, told.lots, told.side, key[1], BUST, market.inst, told.marks | LAST
        )  # fmt: skip

    def _quote(self, market: Market, item: Item, exch_ns: int, recv_ns: int, out: EventBuffer) -> None:
        texts = (number(item.bp), number(item.bs), number(item.ap), number(item.asked))
        self.write_quote(market, texts, exch_ns, recv_ns, out)
        market.touched = True
        fine = market.numbers.instrument.price.fine
        bid, ask = (
            tick if off else tick * fine
            for tick, off in (market.numbers.price(texts[0]), market.numbers.price(texts[2]))
        )
        self._touch[market.symbol] = (bid, ask)

    def _status(self, market: Market, item: Item, exch_ns: int, recv_ns: int, out: EventBuffer) -> None:
        if item.sc in HALTED or item.sc in RESUMED:
            status = S_HALTED if item.sc in HALTED else S_LIVE
            out.append(STATUS, recv_ns, exch_ns, aux=status, inst=market.inst, marks=LAST)
            self.problem(f"{market.symbol}: {item.sm[:80]}")
        else:
            self.ignore("status of another kind")

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        """The connection ended: write gaps and forget quotes."""
        super().on_disconnect(recv_ns, out)
        self._touch.clear()

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def instruments_url(cls) -> str:
        """Where the newest prints are told; the venue lists no increments of stocks."""
        return f"https://data.alpaca.markets/v2/stocks/snapshots?feed={cls.feed}"

    @classmethod
    def listing_urls(cls, symbols: Iterable[str]) -> tuple[str, ...]:
        """Where to look for some symbols."""
        chosen = escaped(",".join(symbol.upper() for symbol in symbols))
        return (f"{cls.instruments_url()}&symbols={chosen}",)

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Derive instruments from newest prints: cents from a dollar on, a hundredth of one below."""
        try:
            return {
                symbol: Instrument(
                    venue=cls.name, symbol=symbol, tick=_tick(one), lot="1", currency="USD", derived=True,
                    locked_ok=True, timezone="America/New_York",
                )
                for symbol, one in _LISTED.decode(raw).items()
                if one is not None
            }  # fmt: skip
        except FAULTS as error:
            raise refuse_list(cls.name, error) from None


class AlpacaSip(AlpacaStocks):
    """US stocks on all exchanges, for which a paid plan is needed."""

    name: ClassVar[str] = "alpaca-sip"
    path: ClassVar[str] = "/v2/sip"
    feed: ClassVar[str] = "sip"


class AlpacaDelayed(AlpacaSip):
    """US stocks on all exchanges, 15 minutes late."""

    name: ClassVar[str] = "alpaca-delayed"
    path: ClassVar[str] = "/v2/delayed_sip"
    feed: ClassVar[str] = "delayed_sip"


class AlpacaCrypto(Alpaca):
    """Coins at Alpaca; symbols such as 'BTC/USD'."""

    name: ClassVar[str] = "alpaca-crypto"
    path: ClassVar[str] = "/v1beta3/crypto/us"
    lists: ClassVar[tuple[str, ...]] = ("orderbooks", "trades", "quotes")

    def on_item(self, item: Item, recv_ns: int, out: EventBuffer) -> bool:
        """Take a book, a print or a quote."""
        if item.T not in ("o", "t", "q"):
            return False
        market = self.market(item.S)
        if market is None:
            return True
        exch_ns = iso_ns(item.t)
        if item.T == "o":
            self._book(market, item, exch_ns, recv_ns, out)
        elif item.T == "q":
            texts = (number(item.bp), number(item.bs), number(item.ap), number(item.asked))
            self.write_quote(market, texts, exch_ns, recv_ns, out)
        else:
            if item.tks not in TAKER:
                raise BadInput("tks", item.tks, "B or S")
            read = market.print(number(item.p), number(item.s), TAKER[item.tks], ident(item.i), exch_ns)
            if self._seen.add(f"{market.symbol} {read.ident}"):
                market.last_print = NONE  # ids need not rise here
                self.write_prints(market, (read,), recv_ns, out)
            else:
                self.checks.duplicates += 1
        return True

    def _book(self, market: Market, item: Item, exch_ns: int, recv_ns: int, out: EventBuffer) -> None:
        bids, asks = (_SIDE.decode(raw) if raw else [] for raw in (item.b, item.a))
        pairs = [(number(one.p), number(one.s)) for one in (*bids, *asks)]
        sides = market.sides(pairs, len(bids))
        if item.r:
            self.rebuild(market, NONE, sides, exch_ns, recv_ns, out)
        else:
            self.change(market, NONE, sides, exch_ns, recv_ns, out)

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def instruments_url(cls) -> str:
        """Where the venue lists its coins."""
        return "https://api.alpaca.markets/v2/assets?asset_class=crypto&status=active"

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the coins, by symbol; raise BadInput where the answer is none."""
        try:
            return {
                one.symbol: Instrument(
                    venue=cls.name, symbol=one.symbol, tick=one.price_increment, lot=one.min_trade_increment,
                    currency=one.symbol.rpartition("/")[2],
                )
                for one in _ASSETS.decode(raw)
                if one.price_increment and one.min_trade_increment
            }  # fmt: skip
        except FAULTS as error:
            raise refuse_list(cls.name, error) from None


def _kind(exchange: str, conditions: list[str]) -> int:
    for condition, kind in CONDITIONS.items():
        if condition in conditions:
            return kind
    return OFF_EXCHANGE if exchange == _OFF_EXCHANGE else REGULAR


def _tick(one: _Listed) -> str:
    return "0.0001" if one.latestTrade is not None and 0 < one.latestTrade.p < 1 else _DOLLAR


VENUES: Final = (AlpacaStocks, AlpacaSip, AlpacaDelayed, AlpacaCrypto)
