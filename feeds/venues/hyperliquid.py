"""Hyperliquid: whole books some times a second, the best prices of every block between them, and prints.

Each l2Book frame is the whole of what the venue shows of a book, 20 levels a side or, asked for as `fast`, 5
levels every half second; nothing is numbered and nothing need be. Rows are what has changed since the frame
before. A bbo frame that is newer than the book corrects its touch: better levels are gone, the best ones are
as it says. A fast book and a slow one of one coin cannot be told apart, so one socket asks for one of them. The
first frame of prints after a subscription repeats old ones. A print's side is the taker's: A sold, B bought.

An unknown coin ends the connection and every stream on it: subscribe only to names that the venue lists.

There is no tick: a price has at most five significant digits and at most 6 decimals less those of sizes; whole
numbers always go. The tick is that of the price at hand, and prices of another power of ten are off its grid.
Source: Hyperliquid's "Websocket", "Subscriptions" and "Tick and lot size".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    BUY,
    C_DAMAGED,
    C_DISCONNECT,
    CLEAR,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_MARK_PRICE,
    F_OPEN_INTEREST,
    FACT,
    GAP,
    IMPLIED,
    LAST,
    LATE,
    NONE,
    OFF_GRID,
    QUOTE,
    REGULAR,
    S_LIVE,
    S_SYNCING,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    EventBuffer,
)
from feeds.instruments import Instrument, parse_decimal
from feeds.source import Checks
from feeds.venues import _hyperliquid as messages
from feeds.venues._access import FAULTS, Access, Socket, Terms, bounded, refuse_list, spread
from feeds.venues._contract import Want
from feeds.venues._numbers import fact

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

SYMBOLS_A_SOCKET: Final = 25
"""Four subscriptions a symbol, of 1,000 an address over at most 10 connections."""
SIDES: Final = {"A": SELL, "B": BUY}
"""Of a print, the taker's."""
SIGNIFICANT: Final = 5
MAX_DECIMALS: Final = 6
"""Decimals of a perpetual's price and size together."""


class Hyperliquid(Access):
    """Hyperliquid's public channels; symbols are the venue's names of coins, such as 'BTC' or 'xyz:SP500'."""

    name: ClassVar[str] = "hyperliquid"
    verification: ClassVar[str] = "snapshot"
    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(r'"coin"\s*:\s*"([^"\\]{1,40})"')
    terms: ClassVar[Terms] = Terms(silence_s=10, ping='{"method":"ping"}', ping_s=20, send_gap_ms=50)
    instruments_body: ClassVar[str] = '{"type":"metaAndAssetCtxs"}'

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self.markets = {symbol: messages.Market(inst, symbol, one) for symbol, (inst, one) in instruments.items()}

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        channel = ""
        data = msgspec.Raw()
        try:
            bounded(raw)
            frame = messages.FRAME.decode(raw)
            channel, data = frame.channel, frame.data
            if channel == "l2Book":
                self._on_book(messages.BOOK.decode(data), recv_ns, out)
            elif channel == "bbo":
                self._on_best(messages.BEST.decode(data), recv_ns, out)
            elif channel == "trades":
                self._on_trades(messages.PRINTS.decode(data), recv_ns, out)
            elif channel == "activeAssetCtx":
                self._on_context(messages.ASSET.decode(data), recv_ns, out)
            elif channel == "subscriptionResponse":
                self.notice("ack", bytes(data)[:200].decode("utf-8", "replace"))
            elif channel == "error":
                said = messages.ERROR.decode(data)
                self.problem(f"the venue refuses: {said[:200]}")
                self.notice("error", said)
            elif channel == "pong":
                self.notice("pong")
            else:
                self.ignore(channel or "frame without a channel")
        except FAULTS as error:
            self.damaged(channel[:80] or "frame", error)
            if channel in ("l2Book", "bbo"):
                self._lose_damaged(data, recv_ns, out)

    def _market(self, coin: str) -> messages.Market | None:
        market = self.markets.get(coin)
        if market is None:
            self.ignore("other symbols")
        return market

    # -- books --------------------------------------------------------------------------------
    def _on_book(self, book: messages.Book, recv_ns: int, out: EventBuffer) -> None:
        market = self._market(book.coin)
        if market is None:
            return
        told = {BID: market.places(book.levels[0]), ASK: market.places(book.levels[1])}
        market.touched = True
        if market.live and book.time < market.told_ms:
            self.ignore("book older than the last")
            return
        market.told, market.told_ms = told, book.time
        self._write(market, book.time * 1_000_000, recv_ns, out)

    def _on_best(self, one: messages.Best, recv_ns: int, out: EventBuffer) -> None:
        market = self._market(one.coin)
        if market is None:
            return
        best = (market.places([one.bbo[0]] if one.bbo[0] else []), market.places([one.bbo[1]] if one.bbo[1] else []))
        market.touched = True
        exch_ns = one.time * 1_000_000
        quoted = [(side, place) for side, places in ((BID, best[0]), (ASK, best[1])) for place in places.values()]
        for side, place in quoted:
            out.append(QUOTE, recv_ns, exch_ns, place.tick, place.lots, side, NONE, 0, market.inst, place.marks)
        if quoted:
            out.mark_last()
        if one.time >= market.best_ms:
            market.best, market.best_ms = best, one.time
            if market.live and one.time > market.told_ms:
                self._write(market, exch_ns, recv_ns, out)

    def _write(self, market: messages.Market, exch_ns: int, recv_ns: int, out: EventBuffer) -> None:
        first = not market.live
        marks = SNAPSHOT if first else 0
        if first:
            self.checks.resyncs += market.broken
            market.live, market.broken = True, False
            out.append(CLEAR, recv_ns, exch_ns, inst=market.inst, marks=marks)
        before = len(out) - first
        book = market.newest()
        for side in (BID, ASK):
            now, was = book[side], market.written[side]
            worst = (min(now, default=None) if side == BID else max(now, default=None)) if now else None
            for price, place in was.items():
                if price not in now:
                    # Behind the last level shown it was pushed out of sight, which is not to say that it is gone.
                    unseen = worst is not None and (price - worst) * side < 0
                    gone = (place.marks & OFF_GRID) | (IMPLIED if unseen else 0)
                    out.append(BOOK, recv_ns, exch_ns, place.tick, 0, side, NONE, 0, market.inst, marks | gone)
            for price, place in now.items():
                if was.get(price) != place:
                    self.checks.off_grid += place.marks != 0
                    out.append(
                        BOOK, recv_ns, exch_ns, place.tick, place.lots, side, NONE, place.orders, market.inst,
                        marks | place.marks,
                    )  # fmt: skip
            market.written[side] = dict(now)
        changed = len(out) > before
        if changed:
            out.mark_last()
        if first or not changed:
            out.append(STATUS, recv_ns, exch_ns, aux=S_LIVE, inst=market.inst, marks=LAST)

    # -- prints and facts ---------------------------------------------------------------------
    def _on_trades(self, prints: list[messages.Print], recv_ns: int, out: EventBuffer) -> None:
        ready = []
        for one in prints:
            market = self._market(one.coin)
            if market is None:
                continue
            if one.side not in SIDES:
                raise BadInput("side", one.side, "A or B")
            tick, off_tick = market.numbers.price(one.px)
            lots, off_lot = market.numbers.size(one.sz)
            ready.append((market, one, tick, lots, off_tick | off_lot))
        for market, one, tick, lots, marks in ready:
            if lots <= 0 or tick < 0:
                self.ignore("print of no size" if lots == 0 else "print of negative price or size")
            elif not market.seen.add(one.tid):
                self.checks.duplicates += 1
            else:
                market.touched = True
                self.checks.off_grid += marks != 0
                # Of the first frame, what is older than the book was traded before the subscription.
                since = max(market.told_ms, market.best_ms)
                old = not market.printed and (since < 0 or one.time <= since)
                bad = BAD_TIME if one.time == 0 else 0
                out.append(
                    TRADE, recv_ns, one.time * 1_000_000, tick, lots, SIDES[one.side], one.tid,
                    LATE if old else REGULAR, market.inst, marks | bad | LAST,
                )  # fmt: skip
        for market, *_ in ready:
            market.printed = True

    def _on_context(self, one: messages.Asset, recv_ns: int, out: EventBuffer) -> None:
        market = self._market(one.coin)
        if market is None:
            return
        ctx = one.ctx
        texts = ((F_MARK_PRICE, ctx.markPx), (F_INDEX_PRICE, ctx.oraclePx), (F_FUNDING_RATE, ctx.funding))
        values = [(aux, fact(text), 0) for aux, text in texts if text]
        if ctx.openInterest:
            values.append((F_OPEN_INTEREST, *market.numbers.size(ctx.openInterest)))
        for aux, value, off in values:
            out.append(FACT, recv_ns, NONE, 0, value, 0, recv_ns, aux, market.inst, off)
        if values:
            out.mark_last()

    # -- losses -------------------------------------------------------------------------------
    def on_snapshot(self, symbol: str, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Count it: books come in band."""
        del symbol, raw, recv_ns, out
        self.checks.messages += 1
        self.ignore("snapshot over REST")

    def wants(self) -> list[Want]:
        """Nothing: the next frame is a whole book."""
        return []

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        """The connection ended: write gaps and forget the books."""
        for market in self.markets.values():
            market.printed = False
            if market.touched:
                self._lose(market, C_DISCONNECT, "the connection ended", recv_ns, out)
                market.touched = False

    def _lose_damaged(self, data: msgspec.Raw, recv_ns: int, out: EventBuffer) -> None:
        try:
            market = self.markets.get(messages.COIN.decode(data).coin)
        except FAULTS:
            return
        if market is not None and market.live:
            self._lose(market, C_DAMAGED, "a book message cannot be read", recv_ns, out)

    def _lose(self, market: messages.Market, cause: int, why: str, recv_ns: int, out: EventBuffer) -> None:
        self.checks.gaps += 1
        self.problem(f"{market.symbol}: {why}")
        market.forget()
        market.broken = True
        out.append(GAP, recv_ns, NONE, 0, cause, 0, NONE, NONE, market.inst)
        out.append(CLEAR, recv_ns, inst=market.inst)
        out.append(STATUS, recv_ns, aux=S_SYNCING, inst=market.inst, marks=LAST)

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str], *, fast: bool = True) -> tuple[Socket, ...]:
        """Say what to connect to: books of 5 levels that come fast, or of 20 that come every 5 s."""

        def socket(some: list[str]) -> Socket:
            frames = []
            for symbol in some:
                book: dict[str, object] = {"type": "l2Book", "coin": symbol} | ({"fast": True} if fast else {})
                others = [{"type": what, "coin": symbol} for what in ("bbo", "trades", "activeAssetCtx")]
                frames += [{"method": "subscribe", "subscription": one} for one in (book, *others)]
            texts = tuple(msgspec.json.encode(one).decode() for one in frames)
            return Socket("wss://api.hyperliquid.xyz/ws", texts, tuple(some))

        return spread(symbols, SYMBOLS_A_SOCKET, socket)

    @classmethod
    def instruments_url(cls) -> str:
        """Where the venue lists its coins, and with `instruments_body` what they cost."""
        return "https://api.hyperliquid.xyz/info"

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the coins that trade, with or without their prices; raise BadInput where the answer is none."""
        try:
            contexts: list[messages.Context] = []
            if raw.lstrip()[:1] in (b"[", "["):
                meta, contexts = messages.META_AND_CONTEXTS.decode(raw)
            else:
                meta = messages.META.decode(raw)
            prices = [one.markPx or "" for one in contexts] + [""] * len(meta.universe)
            return {
                one.name: cls._instrument(one.name, one.szDecimals, price)
                for one, price in zip(meta.universe, prices, strict=False)
                if not one.isDelisted
            }
        except FAULTS as error:
            raise refuse_list(cls.name, error) from None

    @classmethod
    def read_heads(cls, frames: Iterable[bytes]) -> dict[str, Instrument]:
        """Derive tick and lot of each coin from its first books: their best price and the decimals of sizes."""
        prices: dict[str, str] = {}
        decimals: dict[str, int] = {}
        for raw in frames:
            try:
                frame = messages.FRAME.decode(raw)
                if frame.channel != "l2Book":
                    continue
                book = messages.BOOK.decode(frame.data)
                for level in (*book.levels[0], *book.levels[1]):
                    prices.setdefault(book.coin, level.px)
                    size = parse_decimal(level.sz.rstrip("0") if "." in level.sz else level.sz)
                    decimals[book.coin] = max(decimals.get(book.coin, 0), size[1])
            except FAULTS:
                continue
        return {
            coin: cls._instrument(coin, min(decimals[coin], 18), price)
            for coin, price in prices.items()
            if coin in decimals
        }

    @classmethod
    def _instrument(cls, name: str, size_decimals: int, price: str) -> Instrument:
        finest = max(MAX_DECIMALS - size_decimals, 0)
        if price:
            mantissa, decimals = parse_decimal(price)
            if mantissa > 0:
                finest = min(finest, max(decimals + SIGNIFICANT - len(str(mantissa)), 0))
        return Instrument(
            venue=cls.name, symbol=name, tick=_unit(finest), lot=_unit(size_decimals), currency="USD", derived=True
        )

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_hyperliquid import HyperliquidVoice

        return HyperliquidVoice


def _unit(decimals: int) -> str:
    return f"0.{'1':0>{decimals}}" if decimals else "1"


VENUES: Final = (Hyperliquid,)
