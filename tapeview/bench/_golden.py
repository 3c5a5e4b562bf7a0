"""Frames made up in the form of each venue that no session is at hand of: one book walked through, in many words."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final, NamedTuple

from feeds.instruments import Instrument

MESSAGES: Final = 400
_DEPTH: Final = 100
_BEST_BID: Final = 279_850
_WHEN: Final = "2026-08-09T21:05:48.170326Z"
_MS: Final = 1_786_313_148_170
_SYMBOL: Final = "BTCUSDT"
_UUID: Final = "6a1b2c3d-0000-4000-8000-{:012x}"

Level = tuple[str, str]


class Made(NamedTuple):
    """Frames and the instrument whose they are."""

    instrument: Instrument
    frames: list[tuple[str | None, bytes]]
    levels: int | None
    """Levels that the frames state, where they are whole books of which only changes become rows."""


class _Message(NamedTuple):
    number: int
    bids: list[Level]
    asks: list[Level]
    best: tuple[list[Level], list[Level]]
    """Ten best bids and asks after it."""

    @property
    def first(self) -> bool:
        return self.number == 0


def walk(*, orders: bool = False) -> Iterator[_Message]:
    """A whole book of 100 levels a side, then updates of 1 to 20 levels, 10 on average; with orders, of 1 each."""
    draw = random.Random(4)
    book: tuple[dict[int, str], dict[int, str]] = ({}, {})

    def size() -> str:
        return f"{draw.randrange(1, 60_000) / 1000:.3f}"

    for k in range(_DEPTH):
        book[0][_BEST_BID - k], book[1][_BEST_BID + 1 + k] = size(), size()
    shown = [[(_price(tick), lots) for tick, lots in side.items()] for side in book]
    yield _Message(0, shown[0], shown[1], _best(book))
    for number in range(1, MESSAGES + 1):
        changes: tuple[dict[int, str], dict[int, str]] = ({}, {})
        for _ in range(1 if orders else draw.randint(1, 20)):
            side = draw.randrange(2)
            at = min(int(draw.expovariate(0.1)), _DEPTH - 1)
            tick = _BEST_BID - at if side == 0 else _BEST_BID + 1 + at
            changes[side][tick] = "0.000" if tick in book[side] and at and draw.random() < 0.4 else size()
        for levels, changed in zip(book, changes, strict=True):
            levels.update(changed)
            for tick in [tick for tick, lots in changed.items() if lots == "0.000"]:
                del levels[tick]
        told = [[(_price(tick), lots) for tick, lots in side.items()] for side in changes]
        yield _Message(number, told[0], told[1], _best(book))


def _price(tick: int) -> str:
    return f"{tick // 10}.{tick % 10}0"


def _best(book: tuple[dict[int, str], dict[int, str]]) -> tuple[list[Level], list[Level]]:
    bids, asks = sorted(book[0], reverse=True)[:10], sorted(book[1])[:10]
    return [(_price(t), book[0][t]) for t in bids], [(_price(t), book[1][t]) for t in asks]


Frames = list[tuple[str | None, bytes]]


def _dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _coinbase_exchange(one: _Message) -> Any:
    if one.first:
        return {"type": "snapshot", "product_id": _SYMBOL, "bids": one.bids, "asks": one.asks}
    changes = [["buy", *level] for level in one.bids] + [["sell", *level] for level in one.asks]
    return {"type": "l2update", "product_id": _SYMBOL, "time": _WHEN, "changes": changes}


def _gemini(one: _Message) -> Any:
    head = {"e": "depthUpdate", "E": _MS * 10**6, "s": _SYMBOL, "U": 9 + max(one.number - 1, 0), "u": 9 + one.number}
    return head | {"b": one.bids, "a": one.asks}


def _bybit(one: _Message) -> Any:
    data = {"s": _SYMBOL, "b": one.bids, "a": one.asks, "u": 100 + one.number, "seq": one.number}
    kind = "snapshot" if one.first else "delta"
    return {"topic": f"orderbook.50.{_SYMBOL}", "type": kind, "ts": _MS, "data": data, "cts": _MS}


def _field(text: str) -> str:
    return text.replace(".", "").lstrip("0") or "0"


def _kraken(one: _Message) -> bytes:
    asks_then_bids = one.best[1] + one.best[0]
    told = zlib.crc32("".join(_field(price) + _field(size) for price, size in asks_then_bids).encode())
    bids, asks = (
        ",".join(f'{{"price":{price},"qty":{size}}}' for price, size in side) for side in (one.bids, one.asks)
    )
    kind = "snapshot" if one.first else "update"
    data = f'[{{"symbol":"{_SYMBOL}","bids":[{bids}],"asks":[{asks}],"checksum":{told},"timestamp":"{_WHEN}"}}]'
    return f'{{"channel":"book","type":"{kind}","data":{data}}}'.encode()


def _kraken_frames() -> Frames:
    params = {"channel": "book", "depth": 100, "snapshot": True, "symbol": _SYMBOL}
    ack = {"method": "subscribe", "result": params, "success": True}
    return [(None, _dumps(ack)), *((None, _kraken(one)) for one in walk())]


def _hyperliquid(one: _Message) -> Any:
    levels = [[{"px": price, "sz": size, "n": 3} for price, size in side] for side in one.best]
    return {"channel": "l2Book", "data": {"coin": _SYMBOL, "time": _MS + one.number, "levels": levels}}


def _whole(one: _Message) -> Any:
    data = {"timestamp": "1786313148", "microtimestamp": str(_MS * 1000 + one.number)}
    return {
        "event": "data",
        "channel": f"order_book_{_SYMBOL}",
        "data": data | dict(zip(("bids", "asks"), one.best, strict=True)),
    }


def _bitmex() -> Frames:
    ids: dict[str, int] = {}
    numbers = count(62_400_000_000)
    frames: Frames = []
    for one in walk():
        rows: dict[str, list[Any]] = {"partial": [], "insert": [], "update": [], "delete": []}
        for side, levels in (("Buy", one.bids), ("Sell", one.asks)):
            for price, size in levels:
                action = "partial" if one.first else "update" if price in ids else "insert"
                row: dict[str, Any] = {
                    "symbol": _SYMBOL,
                    "id": ids.setdefault(price, next(numbers)),
                    "side": side,
                }
                if size == "0.000":
                    action = "delete"
                    del ids[price]
                else:
                    row["size"] = int(float(size) * 1000)
                if action in ("partial", "insert"):
                    row["price"] = float(price)
                rows[action].append(row | {"timestamp": _WHEN, "transactTime": _WHEN})
        frames += [
            (None, _dumps({"table": "orderBookL2", "action": action, "data": data}))
            for action, data in rows.items()
            if data
        ]
    return frames


def _dydx(one: _Message) -> Any:
    head = {"connection_id": "6a1b2c3d", "message_id": one.number, "id": _SYMBOL, "channel": "v4_orderbook"}
    if one.first:
        sides = [[{"price": price, "size": size} for price, size in side] for side in (one.bids, one.asks)]
        return head | {"type": "subscribed", "contents": {"bids": sides[0], "asks": sides[1]}}
    return head | {"type": "channel_data", "version": "1.0.0", "contents": {"bids": one.bids, "asks": one.asks}}


def _alpaca_crypto(one: _Message) -> Any:
    sides = {
        name: [{"p": float(price), "s": float(size)} for price, size in side]
        for name, side in (("b", one.bids), ("a", one.asks))
    }
    return [{"T": "o", "S": _SYMBOL, "t": _WHEN} | sides | ({"r": True} if one.first else {})]


def _alpaca() -> Frames:
    frames: Frames = []
    for one in walk():
        (bid, ask) = one.best[0][0], one.best[1][0]
        quote = {
            "T": "q",
            "S": _SYMBOL,
            "bx": "V",
            "bp": float(bid[0]),
            "bs": 4,
            "ax": "V",
            "ap": float(ask[0]),
            "as": 3,
        }
        trade = {"T": "t", "S": _SYMBOL, "i": one.number, "x": "V", "p": float(ask[0]), "s": 100, "c": ["@"]}
        frames.append((None, _dumps([quote | {"c": ["R"], "t": _WHEN, "z": "C"}, trade | {"t": _WHEN, "z": "C"}])))
    return frames


class _Ids:
    """An order for each level: what a change of a level is to single orders."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._numbers = count(1_000)

    def steps(self, one: _Message) -> Iterator[tuple[str, int, int, Level]]:
        """(created, changed or deleted; id; 0 a bid, 1 an ask; level)."""
        for side, levels in enumerate((one.bids, one.asks)):
            for price, size in levels:
                ident = self._ids.get(price)
                if ident is None:
                    ident = self._ids[price] = next(self._numbers)
                    yield "created", ident, side, (price, size)
                elif size == "0.000":
                    yield "deleted", self._ids.pop(price), side, (price, size)
                else:
                    yield "changed", ident, side, (price, size)


def _bitstamp_l3() -> Frames:
    frames: Frames = []
    ids = _Ids()
    for message in walk():
        for what, ident, side, (price, size) in ids.steps(message):
            data = {"id": ident, "id_str": str(ident), "order_type": side, "datetime": "1786313148", "amount_str": size}
            data |= {"amount_traded": "0", "amount_at_create": size, "price_str": price, "event_id": f"e{len(frames)}"}
            data |= {"pre_event_id": f"e{len(frames) - 1}", "microtimestamp": str(_MS * 1000 + len(frames))}
            frames.append((None, _dumps({"data": data, "channel": f"live_orders_{_SYMBOL}", "event": f"order_{what}"})))
    return frames


def _kraken_l3() -> Frames:
    frames: Frames = []
    ids = _Ids()
    kinds = {"created": "add", "changed": "modify", "deleted": "delete"}
    for message in walk():
        sides: tuple[list[str], list[str]] = ([], [])
        for what, ident, side, (price, size) in ids.steps(message):
            event = "" if message.first else f'"event":"{kinds[what]}",'
            head = f'"order_id":"O{ident}","limit_price":{price},"order_qty":{size}'
            sides[side].append(f'{{{event}{head},"timestamp":"{_WHEN}"}}')
        kind = "snapshot" if message.first else "update"
        data = f'[{{"symbol":"{_SYMBOL}","bids":[{",".join(sides[0])}],"asks":[{",".join(sides[1])}]}}]'
        frames.append((None, f'{{"channel":"level3","type":"{kind}","data":{data}}}'.encode()))
    return frames


def _bitfinex_r0() -> Frames:
    subscribed = {"event": "subscribed", "channel": "book", "chanId": 5, "symbol": _SYMBOL, "prec": "R0"}
    frames: Frames = [(None, _dumps(subscribed))]
    ids = _Ids()
    for message in walk():
        rows = [
            f"[{ident},{0 if what == 'deleted' else price},{'-' if side else ''}{size if what != 'deleted' else 1}]"
            for what, ident, side, (price, size) in ids.steps(message)
        ]
        told = ["[" + ",".join(rows) + "]"] if message.first else rows
        frames += [(None, f"[5,{row}]".encode()) for row in told]
    return frames


def _coinbase_full() -> Frames:
    frames: Frames = []
    ids = _Ids()
    for message in walk():
        steps = [(what, _UUID.format(ident), side, level) for what, ident, side, level in ids.steps(message)]
        if message.first:
            sides = [[[*level, ident] for _, ident, on, level in steps if on == side] for side in (0, 1)]
            frames.append((_SYMBOL, _dumps({"sequence": 0, "bids": sides[0], "asks": sides[1], "time": _WHEN})))
            continue
        for what, ident, side, (price, size) in steps:
            head = {"product_id": _SYMBOL, "sequence": len(frames), "time": _WHEN, "order_id": ident}
            head |= {"side": ("buy", "sell")[side], "price": price}
            more = {
                "created": {"type": "open", "remaining_size": size},
                "changed": {"type": "change", "new_size": size},
            }
            frames.append((None, _dumps(head | more.get(what, {"type": "done", "reason": "canceled"}))))
    return frames


def _all(form: Callable[[_Message], Any]) -> Callable[[], Frames]:
    return lambda: [(None, _dumps(form(one))) for one in walk()]


_FORMS: Final[dict[str, Callable[[], Frames]]] = {
    "alpaca": _alpaca,
    "alpaca-crypto": _all(_alpaca_crypto),
    "bitfinex-r0": _bitfinex_r0,
    "bitmex": _bitmex,
    "bitstamp": _all(_whole),
    "bitstamp-l3": _bitstamp_l3,
    "bybit-linear": _all(_bybit),
    "coinbase-exchange": _all(_coinbase_exchange),
    "coinbase-full": _coinbase_full,
    "dydx": _all(_dydx),
    "gemini": _all(_gemini),
    "hyperliquid": _all(_hyperliquid),
    "kraken": _kraken_frames,
    "kraken-l3": _kraken_l3,
}
_WHOLE: Final = ("bitstamp", "hyperliquid")


def golden() -> dict[str, Made]:
    """The frames of each venue by its name."""
    lots = {"bitmex": "1"}
    whole = sum(len(side) for one in walk() for side in one.best)
    return {
        name: Made(
            Instrument(venue=name, symbol=_SYMBOL, tick="0.10", lot=lots.get(name, "0.001")), form(),
            whole if name in _WHOLE else None,
        )
        for name, form in _FORMS.items()
    }  # fmt: skip
