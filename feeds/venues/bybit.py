"""Bybit v5, spot, linear and inverse: books whose update id `u` rises by 1, trades, tickers and liquidations.

A snapshot replaces the book whenever it comes, as does a message of `u` = 1, which a restarted service sends.
That `u` rises by exactly 1 is how the venue counts and was so in 2,142 of 2,142 updates of a real session, but
its documentation does not promise it; a jump is taken for lost messages. Times of the book are the matching
engine's (`cts`), comparable with those of trades. `S` of a trade is the taker's side; `S` of a liquidation is
the side of the position closed, so that `Buy` is a long closed by a sell order. Open interest is that of one
side (`singleOpenInterest`) where the venue tells it. Source: Bybit's v5 API, "Orderbook", "Trade", "Ticker"
and "All Liquidation".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import (
    BLOCK,
    BUY,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_NEXT_FUNDING_NS,
    F_OPEN_INTEREST,
    NONE,
    REGULAR,
    SELL,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.source import Checks
from feeds.venues._access import FAULTS, Socket, Terms, bounded, plain, refuse_list
from feeds.venues._inband import Fact, InBand, Market, Print
from feeds.venues._numbers import fact
from feeds.venues._times import ms_ns

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

TAKER: Final = {"Buy": BUY, "Sell": SELL}
"""`S` of a trade is the aggressor's."""
CLOSED_BY: Final = {"Buy": SELL, "Sell": BUY}
"""`S` of a liquidation is the position's; the order that closes it is on the other side."""
DEPTHS: Final = (1, 50, 200, 1000)
SYMBOLS_PER_SOCKET: Final = 150
"""The venue takes 21,000 characters of topics on one connection."""
_TOPICS_PER_REQUEST: Final = 10
_BOOK: Final = re.compile(r"orderbook\.(\d{1,4})\.(.+)\Z", re.ASCII)
_RECENT: Final = 4096

Id = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class _Frame(msgspec.Struct, gc=False):
    topic: str = ""
    type: str = ""
    ts: int = 0
    cts: int = 0
    data: msgspec.Raw = msgspec.Raw()
    op: str = ""
    success: bool | None = None
    ret_msg: str = ""


class _Book(msgspec.Struct, gc=False):
    s: str
    b: msgspec.Raw
    a: msgspec.Raw
    u: Id


class _Print(msgspec.Struct, gc=False):
    T: int
    s: str
    S: str
    v: str
    p: str
    i: str = ""
    BT: bool = False


class _Closed(msgspec.Struct, gc=False):
    T: int
    s: str
    S: str
    v: str
    p: str


class _Ticker(msgspec.Struct, gc=False):
    symbol: str
    markPrice: str = ""  # noqa: N815
    indexPrice: str = ""  # noqa: N815
    fundingRate: str = ""  # noqa: N815
    nextFundingTime: str = ""  # noqa: N815
    openInterest: str = ""  # noqa: N815
    singleOpenInterest: str = ""  # noqa: N815
    bid1Price: str = ""  # noqa: N815
    bid1Size: str = ""  # noqa: N815
    ask1Price: str = ""  # noqa: N815
    ask1Size: str = ""  # noqa: N815


class _PriceFilter(msgspec.Struct):
    tickSize: str  # noqa: N815


class _LotFilter(msgspec.Struct):
    qtyStep: str = ""  # noqa: N815
    basePrecision: str = ""  # noqa: N815


class _Listed(msgspec.Struct):
    symbol: str
    priceFilter: _PriceFilter  # noqa: N815
    lotSizeFilter: _LotFilter  # noqa: N815
    quoteCoin: str = ""  # noqa: N815


class _Result(msgspec.Struct):
    category: str
    listed: list[_Listed] = msgspec.field(name="list")


class _Listing(msgspec.Struct):
    result: _Result


_FRAME: Final = msgspec.json.Decoder(_Frame)
_BOOKS: Final = msgspec.json.Decoder(_Book)
_PRINTS: Final = msgspec.json.Decoder(list[_Print])
_CLOSED: Final = msgspec.json.Decoder(list[_Closed])
_TICKER: Final = msgspec.json.Decoder(_Ticker)
_LISTING: Final = msgspec.json.Decoder(_Listing)
_TOUCH: Final = ("bid1Price", "bid1Size", "ask1Price", "ask1Size")


class Bybit(InBand):
    """Bybit spot; symbols such as 'BTCUSDT'."""

    name: ClassVar[str] = "bybit"
    captures: ClassVar[tuple[str, ...]] = ("BYBIT",)
    verification: ClassVar[str] = "counter"
    terms: ClassVar[Terms] = Terms(silence_s=45, ping='{"op":"ping"}', ping_s=20, send_gap_ms=100)
    category: ClassVar[str] = "spot"
    channels: ClassVar[tuple[str, ...]] = ("publicTrade",)
    """Topics beside the book's; spot tickers hold nothing that is used."""

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self._recent: dict[str, None] = {}
        self._one_sided: set[str] = set()

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        topic = ""
        book = None
        try:
            bounded(raw)
            frame = _FRAME.decode(raw)
            topic = frame.topic
            book = _BOOK.match(topic)
            if book:
                self._on_book(topic, frame, recv_ns, out)
            elif topic.startswith("publicTrade."):
                self._on_trades(_PRINTS.decode(frame.data), recv_ns, out)
            elif topic.startswith("tickers."):
                self._on_ticker(frame, recv_ns, out)
            elif topic.startswith("allLiquidation."):
                self._on_liquidations(_CLOSED.decode(frame.data), recv_ns, out)
            elif topic:
                self.ignore(topic.partition(".")[0])
            else:
                self._on_answer(frame)
        except FAULTS as error:
            self.damaged(topic[:80] or "frame", error)
            if book:
                market = self.markets.get(book[2])
                if market is not None and market.channel in ("", topic):
                    self.lose_damaged(book[2], recv_ns, out)

    def _on_answer(self, frame: _Frame) -> None:
        if frame.op == "pong" or frame.ret_msg == "pong":
            self.notice("pong")
        elif frame.success is False:
            self.problem(f"the venue refuses {frame.op[:40]}: {frame.ret_msg[:200]}")
            self.notice("error", frame.ret_msg)
        elif frame.success:
            self.notice("ack", frame.op)
        else:
            self.ignore(frame.op or "frame without a topic")

    def _on_book(self, topic: str, frame: _Frame, recv_ns: int, out: EventBuffer) -> None:
        book = _BOOKS.decode(frame.data)
        market = self.market(book.s)
        if market is None or not self.one_channel(market, topic):
            return
        if frame.type not in ("snapshot", "delta"):
            raise BadInput("type", frame.type, "snapshot or delta")
        if not topic.endswith(f".{book.s}"):
            raise BadInput("symbol", book.s, f"that of {topic[:60]}")
        sides = market.arrays(book.b, book.a)
        exch_ns = ms_ns(frame.cts or frame.ts)
        if frame.type == "snapshot" or book.u == 1:
            self.rebuild(market, book.u, sides, exch_ns, recv_ns, out)
        elif self.follows(market, (book.u, book.u, NONE), recv_ns, out, counter=True):
            self.change(market, book.u, sides, exch_ns, recv_ns, out)

    def _on_trades(self, prints: list[_Print], recv_ns: int, out: EventBuffer) -> None:
        ready: list[tuple[Market, Print]] = []
        new: dict[str, None] = {}
        for one in prints:
            market = self.market(one.s)
            if market is None:
                continue
            if one.S not in TAKER:
                raise BadInput("side", one.S, "Buy or Sell")
            kind = BLOCK if one.BT else REGULAR
            read = market.print(one.p, one.v, TAKER[one.S], NONE, ms_ns(one.T), kind)
            name = f"{one.s} {one.i[:60]}"
            if one.i and (name in self._recent or name in new):
                self.checks.duplicates += 1
                continue
            new[name] = None
            ready.append((market, read))
        self._recent |= new
        while len(self._recent) > _RECENT:
            del self._recent[next(iter(self._recent))]
        for market, read in ready:
            self.write_prints(market, (read,), recv_ns, out)

    def _on_ticker(self, frame: _Frame, recv_ns: int, out: EventBuffer) -> None:
        one = _TICKER.decode(frame.data)
        market = self.market(one.symbol)
        if market is None:
            return
        exch_ns = ms_ns(frame.ts)
        facts = [
            Fact(aux, fact(text))
            for aux, text in (
                (F_MARK_PRICE, one.markPrice), (F_INDEX_PRICE, one.indexPrice), (F_FUNDING_RATE, one.fundingRate),
            )
            if text
        ]  # fmt: skip
        if one.nextFundingTime:
            facts.append(Fact(F_NEXT_FUNDING_NS, _ms_text(one.nextFundingTime)))
        if one.singleOpenInterest:
            self._one_sided.add(one.symbol)
        interest = one.singleOpenInterest if one.symbol in self._one_sided else one.openInterest
        if interest:
            facts.append(Fact(F_OPEN_INTEREST, *market.numbers.size(interest)))
        touch = {name: text for name in _TOUCH if (text := getattr(one, name))}
        quote = market.quote | touch if frame.type == "delta" else touch
        if touch and len(quote) == len(_TOUCH):
            bid, bid_size, ask, ask_size = (quote[name] for name in _TOUCH)
            self.write_quote(market, (bid, bid_size, ask, ask_size), exch_ns, recv_ns, out)
        market.quote = quote
        if not self.write_facts(market, facts, exch_ns, recv_ns, out) and not touch:
            self.ignore("ticker without news")

    def _on_liquidations(self, closed: list[_Closed], recv_ns: int, out: EventBuffer) -> None:
        ready = []
        for one in closed:
            market = self.market(one.s)
            if market is None:
                continue
            tick, off_tick = market.numbers.price(one.p)
            lots, off_lot = market.numbers.size(one.v)
            if one.S not in CLOSED_BY or lots <= 0 or tick < 0:
                raise BadInput("liquidation", f"{one.S} {one.v} at {one.p}", "Buy or Sell, a size, a price")
            self.checks.off_grid += off_tick != 0 or off_lot != 0
            exch_ns = ms_ns(one.T)
            ready.append((market, Fact(F_LIQUIDATION, lots, off_tick | off_lot, tick, CLOSED_BY[one.S]), exch_ns))
        for market, read, exch_ns in ready:
            self.write_facts(market, (read,), exch_ns, recv_ns, out)

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str], depth: int = 200) -> tuple[Socket, ...]:
        """Say what to connect to; depth is one of DEPTHS."""
        url = f"wss://stream.bybit.com/v5/public/{cls.category}"
        chosen = list(symbols)
        sockets = []
        for at in range(0, max(len(chosen), 1), SYMBOLS_PER_SOCKET):
            some = chosen[at : at + SYMBOLS_PER_SOCKET]
            topics = [f"{what}.{symbol}" for symbol in some for what in (f"orderbook.{depth}", *cls.channels)]
            requests = [topics[i : i + _TOPICS_PER_REQUEST] for i in range(0, len(topics), _TOPICS_PER_REQUEST)]
            frames = [
                msgspec.json.encode({"req_id": str(i), "op": "subscribe", "args": args}).decode()
                for i, args in enumerate(requests)
            ]
            sockets.append(Socket(url, tuple(frames), tuple(some)))
        return tuple(sockets)

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew."""
        topic = self.markets[symbol].channel or f"orderbook.200.{symbol}"
        return tuple(
            msgspec.json.encode({"req_id": "renew", "op": op, "args": [topic]}).decode()
            for op in ("unsubscribe", "subscribe")
        )

    @classmethod
    def instruments_url(cls) -> str:
        """Where the venue lists its instruments."""
        return f"https://api.bybit.com/v5/market/instruments-info?category={cls.category}&limit=1000"

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the instruments of this market, by symbol; raise BadInput where the answer is none."""
        try:
            result = _LISTING.decode(raw).result
            if result.category != cls.category:
                raise BadInput("category", result.category, cls.category)
            return {one.symbol: cls._instrument(one) for one in result.listed}
        except FAULTS as error:
            raise refuse_list(cls.name, error) from None

    @classmethod
    def _instrument(cls, one: _Listed) -> Instrument:
        return Instrument(
            venue=cls.name,
            symbol=one.symbol,
            tick=plain(one.priceFilter.tickSize),
            lot=plain(one.lotSizeFilter.qtyStep or one.lotSizeFilter.basePrecision),
            currency=one.quoteCoin,
            description="inverse, sizes in USD" if cls.category == "inverse" else "",
        )

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_bybit import BybitVoice

        return BybitVoice


class BybitLinear(Bybit):
    """Bybit linear perpetuals and futures, settled in USDT or USDC."""

    name: ClassVar[str] = "bybit-linear"
    category: ClassVar[str] = "linear"
    channels: ClassVar[tuple[str, ...]] = ("publicTrade", "tickers", "allLiquidation")


class BybitInverse(BybitLinear):
    """Bybit inverse perpetuals and futures: sizes are dollars, settled in the coin."""

    name: ClassVar[str] = "bybit-inverse"
    category: ClassVar[str] = "inverse"


def _ms_text(text: str) -> int:
    if not (text.isdigit() and text.isascii() and len(text) <= 15):
        raise BadInput("time", text, "ms since 1970")
    return ms_ns(int(text))


VENUES: Final = (Bybit, BybitLinear, BybitInverse)
