"""Gemini's archived market data socket, version 2, which captures speak: books in band that nothing numbers.

A loss cannot be seen. The first message of a symbol is the whole book and has the newest prints, which are kept
on the tape as late. Times of prints are ms, of marks ns; books have none. Source: "Market Data v2 (Archived)".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import (
    BUY,
    F_INDEX_PRICE,
    F_MARK_PRICE,
    F_NEXT_FUNDING_NS,
    FACT,
    LATE,
    NONE,
    REGULAR,
    SELL,
    EventBuffer,
)
from feeds.venues._access import FAULTS, Socket, Terms, bounded
from feeds.venues._gemini import GeminiBase, Id, Ns
from feeds.venues._numbers import fact
from feeds.venues._verified import Depth

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

SIDES: Final = {"buy": BUY, "sell": SELL}
"""Of a print, the taker's."""
_Ms = Annotated[int, msgspec.Meta(ge=0, lt=4 * 10**12)]


class _Print(msgspec.Struct, gc=False):
    price: str
    quantity: str
    side: str
    timestamp: _Ms
    tid: Id
    symbol: str = ""


class _Old(msgspec.Struct, gc=False):
    type: str = ""
    symbol: str = ""
    changes: msgspec.Raw = msgspec.Raw()
    trades: list[_Print] | None = None
    result: str = ""
    reason: str = ""


class _MarkChange(msgspec.Struct, gc=False):
    timestamp: Ns
    mark_price: str = ""
    spot_index: str = ""
    funding_date_time: Ns = 0


_OLD: Final = msgspec.json.Decoder(_Old)
_OLD_PRINT: Final = msgspec.json.Decoder(_Print)
_OLD_LEVELS: Final = msgspec.json.Decoder(list[tuple[str, str, str]])
_OLD_MARKS: Final = msgspec.json.Decoder(list[_MarkChange])


class GeminiV2(GeminiBase):
    """Gemini's archived market data socket, version 2; symbols are such as 'BTCUSD'."""

    name: ClassVar[str] = "gemini-v2"
    captures: ClassVar[tuple[str, ...]] = ("GEMINI",)
    verification: ClassVar[str] = "unverifiable"
    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(r'"symbol"\s*:\s*"([^"\\]{1,40})"')
    terms: ClassVar[Terms] = Terms(silence_s=15, send_gap_ms=100)

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        kind = symbol = ""
        try:
            bounded(raw)
            frame = _OLD.decode(raw)
            kind, symbol = frame.type, frame.symbol
            if kind == "l2_updates":
                self._on_levels(frame, recv_ns, out)
            elif kind == "trade":
                self._on_prints(symbol, [_OLD_PRINT.decode(raw)], REGULAR, recv_ns, out)
            elif kind in ("mark_price_updates", "funding_amount_updates"):
                self._on_marks(symbol, _OLD_MARKS.decode(frame.changes), recv_ns, out)
            elif frame.result == "error":
                self.problem(f"the venue refuses: {frame.reason[:200]}")
                self.notice("error", frame.reason)
            else:
                self.ignore(kind or "frame without a type")
        except FAULTS as error:
            self.damaged(f"{kind or 'frame'} {symbol}".rstrip()[:80], error)
            if kind == "l2_updates":
                self.lose_damaged(symbol, recv_ns, out)

    def _on_levels(self, frame: _Old, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(frame.symbol)
        if market is None:
            return
        changes = _OLD_LEVELS.decode(frame.changes)
        bids = [(price, size) for side, price, size in changes if side == "buy"]
        asks = [(price, size) for side, price, size in changes if side == "sell"]
        if len(bids) + len(asks) != len(changes):
            raise BadInput("side", [side for side, _, _ in changes][:3], "buy or sell")
        read, levels = self.read_levels(market, bids, asks)
        snapshot = frame.trades is not None
        self.emit_levels(market, read, Depth(levels, snapshot, NONE, NONE, None), recv_ns, out)
        if frame.trades:
            self._on_prints(frame.symbol, frame.trades, LATE, recv_ns, out)

    def _on_prints(self, symbol: str, prints: list[_Print], kind: int, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(symbol)
        if market is None:
            return
        if any(one.side not in SIDES for one in prints):
            raise BadInput("side", "", "buy or sell")
        for one in sorted(prints, key=lambda one: (one.timestamp, one.tid)):
            exch_ns = one.timestamp * 1_000_000
            self.write_print(market, one.tid, one.price, one.quantity, exch_ns, SIDES[one.side], kind, recv_ns, out)

    def _on_marks(self, symbol: str, marks: list[_MarkChange], recv_ns: int, out: EventBuffer) -> None:
        market = self.market(symbol)
        if market is None:
            return
        values = []
        for one in marks:
            texts = ((F_MARK_PRICE, one.mark_price), (F_INDEX_PRICE, one.spot_index))
            values += [(aux, fact(text), one.timestamp) for aux, text in texts if text]
            if one.funding_date_time:
                values.append((F_NEXT_FUNDING_NS, one.funding_date_time, one.timestamp))
        for aux, value, exch_ns in values:
            out.append(FACT, recv_ns, exch_ns, 0, value, 0, exch_ns, aux, market.inst)
        if values:
            out.mark_last()

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def symbol_of(cls, listed: str) -> str:
        """A listed symbol as this socket spells it."""
        return listed.upper()

    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to."""
        subscriptions = [{"name": "l2", "symbols": [symbol.upper() for symbol in symbols]}]
        frame = msgspec.json.encode({"type": "subscribe", "subscriptions": subscriptions}).decode()
        return (Socket("wss://api.gemini.com/v2/marketdata", (frame,)),)

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_gemini import GeminiV2Voice

        return GeminiV2Voice


VENUES: Final = (GeminiV2,)
