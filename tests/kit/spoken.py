"""Random markets in the words of venues of which no session is at hand, with checksums by the venues' own recipes."""

from __future__ import annotations

import random
import uuid
import zlib
from collections.abc import Callable, Iterator

import msgspec

from feeds.events import ASK, BID
from feeds.instruments import Instrument
from feeds.mirror.reel import FRAME, SNAPSHOT, Listed, Shot

START_NS = 1_700_000_000_000_000_000
STEP_NS = 5_000_000
WHEN = "2023-11-14T22:13:20.123456Z"
Book = dict[int, dict[int, int]]
"""Side -> tick -> lots, of ticks of 0.1 and lots of 0.00000001."""


def raw(value: object) -> bytes:
    return msgspec.json.encode(value)


def price(tick: int) -> str:
    return f"{tick // 10}.{tick % 10}"


def size(lots: int) -> str:
    return f"{lots // 10**8}.{lots % 10**8:08d}"


def bare(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def kraken_field(text: str) -> str:
    return text.replace(".", "").lstrip("0") or "0"


class Market:
    """A book that changes at random, and is never crossed."""

    def __init__(self, seed: int, ticks: int = 40) -> None:
        self.draw = random.Random(seed)
        self.book: Book = {BID: {1000 - n: self.lots() for n in range(ticks // 2)}, ASK: {}}
        self.book[ASK] = {1001 + n: self.lots() for n in range(ticks // 2)}
        self.ticks = ticks

    def lots(self) -> int:
        return self.draw.choice([5, 10**8, 123_456_789, 50_000_000, self.draw.randint(1, 10**10)])

    def change(self) -> tuple[int, int, int]:
        """(side, tick, lots) of a level that is now other than it was."""
        side = self.draw.choice((BID, ASK))
        tick = 1000 - self.draw.randrange(self.ticks) if side == BID else 1001 + self.draw.randrange(self.ticks)
        lots = 0 if self.draw.random() < 0.35 and len(self.book[side]) > 12 else self.lots()
        if lots:
            self.book[side][tick] = lots
        elif self.book[side].pop(tick, None) is None:
            return self.change()
        return side, tick, lots

    def best(self, side: int, most: int | None = None) -> list[int]:
        return sorted(self.book[side], reverse=side == BID)[:most]


def _reel(venue: str, symbol: str, shots: list[Shot], *, tick: str = "0.1", lot: str = "0.00000001") -> Listed:
    one = Instrument(venue=venue, symbol=symbol, tick=tick, lot=lot, currency="USD")
    return Listed(f"a market in {venue}'s words", {venue: {symbol: one}}, shots)


def _timed(venue: str, frames: Iterator[bytes | tuple[str, bytes]]) -> list[Shot]:
    shots = []
    for n, one in enumerate(frames):
        at = START_NS + n * STEP_NS
        if isinstance(one, tuple):
            shots.append(Shot(at, venue, SNAPSHOT, one[1], one[0]))
        else:
            shots.append(Shot(at, venue, FRAME, one))
    return shots


# -- Kraken v2 --------------------------------------------------------------------------------------
def kraken(seed: int, messages: int) -> tuple[Listed, Book]:
    """Books of depth 10, of which no delete tells that a level fell out."""
    market = Market(seed)
    view: Book = {BID: {}, ASK: {}}

    def entry(side: int, tick: int) -> dict[str, msgspec.Raw]:
        return {"price": bare(price(tick)), "qty": bare(size(market.book[side].get(tick, 0)))}

    def checksum() -> int:
        texts = []
        for side in (ASK, BID):
            for tick in market.best(side, 10):
                texts += [kraken_field(price(tick)), kraken_field(size(market.book[side][tick]))]
        return zlib.crc32("".join(texts).encode())

    def said(kind: str, ticks: dict[int, list[int]]) -> bytes:
        one = {
            "symbol": "BTC/USD",
            "bids": [entry(BID, t) for t in ticks[BID]], "asks": [entry(ASK, t) for t in ticks[ASK]],
            "checksum": checksum(), "timestamp": WHEN,
        }  # fmt: skip
        return raw({"channel": "book", "type": kind, "data": [one]})

    def frames() -> Iterator[bytes]:
        told = {"channel": "book", "depth": 10, "snapshot": True, "symbol": "BTC/USD"}
        yield raw({"method": "subscribe", "result": told, "success": True})
        first = {side: market.best(side, 10) for side in (BID, ASK)}
        for side, ticks in first.items():
            view[side] = {tick: market.book[side][tick] for tick in ticks}
        yield said("snapshot", first)
        for n in range(messages):
            market.change()
            changed: dict[int, list[int]] = {}
            for side in (BID, ASK):
                top = market.best(side, 10)
                gone = [tick for tick in view[side] if tick not in market.book[side]]
                changed[side] = gone + [t for t in top if view[side].get(t) != market.book[side][t]]
                view[side] = {tick: market.book[side][tick] for tick in top}
            if any(changed.values()):
                yield said("update", changed)
            if n % 7 == 0:
                one = {"symbol": "BTC/USD", "side": "buy", "price": bare("100.1"), "qty": bare("0.50000000"),
                       "ord_type": "market", "trade_id": n // 7 + 1, "timestamp": WHEN}  # fmt: skip
                yield raw({"channel": "trade", "type": "update", "data": [one]})
            if n % 50 == 0:
                yield raw({"channel": "heartbeat"})

    shots = _timed("kraken", frames())
    return _reel("kraken", "BTC/USD", shots), view


# -- orders -----------------------------------------------------------------------------------------
class Orders:
    """Orders at some prices, in queues."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.queues: dict[int, dict[int, list[tuple[str, int]]]] = {BID: {}, ASK: {}}
        self.made = 0

    def tick(self, side: int) -> int:
        return 1000 - self.draw.randrange(8) if side == BID else 1001 + self.draw.randrange(8)

    def add(self, name: Callable[[int], str]) -> tuple[int, int, str, int]:
        side = self.draw.choice((BID, ASK))
        tick, lots = self.tick(side), self.draw.choice([100_000_000, 12_345_678, 5, 250_000_000])
        self.made += 1
        ident = name(self.made)
        self.queues[side].setdefault(tick, []).append((ident, lots))
        return side, tick, ident, lots

    def some(self) -> tuple[int, int, int] | None:
        places = [
            (s, t, i) for s, levels in self.queues.items() for t, queue in levels.items() for i in range(len(queue))
        ]
        return self.draw.choice(places) if len(places) > 12 else None

    def drop(self, place: tuple[int, int, int]) -> tuple[str, int]:
        side, tick, i = place
        one = self.queues[side][tick].pop(i)
        if not self.queues[side][tick]:
            del self.queues[side][tick]
        return one

    @property
    def book(self) -> Book:
        return {
            s: {t: sum(lots for _, lots in queue) for t, queue in levels.items()} for s, levels in self.queues.items()
        }


def kraken_l3(seed: int, messages: int) -> tuple[Listed, Book]:
    """Orders in queues, each with its own digits, under the checksum."""
    orders = Orders(seed)

    def checksum() -> int:
        texts = []
        for side in (ASK, BID):
            for tick in sorted(orders.queues[side], reverse=side == BID)[:10]:
                for _, lots in orders.queues[side][tick]:
                    texts += [kraken_field(price(tick)), kraken_field(size(lots))]
        return zlib.crc32("".join(texts).encode())

    def entry(tick: int, ident: str, lots: int, **event: str) -> dict[str, object]:
        return {
            "order_id": ident,
            "limit_price": bare(price(tick)),
            "order_qty": bare(size(lots)),
            "timestamp": WHEN,
        } | event

    def said(kind: str, sides: dict[int, list[dict[str, object]]]) -> bytes:
        one = {"symbol": "BTC/USD", "bids": sides.get(BID, []), "asks": sides.get(ASK, []), "checksum": checksum()}
        return raw({"channel": "level3", "type": kind, "data": [one | {"timestamp": WHEN}]})

    def frames() -> Iterator[bytes]:
        told = {"channel": "level3", "depth": 10, "snapshot": True, "symbol": "BTC/USD"}
        yield raw({"method": "subscribe", "result": told, "success": True})
        for _ in range(30):
            orders.add(lambda n: f"O{n}")
        yield said("snapshot", {
            side: [entry(t, i, lots) for t in levels for i, lots in levels[t]] for side, levels in orders.queues.items()
        })  # fmt: skip
        for _ in range(messages):
            place = orders.some()
            chance = orders.draw.random()
            if place is None or chance < 0.4:
                side, tick, ident, lots = orders.add(lambda n: f"O{n}")
                yield said("update", {side: [entry(tick, ident, lots, event="add")]})
                continue
            side, tick, i = place
            ident, lots = orders.queues[side][tick][i]
            if chance < 0.7:
                orders.drop(place)
                yield said("update", {side: [entry(tick, ident, lots, event="delete")]})
            elif chance < 0.85:  # smaller, in its place
                left = max(1, lots // 2)
                orders.queues[side][tick][i] = (ident, left)
                yield said("update", {side: [entry(tick, ident, left, event="modify")]})
            else:  # to the back of another price
                orders.drop(place)
                to = orders.tick(side)
                if to == tick:
                    orders.queues[side].setdefault(tick, []).insert(
                        min(i, len(orders.queues[side].get(tick, []))), (ident, lots)
                    )
                else:
                    orders.queues[side].setdefault(to, []).append((ident, lots))
                yield said("update", {side: [entry(to, ident, lots, event="modify")]})

    shots = _timed("kraken-l3", frames())
    return _reel("kraken-l3", "BTC/USD", shots), orders.book


def coinbase_full(seed: int, messages: int) -> tuple[Listed, Book]:
    """The life of orders by number; the snapshot is an answer over HTTP."""
    orders = Orders(seed)
    draw = random.Random(seed)

    def name(_: int) -> str:
        return str(uuid.UUID(int=draw.getrandbits(128)))

    def frames() -> Iterator[bytes | tuple[str, bytes]]:
        number = 50
        base = {"product_id": "BTC-USD", "time": WHEN}
        for _ in range(30):
            orders.add(name)
        sides = {
            label: [[price(t), size(lots), ident] for t in levels for ident, lots in levels[t]]
            for label, levels in (("bids", orders.queues[BID]), ("asks", orders.queues[ASK]))
        }
        yield ("BTC-USD", raw({"sequence": number, **sides, "time": WHEN}))
        for n in range(messages):
            number += 1
            place = orders.some()
            chance = orders.draw.random()
            if chance < 0.2:
                yield raw(base | {"type": "received", "sequence": number, "order_id": name(0), "side": "buy"})
            elif place is None or chance < 0.55:
                side, tick, ident, lots = orders.add(name)
                told = {"type": "open", "sequence": number, "order_id": ident, "side": "buy" if side == BID else "sell"}
                yield raw(base | told | {"price": price(tick), "remaining_size": size(lots)})
            elif chance < 0.8:
                ident, _ = orders.drop(place)
                yield raw(base | {"type": "done", "sequence": number, "order_id": ident, "reason": "canceled"})
            else:
                side, tick, i = place
                ident, lots = orders.queues[side][tick][i]
                taken = max(1, lots // 3)
                orders.queues[side][tick][i] = (ident, lots - taken)
                if lots == taken:
                    orders.drop(place)
                told = {"type": "match", "sequence": number, "maker_order_id": ident, "taker_order_id": name(0)}
                told |= {"trade_id": n + 1, "side": "buy" if side == BID else "sell", "price": price(tick)}
                yield raw(base | told | {"size": size(taken)})

    shots = _timed("coinbase-full", frames())
    return _reel("coinbase-full", "BTC-USD", shots), orders.book


# -- books by level ---------------------------------------------------------------------------------
def coinbase_exchange(seed: int, messages: int) -> tuple[Listed, Book]:
    """Changes of levels that nothing numbers."""
    market = Market(seed)

    def frames() -> Iterator[bytes]:
        sides = {
            label: [[price(t), size(market.book[side][t])] for t in market.best(side)]
            for label, side in (("bids", BID), ("asks", ASK))
        }
        yield raw({"type": "snapshot", "product_id": "BTC-USD", **sides, "time": WHEN})
        for n in range(messages):
            side, tick, lots = market.change()
            change = ["buy" if side == BID else "sell", price(tick), size(lots)]
            yield raw({"type": "l2update", "product_id": "BTC-USD", "time": WHEN, "changes": [change]})
            if n % 9 == 0:
                told = {"trade_id": n // 9 + 1, "price": "100.1", "size": "1.5", "side": "sell", "time": WHEN}
                yield raw({"type": "match", "product_id": "BTC-USD"} | told)

    shots = _timed("coinbase-exchange", frames())
    return _reel("coinbase-exchange", "BTC-USD", shots), market.book


def gemini(seed: int, messages: int) -> tuple[Listed, Book]:
    """Updates that begin with the id the last one ended with."""
    market = Market(seed)

    def frames() -> Iterator[bytes]:
        at = 7000
        sides = {
            label: [[price(t), size(market.book[side][t])] for t in market.best(side)]
            for label, side in (("b", BID), ("a", ASK))
        }
        yield raw({"e": "depthUpdate", "E": START_NS, "s": "btcusd", "U": at, "u": at, **sides})
        for n in range(messages):
            side, tick, lots = market.change()
            before, at = at, at + market.draw.randint(1, 4)
            levels: dict[str, list[list[str]]] = {"b": [], "a": []}
            levels["b" if side == BID else "a"].append([price(tick), size(lots)])
            yield raw({"e": "depthUpdate", "E": START_NS, "s": "btcusd", "U": before, "u": at, **levels})
            if n % 9 == 0:
                yield raw({"E": START_NS, "s": "btcusd", "t": n + 1, "p": "100.1", "q": "1.5", "m": False})

    shots = _timed("gemini", frames())
    return _reel("gemini", "btcusd", shots), market.book


def okx(seed: int, messages: int) -> tuple[Listed, Book]:
    """Updates that name the one before."""
    market = Market(seed)

    def frames() -> Iterator[bytes]:
        at = 10

        def said(action: str, sides: dict[int, list[int]], before: int) -> bytes:
            levels = {
                label: [[price(t), size(market.book[side].get(t, 0)), "0", "1"] for t in sides.get(side, [])]
                for label, side in (("bids", BID), ("asks", ASK))
            }
            one = levels | {"ts": str(START_NS // 10**6), "checksum": 0, "prevSeqId": before, "seqId": at}
            return raw({"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": action, "data": [one]})

        yield said("snapshot", {side: market.best(side) for side in (BID, ASK)}, -1)
        for n in range(messages):
            side, tick, _ = market.change()
            before, at = at, at + market.draw.randint(1, 9)
            yield said("update", {side: [tick]}, before)
            if n % 9 == 0:
                one = {"instId": "BTC-USDT", "tradeId": str(n + 1), "px": "100.1", "sz": "2", "side": "buy"}
                one["ts"] = str(START_NS // 10**6)
                yield raw({"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [one]})

    shots = _timed("okx", frames())
    return _reel("okx", "BTC-USDT", shots), market.book


def bitfinex(seed: int, messages: int) -> tuple[Listed, Book]:
    """Levels on a numbered channel under the socket's counter, with checksums."""
    market = Market(seed)
    symbol = "tBTCUSD"

    def plain(lots: int) -> str:
        return size(lots).rstrip("0").removesuffix(".")

    def row(side: int, tick: int) -> list[object]:
        lots = market.book[side].get(tick, 0)
        sign = "" if side == BID else "-"
        return [bare(price(tick).removesuffix(".0")), 1 if lots else 0, bare(f"{sign}{plain(lots) if lots else 1}")]

    def checksum() -> int:
        texts = []
        for i in range(25):
            for side in (BID, ASK):
                for tick in market.best(side)[i : i + 1]:
                    sign = "" if side == BID else "-"
                    texts.append(f"{price(tick).removesuffix('.0')}:{sign}{plain(market.book[side][tick])}")
        crc = zlib.crc32(":".join(texts).encode())
        return crc - (1 << 32) if crc & 0x8000_0000 else crc

    def frames() -> Iterator[bytes]:
        number = 0

        def counted(*parts: object) -> bytes:
            nonlocal number
            number += 1
            return raw([4242, *parts, number, START_NS // 10**6])

        yield raw({"event": "info", "version": 2})
        yield raw({"event": "conf", "status": "OK", "flags": 131072 + 65536 + 32768})
        about = {"channel": "book", "symbol": symbol, "prec": "P0", "freq": "F0", "len": "250", "pair": "BTCUSD"}
        yield raw({"event": "subscribed", "chanId": 4242, **about})
        yield counted([row(side, tick) for side in (BID, ASK) for tick in market.best(side)])
        for n in range(messages):
            side, tick, _ = market.change()
            yield counted(row(side, tick))
            if n % 5 == 4:
                yield counted("cs", checksum())
            if n % 40 == 0:
                yield counted("hb")

    shots = _timed("bitfinex", frames())
    return _reel("bitfinex", symbol, shots), market.book


# -- Bitstamp ---------------------------------------------------------------------------------------
def micro(n: int) -> str:
    return str(START_NS // 1000 + n)


def bitstamp(seed: int, messages: int) -> tuple[Listed, Book]:
    """Whole books."""
    market = Market(seed)

    def frames() -> Iterator[bytes]:
        for n in range(messages):
            market.change()
            sides = {
                label: [[price(t), size(market.book[side][t])] for t in market.best(side)]
                for label, side in (("bids", BID), ("asks", ASK))
            }
            yield raw({"data": {"microtimestamp": micro(n), **sides}, "channel": "order_book_btcusd", "event": "data"})
            if n % 9 == 0:
                told = {"id": n + 1, "price_str": "100.1", "amount_str": "1.5", "type": 0, "microtimestamp": micro(n)}
                yield raw({"data": told, "channel": "live_trades_btcusd", "event": "trade"})

    shots = _timed("bitstamp", frames())
    return _reel("bitstamp", "btcusd", shots), market.book


def bitstamp_diff(seed: int, messages: int) -> tuple[Listed, Book]:
    """Updates by time; the snapshot is an answer over HTTP that comes after some of them."""
    market = Market(seed)

    def frames() -> Iterator[bytes | tuple[str, bytes]]:
        for n in range(messages):
            side, tick, _ = market.change()
            sides = {
                label: [[price(tick), size(market.book[side].get(tick, 0))]] if its == side else []
                for label, its in (("bids", BID), ("asks", ASK))
            }
            told = {"microtimestamp": micro(n), **sides}
            yield raw({"data": told, "channel": "diff_order_book_btcusd", "event": "data"})
            if n == 5:
                whole = {
                    label: [[price(t), size(market.book[side][t])] for t in market.best(side)]
                    for label, side in (("bids", BID), ("asks", ASK))
                }
                yield ("btcusd", raw({"timestamp": "1", "microtimestamp": micro(n), **whole}))

    shots = _timed("bitstamp-diff", frames())
    return _reel("bitstamp-diff", "btcusd", shots), market.book


# -- levels by number, by id, with a login ----------------------------------------------------------
def dydx(seed: int, messages: int) -> tuple[Listed, Book]:
    """Frames of all channels under one counter."""
    market = Market(seed)

    def frames() -> Iterator[bytes]:
        number = 0

        def said(kind: str, channel: str, contents: object) -> bytes:
            nonlocal number
            number += 1
            head = {"type": kind, "connection_id": "c", "message_id": number, "id": "BTC-USD", "channel": channel}
            return raw(head | {"version": "1.0.0", "contents": contents})

        yield raw({"type": "connected", "connection_id": "c", "message_id": 0})
        sides = {
            label: [{"price": price(t), "size": size(market.book[side][t])} for t in market.best(side)]
            for label, side in (("bids", BID), ("asks", ASK))
        }
        yield said("subscribed", "v4_orderbook", sides)
        yield said("subscribed", "v4_trades", {"trades": []})
        for n in range(messages):
            side, tick, lots = market.change()
            one = {"bids" if side == BID else "asks": [[price(tick), size(lots)]]}
            if n % 4 == 0:
                yield said("channel_batch_data", "v4_orderbook", [one])
            else:
                yield said("channel_data", "v4_orderbook", one)
            if n % 9 == 0:
                told = {"id": f"t{n}", "side": "BUY", "size": "0.5", "price": "100.1", "createdAt": WHEN}
                yield said("channel_data", "v4_trades", {"trades": [told | {"type": "LIMIT"}]})

    shots = _timed("dydx", frames())
    return _reel("dydx", "BTC-USD", shots), market.book


def bitmex(seed: int, messages: int) -> tuple[Listed, Book]:
    """Levels by id, of which only an insert states the price; sizes are contracts."""
    market = Market(seed)
    ids: dict[int, int] = {}
    made = 8_000_000

    def frames() -> Iterator[bytes]:
        def row(side: int, tick: int, action: str) -> dict[str, object]:
            nonlocal made
            if tick not in ids:
                made += 1
                ids[tick] = made
            one: dict[str, object] = {"symbol": "XBTUSD", "id": ids[tick], "side": "Buy" if side == BID else "Sell"}
            if action == "delete":
                del ids[tick]
            else:
                one["size"] = market.book[side][tick]
            if action in ("partial", "insert"):
                one["price"] = bare(price(tick))
            return one | {"timestamp": WHEN, "transactTime": WHEN}

        def said(action: str, rows: list[dict[str, object]], **more: object) -> bytes:
            return raw({"table": "orderBookL2", "action": action, "data": rows} | more)

        rows = [row(side, tick, "partial") for side in (BID, ASK) for tick in market.best(side)]
        yield said("partial", rows, keys=["symbol", "id", "side"], filter={"symbol": "XBTUSD"})
        for n in range(messages):
            side, tick, lots = market.change()
            action = "delete" if not lots else "update" if tick in ids else "insert"
            yield said(action, [row(side, tick, action)])
            if n % 9 == 0:
                told = {"symbol": "XBTUSD", "side": "Buy", "size": 100, "price": bare("100.1"), "timestamp": WHEN}
                yield raw({"table": "trade", "action": "insert", "data": [told | {"trdMatchID": f"m{n}"}]})

    shots = _timed("bitmex", frames())
    return _reel("bitmex", "XBTUSD", shots, lot="1"), market.book


def alpaca_crypto(seed: int, messages: int) -> tuple[Listed, Book]:
    """Messages in arrays, some of what nobody subscribed."""
    market = Market(seed)

    def frames() -> Iterator[bytes]:
        def book(sides: dict[str, list[tuple[int, int]]], **more: object) -> dict[str, object]:
            levels = {
                label: [{"p": bare(price(t)), "s": bare(size(lots))} for t, lots in some]
                for label, some in sides.items()
            }
            return {"T": "o", "S": "BTC/USD", "t": WHEN} | levels | more

        yield raw([{"T": "success", "msg": "connected"}])
        whole = {
            label: [(t, market.book[side][t]) for t in market.best(side)] for label, side in (("b", BID), ("a", ASK))
        }
        yield raw([book(whole, r=True)])
        for n in range(messages):
            side, tick, lots = market.change()
            sides: dict[str, list[tuple[int, int]]] = {"b": [], "a": []}
            sides["b" if side == BID else "a"].append((tick, lots))
            told = {"T": "t", "S": "BTC/USD", "i": n + 1, "p": bare("100.1"), "s": bare("1.5"), "t": WHEN, "tks": "B"}
            other = {"T": "b", "S": "BTC/USD", "o": 1, "t": WHEN}
            yield raw([book(sides), *([told, other] if n % 9 == 0 else [])])

    shots = _timed("alpaca-crypto", frames())
    return _reel("alpaca-crypto", "BTC/USD", shots), market.book


def bitstamp_l3(seed: int, messages: int) -> tuple[Listed, Book]:
    """Orders in a chain of events, from an empty book."""
    orders = Orders(seed)

    def frames() -> Iterator[bytes]:
        number = 0

        def said(event: str, side: int, tick: int, ident: str, lots: int) -> bytes:
            nonlocal number
            number += 1
            data = {"id": int(ident), "id_str": ident, "order_type": 0 if side == BID else 1, "price_str": price(tick)}
            data |= {"amount_str": size(lots), "microtimestamp": micro(number * 50_000)}
            data |= {"event_id": f"e{number}", "pre_event_id": f"e{number - 1}"}
            return raw({"data": data, "channel": "live_orders_btcusd", "event": f"order_{event}"})

        for _ in range(messages):
            place = orders.some()
            chance = orders.draw.random()
            if place is None or chance < 0.5:
                side, tick, ident, lots = orders.add(str)
                yield said("created", side, tick, ident, lots)
                continue
            side, tick, i = place
            ident, lots = orders.queues[side][tick][i]
            if chance < 0.75 or lots < 2:
                orders.drop(place)
                yield said("deleted", side, tick, ident, lots)
            else:
                orders.queues[side][tick][i] = (ident, lots // 2)
                yield said("changed", side, tick, ident, lots // 2)

    shots = _timed("bitstamp-l3", frames())
    return _reel("bitstamp-l3", "btcusd", shots), orders.book


MARKETS: dict[str, Callable[[int, int], tuple[Listed, Book]]] = {
    "alpaca-crypto": alpaca_crypto, "bitfinex": bitfinex, "bitmex": bitmex, "bitstamp": bitstamp,
    "bitstamp-diff": bitstamp_diff, "bitstamp-l3": bitstamp_l3,
    "coinbase-exchange": coinbase_exchange, "coinbase-full": coinbase_full,
    "dydx": dydx, "gemini": gemini,
    "kraken": kraken, "kraken-l3": kraken_l3, "okx": okx,
}  # fmt: skip
"""Makers of (reel, the book at the end) by venue."""
