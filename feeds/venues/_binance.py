"""What Binance's venues have in common: frames, update ids, trades, quotes and slow facts.

Prices and sizes are texts, times ms (or µs where asked for) since 1970. A depth message gives absolute sizes;
the snapshot comes over REST and is joined by the rules of `feeds.sequencer`. Sources: Binance's "How to
manage a local order book correctly" for spot and for USD-M and COIN-M futures.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BAD_TIME,
    BID,
    BUY,
    C_DAMAGED,
    C_DISCONNECT,
    C_SEQUENCE,
    CLEAR,
    F_FUNDING_RATE,
    F_INDEX_PRICE,
    F_LIQUIDATION,
    F_MARK_PRICE,
    F_NEXT_FUNDING_NS,
    FACT,
    GAP,
    INSURANCE,
    LAST,
    NONE,
    OTHER,
    QUOTE,
    REGULAR,
    S_LIVE,
    S_SYNCING,
    SELL,
    SNAPSHOT,
    STATUS,
    TRADE,
    EventBuffer,
    Events,
)
from feeds.instruments import Instrument, parse_decimal
from feeds.sequencer import Rule, Sequencer, State, Step
from feeds.source import Checks
from feeds.venues import _binance_messages as messages
from feeds.venues._access import FAULTS, MAX_FRAME, Access, bounded, plain, refuse_list
from feeds.venues._binance_messages import to_ns
from feeds.venues._contract import Want
from feeds.venues._levels import Numbers, Sides, block_rows, book_rows
from feeds.venues._numbers import fact

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

_WAITING_ROWS: Final = 2_000_000
"""Levels of the updates kept while a snapshot is on its way."""
_RECENT: Final = 20_000
"""Updates kept while a wider snapshot of a live book is on its way."""
_PARTIAL_ROWS: Final = 100_000
_PARTIAL_BOOK: Final = re.compile(r"@depth\d|@rpiDepth", re.ASCII)
_COMBINED: Final = b'{"stream":"'
_DATA: Final = b'","data":'
_ROUTES: Final = 10_000
_PRINTS: Final = {"INSURANCE_FUND": INSURANCE, "ADL": INSURANCE, "NA": OTHER}


_Handler = Callable[[bytes | msgspec.Raw, str, int, EventBuffer], None]


class _Update(msgspec.Struct, gc=False):
    ids: tuple[int, int, int]
    exch_ns: int
    sides: Sides
    recv_ns: int = NONE
    """When `rows` are of."""
    rows: Events | None = None


class Ready(NamedTuple):
    """A depth message read ahead, with others, by `Binance.prepare`."""

    market: Market
    stream: str
    update: _Update


class Market:
    """One symbol's state: its place in the venue's numbering and what waits for a snapshot."""

    def __init__(self, symbol: str, inst: int, instrument: Instrument, rule: Rule) -> None:
        self.symbol = symbol
        self.inst = inst
        self.numbers = Numbers(instrument)
        self.sequencer = Sequencer(rule)
        self.waiting: deque[_Update] = deque()
        self.waiting_rows = 0
        self.depth_stream: str | None = None
        self.prints = ""
        self.last_print = NONE
        self.asked = False
        self.broken = False
        self.partial = False
        """Updates go through while there is no snapshot; the book is what changed since, its status syncing."""
        self.touched = False
        self.edges: tuple[_Edge, ...] = ()
        """Where what the snapshot held ends, of a book that goes on beyond it."""
        self.recent: deque[_Update] | None = None
        """Updates since another snapshot was asked for beside a live book; None where none was."""


class _Edge(NamedTuple):
    """Up to where one side of a book is known."""

    side: int
    tick: int
    depth: int
    """From the best price, in ticks, when it became known."""

    def near(self, best: int) -> bool:
        """Whether a best price has left less than a fifth of it."""
        return 5 * (best - self.tick) * self.side < self.depth


class Binance(Access):
    """Frames of one Binance venue: combined (`stream`, `data`) or raw."""

    verification: ClassVar[str] = "chain"
    rule: Rule
    matching_time: ClassVar[bool] = False
    """Depth carries the matching engine's time beside the event's."""
    inverse: ClassVar[bool] = False
    """Contracts are worth a fixed amount of the quote currency and settled in the base."""
    rest: ClassVar[str]
    snapshot_path: ClassVar[str]
    listing_path: ClassVar[str]

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        rule = type(self).rule
        self.markets = {symbol: Market(symbol, inst, it, rule) for symbol, (inst, it) in instruments.items()}
        self._wants: list[Want] = []
        self._routes: dict[bytes, tuple[_Handler, str]] = {}
        self._handlers: dict[str, _Handler] = {
            "depthUpdate": self._on_depth,
            "trade": self._on_trade,
            "aggTrade": self._on_agg_trade,
            "bookTicker": self._on_quote,
            "markPriceUpdate": self._on_mark,
            "forceOrder": self._on_force,
        }

    # -- frames -------------------------------------------------------------------------------
    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        self.checks.messages += 1
        if isinstance(raw, bytes) and raw.startswith(_COMBINED) and raw.endswith(b"}") and len(raw) <= MAX_FRAME:
            # `{"stream":"NAME","data":BODY}` needs no look around for a name seen before: BODY is checked whole.
            end = raw.find(_DATA, 11)
            route = self._routes.get(raw[11:end])
            if route is not None:
                try:
                    route[0](raw[end + 9 : -1], route[1], recv_ns, out)
                except FAULTS:
                    pass  # looked at again below, to say what is wrong
                else:
                    return
        try:
            bounded(raw)
            head = messages.HEAD.decode(raw)
        except FAULTS as error:
            self.damaged("frame", error)
            return
        if head.data:
            self._dispatch(head.data, head.stream, recv_ns, out)
        elif head.id is not None or head.code is not None or head.error:
            if head.code is not None or head.error:
                text = head.msg or bytes(head.error)[:200].decode("utf-8", "replace")
                self.problem(f"the venue refuses: {text[:200]}")
                self.notice("error", text)
            else:
                self.notice("ack", str(head.id))
        elif isinstance(raw, str):
            self._dispatch(raw.encode("utf-8", "surrogatepass"), "", recv_ns, out)
        else:
            self._dispatch(raw, "", recv_ns, out)

    def _dispatch(self, body: bytes | msgspec.Raw, stream: str, recv_ns: int, out: EventBuffer) -> None:
        kind = symbol = ""
        try:
            if stream[:1] in ("", "!") and bytes(memoryview(body)[:1]) == b"[":
                events = messages.MANY.decode(body)
                if not events:
                    self.ignore("empty array")
                for one in events:
                    if bytes(memoryview(one)[:1]) != b"{":
                        raise BadInput("event", bytes(one)[:40], "an object")
                    self._dispatch(one, stream, recv_ns, out)
                return
            head = messages.KIND.decode(body)
            kind, symbol = head.e, head.s
            if not kind:
                kind = "bookTicker" if stream.endswith("@bookTicker") or self._is_quote(body) else stream
            handler = self._handlers.get(kind)
            if handler is None:
                self._on_other(kind)
            else:
                handler(body, stream, recv_ns, out)
                if stream and stream[0] != "!" and len(self._routes) < _ROUTES:
                    self._routes[stream.encode()] = (handler, stream)
        except FAULTS as error:
            self.damaged(f"{kind or 'frame'} {symbol}".rstrip(), error)
            market = self.markets.get(symbol)
            ours = market is not None and market.depth_stream in (None, stream)
            if kind == "depthUpdate" and market and ours and not _PARTIAL_BOOK.search(stream):
                self._lose(market, C_DAMAGED, "a depth message cannot be read", recv_ns, out)

    @staticmethod
    def _is_quote(body: bytes | msgspec.Raw) -> bool:
        try:
            messages.QUOTE.decode(body)
        except FAULTS:
            return False
        return True

    def _on_other(self, kind: str) -> None:
        if kind == "serverShutdown":
            self.notice("closing", "server shutdown")
        else:
            self.ignore(kind or "frame without a kind")

    def _market(self, symbol: str) -> Market | None:
        market = self.markets.get(symbol)
        if market is None:
            self.ignore("other symbols")
        return market

    def _marked(self, exch_ns: int, *marks: int) -> int:
        total = BAD_TIME if exch_ns == 0 else 0
        for mark in marks:
            if mark:
                self.checks.off_grid += 1
                total |= mark
        return total

    # -- depth --------------------------------------------------------------------------------
    def _on_depth(self, body: bytes | msgspec.Raw, stream: str, recv_ns: int, out: EventBuffer) -> None:
        if stream and _PARTIAL_BOOK.search(stream):
            self.ignore("partial depth")
            return
        message = messages.DEPTH.decode(body)
        market = self._market(message.s)
        if market is None:
            return
        sides = self._sides(market, message.b, message.a)
        self._on_update(market, stream, self._update(message, sides), recv_ns, out)

    def _update(self, message: messages.Depth, sides: Sides) -> _Update:
        exch_ns = to_ns(message.T if self.matching_time else message.E)
        return _Update((message.U, message.u, message.pu), exch_ns, sides)

    def _on_update(self, market: Market, stream: str, update: _Update, recv_ns: int, out: EventBuffer) -> None:
        if market.depth_stream != stream:
            if market.depth_stream is not None:
                self.ignore(f"second depth stream {stream}")
                return
            market.depth_stream = stream
        self._step(market, update, recv_ns, out)

    def prepare(self, frames: Sequence[tuple[bytes, int]]) -> list[Ready | None]:
        """Read the depth messages among (frame, recv_ns) at once, which costs far less than one by one.

        Nothing changes by it. A frame with an answer is to be given to `on_ready` instead of `on_frame`.
        """
        ready: list[Ready | None] = [None] * len(frames)
        groups: dict[str, list[tuple[int, str, messages.Depth]]] = {}
        for i, (raw, _) in enumerate(frames):
            if raw.startswith(_COMBINED) and raw.endswith(b"}") and len(raw) <= MAX_FRAME:
                end = raw.find(_DATA, 11)
                route = self._routes.get(raw[11:end])
                if route is not None and route[0] == self._on_depth and not _PARTIAL_BOOK.search(route[1]):
                    try:
                        message = messages.DEPTH.decode(raw[end + 9 : -1])
                    except FAULTS:
                        continue
                    groups.setdefault(message.s, []).append((i, route[1], message))
        for symbol, group in groups.items():
            market = self.markets.get(symbol)
            found = market and market.numbers.together([(bytes(one.b), bytes(one.a)) for _, _, one in group])
            if market and found:
                updates = [self._update(one, sides) for (_, _, one), sides in zip(group, found, strict=True)]
                stamps = [
                    (frames[i][1], one.exch_ns, one.ids[1]) for (i, _, _), one in zip(group, updates, strict=True)
                ]
                rows = block_rows(found, stamps, market.inst)
                for k, (i, stream, _) in enumerate(group):
                    updates[k].recv_ns, updates[k].rows = frames[i][1], rows[k]
                    ready[i] = Ready(market, stream, updates[k])
        return ready

    def on_ready(self, ready: Ready, recv_ns: int, out: EventBuffer) -> None:
        """Take a depth message read ahead."""
        self.checks.messages += 1
        self._on_update(ready.market, ready.stream, ready.update, recv_ns, out)

    def _sides(self, market: Market, bids: msgspec.Raw, asks: msgspec.Raw) -> Sides:
        sides = market.numbers.sides(bytes(bids), bytes(asks))
        if sides.marks is not None:
            self.checks.off_grid += int((sides.marks != 0).sum())
        return sides

    def _step(self, market: Market, update: _Update, recv_ns: int, out: EventBuffer) -> None:
        market.touched = True
        state, at = market.sequencer.state, market.sequencer.id
        step = market.sequencer.update(*update.ids)
        if step is Step.APPLY:
            self._emit(market, update, recv_ns, out)
            if market.recent is not None:
                market.recent.append(update)
        elif step is Step.IGNORE:
            if state is State.LIVE:
                self.checks.duplicates += 1
        else:
            if step is not Step.WAIT:
                why = f"update {update.ids[1]} does not follow {at}"
                self._lose(market, C_SEQUENCE, why, recv_ns, out)
            if market.partial:
                self._emit_partial(market, [update], recv_ns, out)
            self._wait(market, update)

    def _emit(
        self, market: Market, update: _Update, recv_ns: int, out: EventBuffer, marks: int = 0, *, syncing: bool = False
    ) -> None:  # fmt: skip
        marks |= BAD_TIME if update.exch_ns == 0 else 0
        if update.recv_ns == recv_ns and update.rows is not None and len(update.rows) and not marks:
            out.extend(update.rows)
        elif len(update.sides):
            out.extend(book_rows(update.sides, recv_ns, update.exch_ns, update.ids[1], market.inst, marks))
        else:
            status = S_SYNCING if syncing else S_LIVE
            out.append(STATUS, recv_ns, update.exch_ns, 0, 0, 0, update.ids[1], status, market.inst, marks | LAST)

    def _emit_partial(self, market: Market, updates: Iterable[_Update], recv_ns: int, out: EventBuffer) -> None:
        if not market.broken:
            market.broken = True
            out.append(STATUS, recv_ns, aux=S_SYNCING, inst=market.inst, marks=LAST)
        for update in updates:
            self._emit(market, update, recv_ns, out, syncing=True)

    def _wait(self, market: Market, update: _Update) -> None:
        update.rows = None  # a view of a block's rows, which must not live on
        market.waiting.append(update)
        market.waiting_rows += 1 + len(update.sides)
        while market.waiting_rows > (_PARTIAL_ROWS if market.partial else _WAITING_ROWS):
            dropped = market.waiting.popleft()
            market.waiting_rows -= 1 + len(dropped.sides)
        if not market.asked:
            market.asked = True
            self._wants.append(Want("snapshot", market.symbol, "updates wait for it"))

    def _lose(self, market: Market, cause: int, why: str, recv_ns: int, out: EventBuffer) -> None:
        self.checks.gaps += 1
        self.problem(f"{market.symbol}: {why}")
        market.sequencer.reset()
        market.edges, market.recent = (), None
        market.waiting.clear()
        market.waiting_rows = 0
        market.broken = True
        market.partial = self.no_fetch
        market.asked = cause != C_DISCONNECT
        if market.asked:
            self._wants.append(Want("snapshot", market.symbol, why))
        out.append(GAP, recv_ns, NONE, 0, cause, 0, NONE, NONE, market.inst)
        out.append(CLEAR, recv_ns, inst=market.inst)
        out.append(STATUS, recv_ns, aux=S_SYNCING, inst=market.inst, marks=LAST)

    def on_snapshot(self, symbol: str, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        self.checks.messages += 1
        market = self._market(symbol)
        if market is None:
            return
        market.asked = False
        try:
            bounded(raw)
            message = messages.SNAPSHOT.decode(raw)
            sides = self._sides(market, message.bids, message.asks)
        except FAULTS as error:
            self.damaged(f"snapshot {symbol}", error)
            self._ask_again(market, "the snapshot cannot be read")
            return
        at = message.lastUpdateId
        exch_ns = to_ns(message.T) if message.T else NONE
        if market.recent is not None:
            self._widen(market, at, exch_ns, sides, recv_ns, out)
            return
        step = market.sequencer.snapshot(at, [update.ids for update in market.waiting])
        if step is Step.IGNORE:
            self.ignore("snapshot older than the book")
            return
        if step is Step.REFETCH:
            first = market.waiting[0].ids[0]
            why = f"snapshot {at} is older than the first update kept, {first}"
            self.problem(f"{symbol}: {why}")
            self._ask_again(market, why)
            if self.no_fetch and not market.partial:
                market.partial = True
                self._emit_partial(market, market.waiting, recv_ns, out)
            return
        if market.broken:
            self.checks.resyncs += 1
        market.broken, market.partial, market.touched = False, False, True
        self._rebuild(market, at, exch_ns, sides, recv_ns, out)
        waiting = list(market.waiting)
        market.waiting.clear()
        market.waiting_rows = 0
        for update in waiting:
            self._step(market, update, recv_ns, out)

    def _edges(self, sides: Sides) -> tuple[_Edge, ...]:
        limit = int(self.snapshot_path.rpartition("limit=")[2])
        if sides.marks is not None:
            return ()
        found = []
        for side, ticks in ((BID, sides.values[: sides.bids, 0]), (ASK, sides.values[sides.bids :, 0])):
            if len(ticks) >= limit:  # less is all there is
                found.append(_Edge(side, int(ticks[-1]), abs(int(ticks[0] - ticks[-1]))))
        return tuple(found)

    def _rebuild(self, market: Market, at: int, exch_ns: int, sides: Sides, recv_ns: int, out: EventBuffer) -> None:
        market.edges = self._edges(sides)
        marks = SNAPSHOT if len(sides) else SNAPSHOT | LAST
        out.append(CLEAR, recv_ns, exch_ns, ref=at, inst=market.inst, marks=marks)
        if len(sides):
            out.extend(book_rows(sides, recv_ns, exch_ns, at, market.inst, SNAPSHOT))
        out.append(STATUS, recv_ns, exch_ns, ref=at, aux=S_LIVE, inst=market.inst, marks=LAST)

    def _widen(
        self, market: Market, at: int, exch_ns: int, sides: Sides, recv_ns: int, out: EventBuffer
    ) -> None:  # fmt: skip
        """Replace a live book by a wider snapshot and the updates since."""
        recent = market.recent or deque()
        joined = Sequencer(market.sequencer.rule)
        step = joined.snapshot(at, [update.ids for update in recent])
        if step is not Step.APPLY or (at < market.sequencer.id and not recent):
            market.asked = True
            self._wants.append(Want("snapshot", market.symbol, f"snapshot {at} does not join the book"))
            return
        market.recent = None
        self._rebuild(market, at, exch_ns, sides, recv_ns, out)
        for update in recent:
            if joined.update(*update.ids) is Step.APPLY:
                self._emit(market, update, recv_ns, out, SNAPSHOT)
        market.sequencer = joined

    def _watch_edges(self, market: Market, bid: int, ask: int) -> None:
        best = {BID: bid, ASK: ask}
        if market.asked or market.sequencer.state is not State.LIVE or self.no_fetch:
            return
        if any(edge.near(best[edge.side]) for edge in market.edges):
            market.asked, market.recent = True, deque(maxlen=_RECENT)
            self._wants.append(Want("snapshot", market.symbol, "the price nears the end of what is known of the book"))

    def _ask_again(self, market: Market, why: str) -> None:
        if market.sequencer.state is State.EMPTY:
            market.asked = True
            self._wants.append(Want("snapshot", market.symbol, why))

    def wants(self) -> list[Want]:
        wanted, self._wants = self._wants, []
        return wanted

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        self._wants.clear()
        for market in self.markets.values():
            market.depth_stream = None
            if market.touched:
                self._lose(market, C_DISCONNECT, "the connection ended", recv_ns, out)
                market.touched = False

    # -- trades, quotes, facts ----------------------------------------------------------------
    def _on_trade(self, body: bytes | msgspec.Raw, _: str, recv_ns: int, out: EventBuffer) -> None:
        one = messages.TRADE.decode(body)
        self._print("trade", one.s, one.t, one.p, one.q, one.T, one.m, one.X, recv_ns, out)

    def _on_agg_trade(self, body: bytes | msgspec.Raw, _: str, recv_ns: int, out: EventBuffer) -> None:
        one = messages.AGG.decode(body)
        self._print("aggTrade", one.s, one.a, one.p, one.q, one.T, one.m, one.X, recv_ns, out)

    def _print(
        self, kind: str, symbol: str, ident: int, price: str, size: str, time: int, maker_bought: bool, how: str,
        recv_ns: int, out: EventBuffer,
    ) -> None:  # fmt: skip
        market = self._market(symbol)
        if market is None:
            return
        if market.prints != kind:
            if market.prints:
                self.ignore(f"{kind} beside {market.prints}")  # the same prints twice
                return
            market.prints = kind
        tick, off_tick = market.numbers.price(price)
        lots, off_lot = market.numbers.size(size)
        if lots <= 0 or tick < 0:
            self.ignore("print of no size" if lots == 0 else "print of negative price or size")
            return
        last = market.last_print
        if last != NONE and ident != last + 1:
            if ident <= last:
                self.checks.duplicates += 1
                return
            self.problem(f"{symbol}: {ident - last - 1} prints missed before {kind} {ident}")
        market.last_print = ident
        market.touched = True
        exch_ns = to_ns(time)
        marks = LAST | self._marked(exch_ns, off_tick, off_lot)
        side = SELL if maker_bought else BUY
        aux = _PRINTS.get(how, REGULAR)
        out.append(TRADE, recv_ns, exch_ns, tick, lots, side, ident, aux, market.inst, marks)

    def _on_quote(self, body: bytes | msgspec.Raw, _: str, recv_ns: int, out: EventBuffer) -> None:
        one = messages.QUOTE.decode(body)
        market = self.markets.get(one.s) or self._market(one.s)
        if market is None:
            return
        price, size = market.numbers.price, market.numbers.size
        bid, off_bid = price(one.b)
        ask, off_ask = price(one.a)
        bid_lots, off_bid_lots = size(one.B)
        ask_lots, off_ask_lots = size(one.A)
        if bid < 0 or ask < 0 or bid_lots < 0 or ask_lots < 0:
            raise BadInput("quote", f"{one.b} x {one.B}, {one.a} x {one.A}", "prices and sizes of 0 or more")
        exch_ns = to_ns(one.T) if one.T else NONE
        marks = ask_marks = 0
        if off_bid or off_ask or off_bid_lots or off_ask_lots:
            marks, ask_marks = self._marked(1, off_bid, off_bid_lots), self._marked(1, off_ask, off_ask_lots)
        elif market.edges:
            self._watch_edges(market, bid, ask)
        out.append(QUOTE, recv_ns, exch_ns, bid, bid_lots, BID, one.u, 0, market.inst, marks)
        out.append(QUOTE, recv_ns, exch_ns, ask, ask_lots, ASK, one.u, 0, market.inst, ask_marks | LAST)

    def _on_mark(self, body: bytes | msgspec.Raw, _: str, recv_ns: int, out: EventBuffer) -> None:
        one = messages.MARK.decode(body)
        market = self._market(one.s)
        if market is None:
            return
        texts = ((F_MARK_PRICE, one.p), (F_INDEX_PRICE, one.i), (F_FUNDING_RATE, one.r))
        values = [(aux, fact(text)) for aux, text in texts if text]
        if one.T:
            values.append((F_NEXT_FUNDING_NS, to_ns(one.T)))
        exch_ns = to_ns(one.E)
        for aux, value in values:
            marks = LAST if aux == values[-1][0] else 0
            out.append(FACT, recv_ns, exch_ns, 0, value, 0, exch_ns, aux, market.inst, marks)

    def _on_force(self, body: bytes | msgspec.Raw, _: str, recv_ns: int, out: EventBuffer) -> None:
        # Price: average of what was filled, else the order's; size: filled, else the order's. S is the order's side.
        order = messages.FORCE.decode(body).o
        market = self._market(order.s)
        if market is None:
            return
        tick, off_tick = market.numbers.price(order.ap) if order.ap else (0, 0)
        if tick == 0:
            tick, off_tick = market.numbers.price(order.p)
        lots, off_lot = market.numbers.size(order.z) if order.z else (0, 0)
        if lots == 0:
            lots, off_lot = market.numbers.size(order.q)
        if order.S not in ("BUY", "SELL") or lots <= 0 or tick < 0:
            raise BadInput("liquidation", f"{order.S} {order.q} at {order.p}", "BUY or SELL, a size, a price")
        exch_ns = to_ns(order.T)
        marks = LAST | self._marked(exch_ns, off_tick, off_lot)
        side = BUY if order.S == "BUY" else SELL
        out.append(FACT, recv_ns, exch_ns, tick, lots, side, exch_ns, F_LIQUIDATION, market.inst, marks)

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def snapshot_url(cls, symbol: str) -> str:
        """Where the book's snapshot is fetched."""
        return f"{cls.rest}{cls.snapshot_path.format(symbol=symbol.upper())}"

    @classmethod
    def snapshot_symbol(cls, url: str) -> str | None:
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        return parse_qs(parts.query).get("symbol", [None])[0] if parts.path.endswith("/depth") else None

    @classmethod
    def instruments_url(cls) -> str:
        return f"{cls.rest}{cls.listing_path}"

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        try:
            listed = messages.LISTING.decode(raw).symbols
        except FAULTS as error:
            raise refuse_list(cls.name, error) from None
        return {one.symbol: cls.instrument(one) for one in listed}

    @classmethod
    def instrument(cls, listed: messages.Listed) -> Instrument:
        """Make the Instrument of one listed symbol; a tick of 0 means that the venue has no rule for it."""
        tick = next((f.tickSize for f in listed.filters if f.filterType == "PRICE_FILTER"), "0")
        lot = next((f.stepSize for f in listed.filters if f.filterType == "LOT_SIZE"), "0")
        precision = listed.pricePrecision if listed.pricePrecision >= 0 else listed.quoteAssetPrecision
        decimals = min(max(precision, 0), 18)
        finest = f"0.{'1':0>{decimals}}" if decimals else "1"
        return Instrument(
            venue=cls.name,
            symbol=listed.symbol,
            tick=plain(tick) if parse_decimal(tick)[0] else finest,
            lot=plain(lot) if parse_decimal(lot)[0] else "0.00000001",
            multiplier=str(listed.contractSize),
            currency=listed.quoteAsset,
            description=f"inverse, {listed.contractSize} {listed.quoteAsset} a contract" if cls.inverse else "",
        )

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_binance import BinanceVoice

        return BinanceVoice
