"""Gemini: books in band, overlapping by one update id, prints and quotes.

The interface looks like Binance's. With `snapshot=-1` the first depth message
after a subscription is the whole book; nothing marks it but `U` = `u`, and it may come before the answer to the
subscription. Times are ns. Frames of prints and quotes do not say what they are, their fields do. A name that
is unknown refuses every other of its request. Mark prices and funding of perpetuals come over streams that are
not documented: they are asked for apart, and of funding only its time is taken, as the scale of its rate is
not stated. Source: Gemini's "WebSocket API" 0.10.7, its "Stream Reference" and "Order Book Reconstruction".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from feeds.events import (
    ASK,
    BID,
    C_SEQUENCE,
    F_MARK_PRICE,
    F_NEXT_FUNDING_NS,
    FACT,
    LAST,
    NONE,
    QUOTE,
    REGULAR,
    SELL,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.sequencer import Sequencer, Step, gemini
from feeds.source import Checks
from feeds.venues._access import FAULTS, Socket, Terms, bounded
from feeds.venues._gemini import GeminiBase, Id, Ns, quoted
from feeds.venues._numbers import fact
from feeds.venues._verified import Depth

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

BUYER_IS_MAKER: Final = SELL
"""The aggressor's side where `m` is true."""
_PERPETUAL: Final = re.compile(r"perp\Z", re.IGNORECASE)


class _Refusal(msgspec.Struct, gc=False):
    code: int = 0
    msg: str = ""


class _Frame(msgspec.Struct, gc=False):
    e: str = ""
    s: str = ""
    id: int | str | None = None
    status: int = 0
    error: _Refusal | None = None
    t: msgspec.Raw = msgspec.Raw()
    B: msgspec.Raw = msgspec.Raw()


class _Depth(msgspec.Struct, gc=False):
    s: str
    U: Id
    u: Id
    E: Ns
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class _Trade(msgspec.Struct, gc=False):
    s: str
    t: Id
    p: str
    q: str
    m: bool
    E: Ns
    T: Ns = 0


class _Quote(msgspec.Struct, gc=False):
    s: str
    u: Id
    b: str
    B: str
    a: str
    A: str
    E: Ns = 0


class _Mark(msgspec.Struct, gc=False):
    s: str
    E: Ns
    p: str


class _Funding(msgspec.Struct, gc=False):
    s: str
    E: Ns
    T: Ns


_FRAME: Final = msgspec.json.Decoder(_Frame)
_DEPTH: Final = msgspec.json.Decoder(_Depth)
_TRADE: Final = msgspec.json.Decoder(_Trade)
_QUOTE: Final = msgspec.json.Decoder(_Quote)
_MARK: Final = msgspec.json.Decoder(_Mark)
_FUNDING: Final = msgspec.json.Decoder(_Funding)


class Gemini(GeminiBase):
    """Gemini's current websocket; symbols are such as 'btcusd' or 'btcgusdperp'."""

    name: ClassVar[str] = "gemini"
    verification: ClassVar[str] = "chain"
    terms: ClassVar[Terms] = Terms(silence_s=60, ping='{"id":0,"method":"ping"}', ping_s=20, send_gap_ms=100)

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self._sequencers = {symbol: Sequencer(gemini) for symbol in instruments}

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        kind = symbol = ""
        try:
            bounded(raw)
            frame = _FRAME.decode(raw)
            kind, symbol = frame.e, frame.s
            if kind == "depthUpdate":
                self._on_depth(_DEPTH.decode(raw), recv_ns, out)
            elif frame.id is not None or frame.error is not None:
                self._on_answer(frame)
            elif kind == "markPrice":
                mark = _MARK.decode(raw)
                self._on_fact(mark.s, F_MARK_PRICE, fact(mark.p), mark.E, recv_ns, out)
            elif kind == "fundingAmount":
                funding = _FUNDING.decode(raw)
                self._on_fact(funding.s, F_NEXT_FUNDING_NS, funding.T, funding.E, recv_ns, out)
            elif kind in ("", "trade") and frame.t:
                self._on_trade(_TRADE.decode(raw), recv_ns, out)
            elif kind in ("", "bookTicker") and frame.B:
                self._on_quote(_QUOTE.decode(raw), recv_ns, out)
            else:
                self.ignore(kind or "frame without a kind")
        except FAULTS as error:
            self.damaged(f"{kind or 'frame'} {symbol}".rstrip()[:80], error)
            if kind == "depthUpdate":
                if symbol in self._sequencers:
                    self._sequencers[symbol].reset()
                self.lose_damaged(symbol, recv_ns, out)

    def _on_answer(self, frame: _Frame) -> None:
        if frame.error is not None or frame.status != 200:
            error = frame.error or _Refusal()
            self.problem(f"the venue refuses: {error.code} {error.msg[:200]}")
            self.notice("error", f"{error.code} {error.msg}")
        else:
            self.notice("pong" if frame.id in (0, "0") else "ack", str(frame.id))

    def _on_depth(self, message: _Depth, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(message.s)
        if market is None:
            return
        read, levels = self.read_levels(market, message.b, message.a)
        sequencer = self._sequencers[message.s]
        at = sequencer.id
        # An update begins with the id that the last one ended with and so has two; a whole book has one.
        snapshot = message.u == message.U and (not market.live or message.u > at)
        if snapshot:
            sequencer.snapshot(message.u)
        else:
            market.touched = True
            step = sequencer.update(message.U, message.u)
            if step is Step.IGNORE:
                self.checks.duplicates += 1
                return
            if step is Step.WAIT:
                self.ignore("update before the snapshot")
                return
            if step is not Step.APPLY:
                self.lose(market, C_SEQUENCE, f"update {message.U} does not follow {at}", recv_ns, out)
                return
        self.emit_levels(market, read, Depth(levels, snapshot, message.E, message.u, None), recv_ns, out)

    def _on_trade(self, one: _Trade, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(one.s)
        if market is not None:
            side = BUYER_IS_MAKER if one.m else -BUYER_IS_MAKER
            self.write_print(market, one.t, one.p, one.q, one.T or one.E, side, REGULAR, recv_ns, out)

    def _on_quote(self, one: _Quote, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(one.s)
        if market is None:
            return
        rows = []
        for side, price, size in ((BID, one.b, one.B), (ASK, one.a, one.A)):
            tick, off_tick = market.numbers.price(quoted(price))
            lots, off_lot = market.numbers.size(quoted(size))
            rows.append((tick, lots, side, off_tick | off_lot))
        for tick, lots, side, marks in rows:
            self.checks.off_grid += marks != 0
            last = LAST if side == ASK else 0
            out.append(QUOTE, recv_ns, one.E or NONE, tick, lots, side, one.u, 0, market.inst, marks | last)

    def _on_fact(self, symbol: str, aux: int, value: int, exch_ns: int, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(symbol)
        if market is not None:
            out.append(FACT, recv_ns, exch_ns, 0, value, 0, exch_ns, aux, market.inst, LAST)

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        """The connection ended: write gaps and forget the books."""
        super().on_disconnect(recv_ns, out)
        for sequencer in self._sequencers.values():
            sequencer.reset()

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to; the streams of perpetuals are asked for apart, as they may be refused."""
        chosen = [symbol.lower() for symbol in symbols]
        streams = [f"{symbol}@{what}" for symbol in chosen for what in ("depth@100ms", "trade", "bookTicker")]
        extra = [f"{one}@{what}" for one in chosen if _PERPETUAL.search(one) for what in ("markPrice", "fundingAmount")]
        frames = [_request(i, "subscribe", names) for i, names in ((1, streams), (2, extra)) if names]
        return (Socket("wss://ws.gemini.com?snapshot=-1", tuple(frames)),)

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew."""
        names = [f"{symbol}@depth@100ms"]
        return (_request(3, "unsubscribe", names), _request(4, "subscribe", names))

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_gemini import GeminiVoice

        return GeminiVoice


def _request(ident: int, method: str, names: list[str]) -> str:
    return msgspec.json.encode({"id": ident, "method": method, "params": names}).decode()


VENUES: Final = (Gemini,)
