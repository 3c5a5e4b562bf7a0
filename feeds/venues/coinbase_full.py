"""Coinbase Exchange with a key: every order of a product, numbered without holes.

The `full` channel tells the life of each order: `received` (not on the book), `open` (on the book with what is left),
`match` (takes from the maker's order, and is the print), `change` and `done`. `sequence` rises by 1 with each
message of a product. The book is a snapshot over REST, joined to messages kept meanwhile. Order ids are UUIDs;
rows carry their last 62 bits. `side` of a match is the maker's: `sell` was bought. Source: Coinbase Exchange's
"WebSocket Channels", "Get product book" and "WebSocket Authentication".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, NamedTuple

import msgspec

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    BAD_TIME,
    BID,
    C_SEQUENCE,
    CANCEL,
    CLEAR,
    FILL,
    LAST,
    LATE,
    MODIFY,
    NONE,
    OFF_GRID,
    OFF_LOT,
    REGULAR,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.keys import Secrets
from feeds.sequencer import State, Step
from feeds.source import Checks
from feeds.venues._access import FAULTS, Socket, Terms, bounded
from feeds.venues._inband import InBand, Market, Print
from feeds.venues._levels import Sides, book_rows
from feeds.venues._times import iso_ns
from feeds.venues.coinbase_exchange import TAKER, CoinbaseExchange

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

LIFE: Final = ("received", "open", "match", "change", "done")
"""Messages about orders; whatever else carries a sequence is counted in it."""
_UNNUMBERED: Final = ("ticker", "heartbeat", "last_match", "activate")
"""Messages whose sequence is not theirs."""
_MOST_WAITING: Final = 200_000
_BOOK: Final = re.compile(r"/products/([^/?]{1,40})/book\?(?:.*&)?level=3(?:&|\Z)")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\Z")
_ID_MASK: Final = 2**62 - 1
_SIDES: Final = {"buy": BID, "sell": ASK}

Id = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class _Frame(msgspec.Struct, gc=False):
    type: str = ""
    product_id: str = ""
    sequence: Id | None = None
    order_id: str = ""
    maker_order_id: str = ""
    side: str = ""
    price: str | None = None
    size: str = ""
    remaining_size: str = ""
    new_size: str | None = None
    new_price: str | None = None
    trade_id: Id | None = None
    time: str = ""
    message: str = ""
    reason: str = ""


class _Snapshot(msgspec.Struct, gc=False):
    sequence: Id
    bids: list[tuple[str, str, str]]
    asks: list[tuple[str, str, str]]
    time: str = ""


_FRAME: Final = msgspec.json.Decoder(_Frame)
_SNAPSHOT: Final = msgspec.json.Decoder(_Snapshot)


class _Change(NamedTuple):
    sequence: int
    kind: str
    order: int
    tick: int
    lots: int
    side: int
    marks: int
    exch_ns: int
    print: Print | None = None
    priced: bool = True


class _Orders:
    """One product's orders on the book, and what waits for its snapshot."""

    def __init__(self) -> None:
        self.left: dict[int, tuple[int, int, int, int]] = {}
        """Order id -> (tick, size left in fine units, side, OFF_GRID where its price is)."""
        self.waiting: deque[_Change] = deque(maxlen=_MOST_WAITING)


class CoinbaseFull(InBand):
    """Coinbase Exchange's `full` channel, order by order; symbols are product ids, such as 'BTC-USD'."""

    name: ClassVar[str] = "coinbase-full"
    symbol_pattern: ClassVar[re.Pattern[str]] = CoinbaseExchange.symbol_pattern
    verification: ClassVar[str] = "counter"
    tier: ClassVar[str] = "A"
    heals: ClassVar[str] = "snapshot"
    counts_prints: ClassVar[bool] = True
    terms: ClassVar[Terms] = Terms(silence_s=5, send_gap_ms=50)
    secrets: ClassVar[tuple[str, ...]] = (
        "COINBASE_EXCHANGE_KEY",
        "COINBASE_EXCHANGE_SECRET",
        "COINBASE_EXCHANGE_PASSPHRASE",
    )

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self._orders = {symbol: _Orders() for symbol in instruments}

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        frame = _Frame()
        try:
            bounded(raw)
            frame = _FRAME.decode(raw)
            if frame.type in LIFE or (frame.sequence is not None and frame.type not in _UNNUMBERED):
                self._on_order(frame, recv_ns, out)
            elif frame.type == "last_match":
                self._on_last_match(frame, recv_ns, out)
            elif frame.type == "subscriptions":
                self.notice("ack", "subscriptions")
            elif frame.type == "error":
                self.problem(f"the venue refuses: {frame.message[:150]} {frame.reason[:150]}")
                self.notice("error", f"{frame.message} {frame.reason}".strip())
            else:
                self.ignore(frame.type or "frame without a type")
        except FAULTS as error:
            # A frame of which not even the product is known leaves a hole that the next one's sequence shows.
            self.damaged(f"{frame.type or 'frame'} {frame.product_id}".rstrip()[:80], error)
            if frame.type != "last_match":
                self._lose_damaged(frame.product_id, recv_ns, out)

    def _lose_damaged(self, symbol: str, recv_ns: int, out: EventBuffer) -> None:
        if symbol in self.markets:
            self.lose_damaged(symbol, recv_ns, out)
            self._orders[symbol].left.clear()
            self._orders[symbol].waiting.clear()

    def _on_last_match(self, frame: _Frame, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(frame.product_id)
        if market is not None:
            told = _print(market, frame, iso_ns(frame.time), LATE)
            if told.ident <= market.last_print:
                self.ignore("print told again")
            else:
                self.write_prints(market, (told,), recv_ns, out)

    # -- the life of orders -------------------------------------------------------------------
    def _on_order(self, frame: _Frame, recv_ns: int, out: EventBuffer) -> None:
        market = self.market(frame.product_id)
        if market is None:
            return
        change = _read(market, frame)
        market.touched = True
        self._step(market, change, recv_ns, out)

    def _step(self, market: Market, change: _Change, recv_ns: int, out: EventBuffer) -> None:
        orders = self._orders[market.symbol]
        seeded = market.sequencer.state is State.SEEDED
        at = market.sequencer.id
        step = market.sequencer.update(change.sequence, change.sequence)
        if step is Step.APPLY:
            self._apply(market, change, recv_ns, out)
        elif step is Step.IGNORE:
            if not seeded:
                self.checks.duplicates += 1
        else:
            if step is not Step.WAIT:
                self._miss(market, change.sequence, at, recv_ns, out)
            if market.partial:
                self._apply(market, change, recv_ns, out)
            orders.waiting.append(change)
            self.ask(market, "messages wait for it")

    def _miss(self, market: Market, sequence: int, at: int, recv_ns: int, out: EventBuffer) -> None:
        lost = sequence - at - 1 if sequence > at else NONE
        self.lose(market, C_SEQUENCE, f"message {sequence} does not follow {at}", recv_ns, out, lost)
        self._orders[market.symbol].left.clear()
        self._orders[market.symbol].waiting.clear()

    def _apply(self, market: Market, change: _Change, recv_ns: int, out: EventBuffer) -> None:
        before = len(out)
        left = self._orders[market.symbol].left
        if change.kind == "open":
            self._put(market, change, recv_ns, out)
        elif change.kind == "match":
            self._fill(market, change, recv_ns, out)
        elif change.order not in left:
            if change.kind != "received":
                self.ignore(f"{change.kind} of an order not on the book")
        elif change.kind == "done" or (change.kind == "change" and change.lots == 0):
            tick, _, side, off_grid = left.pop(change.order)
            self._row(CANCEL, market, change, (tick, 0, side, off_grid), recv_ns, out)
        elif change.kind == "change":
            tick, _, side, off_grid = left[change.order]
            if change.priced:
                tick, off_grid = change.tick, change.marks & ~OFF_LOT
            left[change.order] = (tick, _fine(market, change), side, off_grid)
            marks = off_grid | change.marks & OFF_LOT
            self._row(MODIFY, market, change, (tick, change.lots, side, marks), recv_ns, out)
        if len(out) > before:
            out.mark_last()

    def _put(self, market: Market, change: _Change, recv_ns: int, out: EventBuffer) -> None:
        left = self._orders[market.symbol].left
        if change.lots <= 0 or change.order in left:
            self.ignore("open of no size" if change.lots <= 0 else "open of an order on the book")
            return
        left[change.order] = (change.tick, _fine(market, change), change.side, change.marks & ~OFF_LOT)
        self._row(ADD, market, change, (change.tick, change.lots, change.side, change.marks), recv_ns, out)

    def _fill(self, market: Market, change: _Change, recv_ns: int, out: EventBuffer) -> None:
        left = self._orders[market.symbol].left
        if change.order in left and change.lots > 0:
            tick, size, side, off_grid = left[change.order]
            size -= _fine(market, change)
            if size > 0:
                left[change.order] = (tick, size, side, off_grid)
            else:
                del left[change.order]
            self._row(FILL, market, change, (tick, change.lots, side, off_grid | change.marks & OFF_LOT), recv_ns, out)
        else:
            self.checks.unknown_orders += 1
        if change.print is not None:
            self.write_prints(market, (change.print,), recv_ns, out)

    def _row(
        self, kind: int, market: Market, change: _Change, row: tuple[int, int, int, int], recv_ns: int, out: EventBuffer
    ) -> None:
        tick, lots, side, marks = row
        self.checks.off_grid += marks != 0
        marks |= BAD_TIME if change.exch_ns == 0 else 0
        out.append(
            kind, recv_ns, change.exch_ns, tick, lots, side, change.order, change.sequence, market.inst, marks
        )  # fmt: skip

    # -- the snapshot -------------------------------------------------------------------------
    def on_snapshot(self, symbol: str, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse the answer to a request of a product's book, level 3."""
        self.checks.messages += 1
        market = self.market(symbol)
        if market is None:
            return
        market.asked = False
        orders = self._orders[symbol]
        try:
            bounded(raw)
            snapshot = _SNAPSHOT.decode(raw)
            entries = snapshot.bids + snapshot.asks
            sides = market.numbers.texts([(price, size) for price, size, _ in entries], len(snapshot.bids))
            if len(sides) and int(sides.values.min()) < 0:
                raise BadInput("order", int(sides.values.min()), "a price and a size of 0 or more")
            ids = [_order_id(order) for _, _, order in entries]
            exch_ns = iso_ns(snapshot.time) if snapshot.time else NONE
        except FAULTS as error:
            self.damaged(f"snapshot {symbol}", error)
            self._ask_again(market, "the snapshot cannot be read")
            return
        at = snapshot.sequence
        step = market.sequencer.snapshot(at, [(one.sequence, one.sequence, NONE) for one in orders.waiting])
        if step is Step.IGNORE:
            self.ignore("snapshot older than the book")
            return
        if step is Step.REFETCH:
            why = f"snapshot {at} is older than the first message kept, {orders.waiting[0].sequence}"
            self.problem(f"{symbol}: {why}")
            self._ask_again(market, why)
            if self.no_fetch and not market.partial:
                market.partial = True
                out.append(STATUS, recv_ns, aux=S_SYNCING, inst=market.inst, marks=LAST)
                for change in orders.waiting:
                    self._apply(market, change, recv_ns, out)
            return
        if market.broken:
            self.checks.resyncs += 1
        market.live = market.touched = True
        market.broken = market.partial = False
        self._rebuild(market, at, sides, ids, exch_ns, recv_ns, out)
        waiting = list(orders.waiting)
        orders.waiting.clear()
        for change in waiting:
            self._step(market, change, recv_ns, out)

    def _rebuild(
        self, market: Market, at: int, sides: Sides, ids: list[int], exch_ns: int, recv_ns: int, out: EventBuffer
    ) -> None:
        marks = SNAPSHOT | (BAD_TIME if exch_ns == 0 else 0)
        out.append(CLEAR, recv_ns, exch_ns, ref=at, inst=market.inst, marks=marks | (0 if ids else LAST))
        left = self._orders[market.symbol].left
        left.clear()
        if ids:
            rows = book_rows(sides, recv_ns, exch_ns, NONE, market.inst, marks)
            rows["kind"], rows["aux"], rows["ref"] = ADD, at, ids
            off = rows["marks"] & (OFF_GRID | OFF_LOT)
            self.checks.off_grid += int((off != 0).sum())
            columns = zip(ids, rows[["tick", "lots", "side"]].tolist(), off.tolist(), strict=True)
            for order, (tick, lots, side), mark in columns:
                left[order] = (tick, lots if mark & OFF_LOT else lots * market.fine_lot, side, mark & OFF_GRID)
            out.extend(rows)
        out.append(STATUS, recv_ns, exch_ns, ref=at, aux=S_LIVE, inst=market.inst, marks=LAST)

    def _ask_again(self, market: Market, why: str) -> None:
        if market.sequencer.state is State.EMPTY:
            self.ask(market, why)

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        """The connection ended: write gaps and forget books and what waits."""
        super().on_disconnect(recv_ns, out)
        for orders in self._orders.values():
            orders.left.clear()
            orders.waiting.clear()

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to; the request is to be signed (see `sign`) before it is sent."""
        frame = {"type": "subscribe", "product_ids": list(symbols), "channels": ["full", "heartbeat"]}
        return (Socket("wss://ws-direct.exchange.coinbase.com", (msgspec.json.encode(frame).decode(),)),)

    @classmethod
    def sealed(cls, socket: Socket, key: Secrets, token: str, now_s: int) -> tuple[str, ...]:
        """The request, signed."""
        del token
        name, secret, passphrase = (key[one] for one in cls.secrets)
        return tuple(cls.sign(frame, name, secret, passphrase, now_s) for frame in socket.frames)

    @classmethod
    def sign(cls, frame: str, key: str, secret: str, passphrase: str, now_s: int) -> str:
        """Put a key's signature of the moment (seconds since 1970) into a request; `secret` is base64 text."""
        try:
            code = base64.b64decode(secret, validate=True)
        except ValueError:
            raise BadInput("secret of coinbase-full", None, "base64 text") from None
        told = hmac.new(code, f"{now_s}GET/users/self/verify".encode(), hashlib.sha256).digest()
        more = {"signature": base64.b64encode(told).decode(), "key": key, "passphrase": passphrase}
        return msgspec.json.encode(msgspec.json.decode(frame) | more | {"timestamp": str(now_s)}).decode()

    @classmethod
    def snapshot_url(cls, symbol: str) -> str:
        """Where a product's orders are fetched."""
        return f"https://api.exchange.coinbase.com/products/{symbol}/book?level=3"

    @classmethod
    def snapshot_symbol(cls, url: str) -> str | None:
        """The product whose orders are the answer at `url`."""
        found = _BOOK.search(url)
        return found[1] if found else None

    @classmethod
    def instruments_url(cls) -> str:
        """Where the venue lists its products."""
        return CoinbaseExchange.instruments_url()

    @classmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read the products, by id; raise BadInput where the answer is none."""
        listed = CoinbaseExchange.read_instruments(raw)
        return {symbol: msgspec.structs.replace(one, venue=cls.name) for symbol, one in listed.items()}

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_coinbase import CoinbaseFullVoice

        return CoinbaseFullVoice


def _order_id(text: str) -> int:
    if not _UUID.match(text):
        raise BadInput("order id", text[:60], "a UUID")
    return int(text.replace("-", ""), 16) & _ID_MASK


def _fine(market: Market, change: _Change) -> int:
    return change.lots if change.marks & OFF_LOT else change.lots * market.fine_lot


def _print(market: Market, frame: _Frame, exch_ns: int, kind: int) -> Print:
    if frame.side not in TAKER or frame.trade_id is None or frame.price is None:
        raise BadInput("match", f"{frame.side} {frame.trade_id}", "a side, a trade's id and a price")
    return market.print(frame.price, frame.size, TAKER[frame.side], frame.trade_id, exch_ns, kind)


def _read(market: Market, frame: _Frame) -> _Change:
    if frame.sequence is None:
        raise BadInput("sequence", None, "the number of the message")
    exch_ns = iso_ns(frame.time) if frame.time else NONE
    if frame.type == "match":
        told = _print(market, frame, exch_ns, REGULAR)
        return _Change(
            frame.sequence, "match", _order_id(frame.maker_order_id), told.tick, told.lots, -told.side, told.marks,
            exch_ns, told,
        )  # fmt: skip
    if frame.type not in LIFE:
        return _Change(frame.sequence, frame.type[:40], NONE, 0, 0, 0, 0, exch_ns)
    order = _order_id(frame.order_id)
    if frame.type == "open":
        if frame.side not in _SIDES:
            raise BadInput("side", frame.side, "buy or sell")
        one = _resting(
            market, frame.sequence, _SIDES[frame.side], frame.price or "", frame.remaining_size, frame.order_id
        )
        return one._replace(exch_ns=exch_ns)
    if frame.type == "change":
        price = frame.new_price or frame.price
        tick, off_grid = market.numbers.price(price) if price else (0, 0)
        lots, off_lot = market.numbers.size(frame.new_size) if frame.new_size else (0, 0)
        if tick < 0 or lots < 0:
            raise BadInput("change", f"{price} x {frame.new_size}", "a price and a size of 0 or more")
        kind = "change" if frame.new_size else "change of funds"
        return _Change(frame.sequence, kind, order, tick, lots, 0, off_grid | off_lot, exch_ns, None, price is not None)
    return _Change(frame.sequence, frame.type, order, 0, 0, 0, 0, exch_ns)


def _resting(market: Market, sequence: int, side: int, price: str, size: str, order: str) -> _Change:
    tick, off_grid = market.numbers.price(price)
    lots, off_lot = market.numbers.size(size)
    if tick < 0 or lots < 0:
        raise BadInput("order", f"{price} x {size}", "a price and a size of 0 or more")
    return _Change(sequence, "open", _order_id(order), tick, lots, side, off_grid | off_lot, NONE)


VENUES: Final = (CoinbaseFull,)
