"""Small good files of every foreign format, made here, none of them real data."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import random
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec
import zstandard

START_NS = 1_367_847_000_000_000_000


def lobster(folder: Path) -> Path:
    """A day of 400 messages of one stock with its book file, 5 levels a side."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(11)
    orders: dict[int, list[int]] = {}
    books = {1: {}, -1: {}}
    for at in range(1, 6):
        for side in (1, -1):
            books[side][1_000_000 - side * at * 100] = 50 * at
    messages, rows, time_ns, serial = [], [], 34_200 * 10**9, 100
    for _ in range(400):
        time_ns += draw.randrange(1, 10**8)
        kind = draw.choice((1, 1, 1, 2, 3, 4, 5)) if len(orders) > 20 else 1
        if kind == 1:
            side = draw.choice((1, -1))
            price, size = 1_000_000 - side * draw.randrange(1, 5) * 100, draw.randrange(1, 9) * 10
            serial += 1
            orders[serial] = [side, price, size]
            books[side][price] = books[side].get(price, 0) + size
            line = (1, serial, size, price, side)
        elif kind == 5:
            side = draw.choice((1, -1))
            line = (5, 0, draw.randrange(1, 50), 1_000_000 + draw.choice((-50, 0, 50)), side)
        else:
            order = draw.choice(sorted(orders))
            side, price, left = orders[order]
            size = left if kind == 3 else draw.randrange(1, left + 1)
            orders[order][2] -= size
            if not orders[order][2]:
                del orders[order]
            books[side][price] -= size
            if not books[side][price]:
                del books[side][price]
            line = (kind, order, size, price, side)
        messages.append(f"{time_ns // 10**9}.{time_ns % 10**9:09d}," + ",".join(map(str, line)))
        asks, bids = sorted(books[-1].items())[:5], sorted(books[1].items(), reverse=True)[:5]
        asks += [(9999999999, 0)] * (5 - len(asks))
        bids += [(-9999999999, 0)] * (5 - len(bids))
        rows.append(",".join(f"{a},{x},{b},{y}" for (a, x), (b, y) in zip(asks, bids, strict=True)))
    stem = "TEST_2013-05-06_34200000_57600000"
    (folder / f"{stem}_message_5.csv").write_text("\n".join(messages) + "\n")
    (folder / f"{stem}_orderbook_5.csv").write_text("\n".join(rows) + "\n")
    return folder


def bitstamp_log(folder: Path) -> Path:
    """A log of some 500 lines, compressed, whose snapshots always agree."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(12)
    orders: dict[int, list[int]] = {}
    lines, now, serial, trades = [], START_NS // 10**6, 5_000, 70

    def put(event: str, **body: object) -> None:
        lines.append(f"{now} {event} ".encode() + msgspec.json.encode(body))

    def order(event: str, one: int, left: int) -> None:
        side, price, _ = orders[one]
        put(
            f"order_{event}", price=f"{price / 100:.2f}", amount=f"{left / 1e8:.8f}", datetime=str(now // 1000),
            id=one, order_type=side,
        )  # fmt: skip

    for at in range(450):
        now += draw.randrange(1, 900)
        if len(orders) < 12 or draw.random() < 0.5:
            serial += 1
            side = draw.randrange(2)
            price = 10_000 + (1 if side else -1) * draw.randrange(3, 40)
            orders[serial] = [side, price, draw.randrange(1, 10**9)]
            order("created", serial, orders[serial][2])
        elif draw.random() < 0.3:
            one = draw.choice(sorted(orders))
            taken = draw.randrange(1, orders[one][2] + 1)
            orders[one][2] -= taken
            order("changed" if orders[one][2] else "deleted", one, orders[one][2])
            trades += 1
            put("trade", price=orders[one][1] / 100, amount=taken / 1e8, id=trades)
            if not orders[one][2]:
                del orders[one]
        else:
            one = draw.choice(sorted(orders))
            order("deleted", one, orders[one][2])
            del orders[one]
        if at % 9 == 8:
            sides = []
            for side in (0, 1):
                levels: dict[int, int] = {}
                for of, price, left in orders.values():
                    if of == side:
                        levels[price] = levels.get(price, 0) + left
                best = sorted(levels.items(), reverse=not side)[:20]
                sides.append([(f"{price / 100:.2f}", f"{left / 1e8:.8f}") for price, left in best])
            put("order_book", bids=sides[0], asks=sides[1])
    path = folder / "2013-05-06.log.bz2"
    path.write_bytes(bz2.compress(b"\n".join(lines) + b"\n"))
    return path


def standx(folder: Path, *, rows: int = 300, text: bool = False) -> Path:
    """Books of 4 levels a side, every third a repetition, and trades of both sides."""
    import polars as pl

    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(13)
    start = dt.datetime(2024, 5, 6, tzinfo=dt.UTC)
    books, trades, middle, now = [], [], 5_000, start

    def number(value: int, decimals: int) -> object:
        return f"{value / 10**decimals:.{decimals}f}" if text else value / 10**decimals

    for at in range(rows):
        now += dt.timedelta(microseconds=draw.randrange(1, 200_000))
        times = {"timestamp": now - dt.timedelta(milliseconds=200), "received_at": now, "symbol": "TEST-USD"}
        if at % 3 or not books:
            middle += draw.randrange(-2, 3)
            book = {}
            for side, sign in (("bid", -1), ("ask", 1)):
                ticks = [middle + sign * step for step in sorted(draw.sample(range(1, 9), 4))]
                book[f"{side}_prices"] = [number(tick, 1) for tick in ticks]
                book[f"{side}_quantities"] = [number(draw.randrange(1, 400), 3) for _ in ticks]
        books.append(times | book)
        if draw.random() < 0.4:
            buy = draw.random() < 0.5
            trades.append(
                times | {"price": number(middle, 1), "quantity": number(draw.randrange(1, 50), 3)}
                | {"side": "BUY" if buy else "SELL", "is_buyer_taker": buy}
            )  # fmt: skip
    pl.DataFrame(books).write_parquet(folder / "orderbook_TEST-USD_2024-05-06_00.parquet")
    pl.DataFrame(trades).write_parquet(folder / "trades_TEST-USD_2024-05-06_00.parquet")
    return folder


def dbn_metadata(
    schema: str | None = "mbo", symbols: dict[str, int] | None = None, dataset: str = "GLBX.MDP3"
) -> bytes:
    """The head of a DBN file."""
    import databento_dbn as dbn

    day = dt.date(2013, 5, 6)
    mappings = [
        SimpleNamespace(
            raw_symbol=name,
            intervals=[SimpleNamespace(start_date=day, end_date=day + dt.timedelta(days=1), symbol=str(number))],
        )
        for name, number in (symbols or {"MESM3": 7}).items()
    ]
    return dbn.Metadata(
        dataset=dataset, start=START_NS, stype_in=dbn.SType.RAW_SYMBOL, stype_out=dbn.SType.INSTRUMENT_ID,
        schema=dbn.Schema.from_str(schema) if schema else None, symbols=list(symbols or {"MESM3": 7}),
        mappings=mappings,
    ).encode()  # fmt: skip


def databento(folder: Path) -> Path:
    """An mbo file of one instrument: a snapshot, then orders, changes, cancels and executions."""
    import databento_dbn as dbn

    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(14)
    records, orders, serial, now = [], {}, 900, START_NS

    def put(action: str, side: str, tick: int, size: int, order: int, flags: int = 128) -> None:
        records.append(
            bytes(
                dbn.MBOMsg(
                    1, 7, now - 10_000, order, tick * 250_000_000, size, dbn.Action.from_str(action),
                    dbn.Side.from_str(side), now, flags=flags, sequence=len(records) + 1,
                )
            )
        )  # fmt: skip

    put("R", "N", 0, 0, 0, 32)
    for at in range(20):
        serial += 1
        side = "BA"[at % 2]
        orders[serial] = [side, 20_000 + (-1 if side == "B" else 1) * (1 + at // 4), 1 + at]
        put("A", *orders[serial], serial, 160 if at == 19 else 32)
    for _ in range(300):
        now += draw.randrange(1, 10**8)
        choice = draw.random()
        if len(orders) < 15 or choice < 0.45:
            serial += 1
            side = draw.choice("BA")
            orders[serial] = [side, 20_000 + (-1 if side == "B" else 1) * draw.randrange(1, 8), draw.randrange(1, 20)]
            put("A", *orders[serial], serial)
            continue
        one = draw.choice(sorted(orders))
        side, tick, size = orders[one]
        if choice < 0.7:
            put("C", side, tick, size, one)
            del orders[one]
        elif choice < 0.85:
            orders[one] = [side, tick, draw.randrange(1, 20)]
            put("M", *orders[one], one)
        else:
            taken = draw.randrange(1, size + 1)
            put("T", "A" if side == "B" else "B", tick, taken, 0, 0)
            put("F", side, tick, taken, one, 0)
            put("C", side, tick, taken, one)
            orders[one][2] -= taken
            if not orders[one][2]:
                del orders[one]
    path = folder / "test.mbo.dbn.zst"
    path.write_bytes(zstandard.compress(dbn_metadata() + b"".join(records)))
    return path


def _binance_session() -> list[tuple[int, bytes]]:
    """A snapshot, then a chain of depth messages and trades of one spot symbol, with their receive times."""
    draw = random.Random(15)
    update, now, trades = 1_000, START_NS, 0
    book = {
        "lastUpdateId": update,
        "bids": [[f"{100 - at / 100:.2f}", "1.500"] for at in range(1, 31)],
        "asks": [[f"{100 + at / 100:.2f}", "2.500"] for at in range(1, 31)],
    }
    frames = [(now, msgspec.json.encode(book))]

    def put(stream: str, data: dict[str, object]) -> None:
        frames.append((now, msgspec.json.encode({"stream": f"testusdt@{stream}", "data": data})))

    def level(side: int) -> list[str]:
        return [f"{100 + side * draw.randrange(1, 30) / 100:.2f}", f"{draw.randrange(0, 300) / 1000:.3f}"]

    for at in range(200):
        now += draw.randrange(1, 10**5) * 1000
        event = {"E": now // 10**6, "s": "TESTUSDT"}
        first, update = update + 1, update + draw.randrange(1, 5)
        bids, asks = [level(-1) for _ in range(draw.randrange(3))], [level(1) for _ in range(draw.randrange(3))]
        put("depth@100ms", {"e": "depthUpdate", **event, "U": first, "u": update, "b": bids, "a": asks})
        if at % 4 == 0:
            trades += 1
            price = level(draw.choice((-1, 1)))[0]
            times = {"T": now // 10**6, "m": at % 8 == 0}
            put("trade", {"e": "trade", **event, "t": trades, "p": price, "q": "0.250", **times})
    return frames


def binance_capture(folder: Path) -> Path:
    """A session as `<local ns> <json>` lines, compressed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "testusdt_20130506.gz"
    lines = [b"%d %s" % frame for frame in _binance_session()]
    path.write_bytes(gzip.compress(b"\n".join(lines) + b"\n", mtime=0))
    return path


def venue_capture(folder: Path) -> Path:
    """The same session with its header, the listing of instruments and the connection, compressed."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = _binance_session()
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "9999.00", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "9999.000", "stepSize": "0.001"},
    ]
    listing = {
        "symbols": [
            {"symbol": "TESTUSDT", "status": "TRADING", "baseAsset": "TEST", "quoteAsset": "USDT", "filters": filters}
        ]
    }
    api = "https://api.binance.com/api/v3"

    def line(kind: str, ns: int, **more: object) -> bytes:
        ts = b'"ts":%d.%06d,' % divmod(ns // 1000, 10**6)
        return b'{"t":"' + kind.encode() + b'",' + ts + msgspec.json.encode(more)[1:]

    rest, stream = "BINANCE.http.0", "BINANCE.ws.1"
    lines = [
        b'{"t":"header","format":2,"exchange":"BINANCE","config":{}}',
        line(
            "http", START_NS - 10**6, conn=rest, url=f"{api}/exchangeInfo", data=msgspec.json.encode(listing).decode()
        ),
        line("connect", START_NS - 10**6, conn=stream, addr="wss://stream.binance.com:9443/stream"),
        line("http", START_NS, conn=rest, url=f"{api}/depth?symbol=TESTUSDT&limit=1000", data=frames[0][1].decode()),
        *(line("recv", ns, conn=stream, data=frame.decode()) for ns, frame in frames[1:]),
    ]
    path = folder / "TEST.jsonl.zst"
    path.write_bytes(zstandard.compress(b"\n".join(lines) + b"\n"))
    return path


def hyperliquid_capture(folder: Path) -> Path:
    """Whole books of 10 levels a side, best prices and prints as `<local ns> <json>` lines, compressed."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(15)
    lines, now, middle = [], START_NS, 20_000

    def put(channel: str, data: object) -> None:
        lines.append(b"%d %b" % (now, msgspec.json.encode({"channel": channel, "data": data})))

    def level(price: int) -> dict[str, object]:
        return {"px": f"{price}.0", "sz": f"{draw.randrange(1, 10**6) / 1e5:.5f}", "n": draw.randrange(1, 9)}

    for at in range(200):
        now += draw.randrange(10**7, 10**9)
        ms = now // 10**6 - 300
        middle += draw.randrange(-1, 2)
        if at % 3 != 2:
            sides = [[level(middle - sign * k) for k in range(1, 11)] for sign in (1, -1)]
            put("l2Book", {"coin": "TEST", "time": ms, "levels": sides})
        else:
            put("bbo", {"coin": "TEST", "time": ms, "bbo": [level(middle - 1), level(middle + 1)]})
            taker = draw.choice("AB")
            size = f"{draw.randrange(1, 10**5) / 1e5:.5f}"
            price = f"{middle - 1 if taker == 'A' else middle + 1}.0"
            one = {"coin": "TEST", "side": taker, "px": price, "sz": size, "time": ms, "hash": "0x0", "tid": 900 + at}
            put("trades", [one])
    path = folder / "test_20130506.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines) + b"\n", mtime=0))
    return path


def tardis(folder: Path) -> Path:
    """Increments with a snapshot at the start and one in between, trades, and funding, of one market."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(16)
    now = START_NS // 1000
    keys = "exchange,symbol,timestamp,local_timestamp"
    book = [f"{keys},is_snapshot,side,price,amount"]
    trades = [f"{keys},id,side,price,amount"]
    ticker = [
        f"{keys},funding_timestamp,funding_rate,predicted_funding_rate,open_interest,last_price,index_price,mark_price"
    ]

    def head() -> str:
        return f"test-exchange,TESTUSD,{now - 4_000},{now}"

    def level(side: str) -> str:
        sign = 1 if side == "ask" else -1
        return f"{(10_000 + sign * draw.randrange(1, 40)) / 2:.1f}"

    for at in range(300):
        now += draw.randrange(1, 400_000)
        if at in (0, 150):
            for side in ("bid", "ask"):
                sign = 1 if side == "ask" else -1
                book += [
                    f"{head()},true,{side},{(10_000 + sign * k) / 2:.1f},{draw.randrange(1, 99)}" for k in range(1, 20)
                ]
            continue
        for _ in range(draw.randrange(1, 4)):
            side = draw.choice(("bid", "ask"))
            book.append(f"{head()},false,{side},{level(side)},{draw.choice((0, 1, 1)) * draw.randrange(1, 99)}")
        if at % 3 == 0:
            side = draw.choice(("buy", "sell", "unknown"))
            trades.append(f"{head()},{7_000 + at},{side},{level('bid')},{draw.randrange(1, 50)}")
        if at % 50 == 0:
            ticker.append(f"{head()},{now + 10**6},0.0001,0.0002,{10_000 + at},5000.5,5000.25,{5000 + at / 100}")
    day = "2013-05-06_TESTUSD.csv"
    (folder / f"test-exchange_incremental_book_L2_{day}").write_text("\n".join(book) + "\n")
    (folder / f"test-exchange_trades_{day}").write_text("\n".join(trades) + "\n")
    (folder / f"test-exchange_derivative_ticker_{day}").write_text("\n".join(ticker) + "\n")
    return folder


def hftbacktest(folder: Path) -> Path:
    """A snapshot, changes and trades, some of them once more for the exchange's side."""
    import numpy as np

    from feeds.files.hftbacktest import RECORD

    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(17)
    exchange, local, buy, sell = 1 << 31, 1 << 30, 1 << 29, 1 << 28
    both = exchange | local
    rows, now = [], START_NS

    def put(kind: int, flags: int, price: float, amount: float) -> None:
        rows.append((kind | flags, now - 2_000_000, now, price, amount, 0, 0, 0.0))

    for side, sign in ((buy, -1), (sell, 1)):
        put(3, both | side, 100 + sign * 2.0, 0)
        for at in range(1, 21):
            put(4, both | side, 100 + sign * at / 10, draw.randrange(1, 900) / 1000)
    for at in range(400):
        now += draw.randrange(0, 3) * 1_000_000
        side, sign = draw.choice(((buy, -1), (sell, 1)))
        if at % 5 == 0:
            put(2, both | side, 100 - sign / 10, draw.randrange(1, 90) / 1000)
        elif at % 17 == 0:
            put(1, exchange | side, 100 + sign * draw.randrange(1, 20) / 10, 0.5)
        else:
            put(
                1,
                both | side,
                100 + sign * draw.randrange(1, 20) / 10,
                draw.choice((0, 1)) * draw.randrange(1, 900) / 1000,
            )
    path = folder / "testusdt_20130506.npz"
    np.savez_compressed(path, data=np.array(rows, dtype=RECORD))
    return path


class ItchDay:
    """Messages of TotalView-ITCH 5.0 behind their lengths, written by the layouts of its specification."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.now = 14_400 * 10**9
        self.serial = 0

    def put(self, letter: str, body: bytes, locate: int = 7) -> None:
        """Add a message."""
        head = letter.encode() + struct.pack(">HH", locate, 0) + self.now.to_bytes(6, "big")
        self.out += struct.pack(">H", len(head) + len(body)) + head + body

    def begin(self, *stocks: str) -> None:
        """Start of messages, the directory and trading states."""
        self.put("S", b"O", 0)
        for locate, stock in enumerate(stocks, 7):
            name = stock.encode().ljust(8)
            self.put("R", name + b"QN" + struct.pack(">I", 100) + b"NCZ PNN1N" + struct.pack(">I", 0) + b"N", locate)
            self.put("H", name + b"T" + b" " + b"    ", locate)
            self.put("Y", name + b"0", locate)

    def add(
        self, side: str, shares: int, price: int, *, mpid: bool = False, stock: str = "TEST", locate: int = 7
    ) -> int:
        """A new order; gives its number."""
        self.serial += 1
        body = struct.pack(">Q", self.serial) + side.encode() + struct.pack(">I", shares) + stock.encode().ljust(8)
        body += struct.pack(">I", price) + (b"NSDQ" if mpid else b"")
        self.put("F" if mpid else "A", body, locate)
        return self.serial


def itch(folder: Path) -> Path:
    """A day of one stock: orders of all fates, hidden executions, a cross, a halt and a broken trade."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(18)
    day = ItchDay()
    day.begin("TEST")
    orders: dict[int, list[int]] = {}
    match = 500
    for at in range(500):
        day.now += draw.randrange(1, 10**8)
        if len(orders) < 15 or draw.random() < 0.4:
            side = draw.choice((1, -1))
            price, shares = 1_000_000 - side * draw.randrange(1, 9) * 100, draw.randrange(1, 9) * 100
            orders[day.add("B" if side > 0 else "S", shares, price, mpid=at % 5 == 0)] = [side, price, shares]
            continue
        one = draw.choice(sorted(orders))
        _, price, left = orders[one]
        what = draw.choice("EECXDUPQB" if at > 100 else "EECXDU")
        match += 1
        if what in "EC":
            done = draw.randrange(1, left + 1)
            body = struct.pack(">QIQ", one, done, match)
            extra = draw.choice((b"Y", b"N")) + struct.pack(">I", price - 100) if what == "C" else b""
            day.put(what, body + extra)
            orders[one][2] -= done
        elif what == "X":
            done = draw.randrange(1, left + 1)
            day.put("X", struct.pack(">QI", one, done))
            orders[one][2] -= done
        elif what == "D":
            day.put("D", struct.pack(">Q", one))
            orders[one][2] = 0
        elif what == "U":
            day.serial += 1
            orders[day.serial] = [orders[one][0], price + 100 * draw.randrange(-1, 2), draw.randrange(1, 900)]
            day.put("U", struct.pack(">QQII", one, day.serial, orders[day.serial][2], orders[day.serial][1]))
            orders[one][2] = 0
        elif what == "P":
            body = (
                struct.pack(">Q", 0) + b"B" + struct.pack(">I", 50) + b"TEST    " + struct.pack(">IQ", 1_000_050, match)
            )
            day.put("P", body)
        elif what == "Q":
            day.put("Q", struct.pack(">Q", 1_000) + b"TEST    " + struct.pack(">IQ", 1_000_000, match) + b"O")
        else:
            day.put(
                "P",
                struct.pack(">Q", 0)
                + b"B"
                + struct.pack(">I", 70)
                + b"TEST    "
                + struct.pack(">IQ", 1_000_000, match),
            )
            day.put("B", struct.pack(">Q", match))
        if not orders[one][2]:
            del orders[one]
    day.put("H", b"TEST    " + b"H" + b" " + b"T1  ")
    day.put("S", b"C", 0)
    path = folder / "05062013.NASDAQ_ITCH50"
    path.write_bytes(bytes(day.out))
    return path


def table(folder: Path) -> Path:
    """Trades under names of columns in common use."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(19)
    now = START_NS // 10**6
    lines = ["time,trade_id,price,qty,side,symbol"]
    for at in range(400):
        now += draw.randrange(0, 900)
        price, size = (10_000 + draw.randrange(-20, 21)) / 100, draw.randrange(1, 9_000) / 1000
        lines.append(f"{now},{at + 60},{price:.2f},{size:.3f},{draw.choice(('BUY', 'SELL'))},TESTUSD")
    path = folder / "trades.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def lighter(folder: Path) -> Path:
    """A whole book, changes in their order, prints and slow inputs, each with the time it was received."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(20)
    frames: list[dict[str, object]] = []
    now, offset, serial = START_NS // 10**3, 5_000, 900

    def put(body: dict[str, object]) -> None:
        frames.append({"ts": now / 10**6, "msg": msgspec.json.encode(body).decode()})

    def level(sign: int) -> dict[str, str]:
        price = 20_000 + sign * draw.randrange(1, 30)
        return {
            "price": f"{price / 10:.1f}",
            "size": f"{draw.choice((0, 1, 1)) * draw.randrange(1, 10**6) / 10**5:.5f}",
        }

    put({"session_id": "0", "type": "connected"})
    stats = {
        "symbol": "TEST",
        "market_id": 3,
        "index_price": "2000.1",
        "mark_price": "2000.2",
        "current_funding_rate": "0.0012",
    }
    put({"channel": "market_stats:3", "market_stats": stats, "type": "subscribed/market_stats"})
    for at in range(300):
        now += draw.randrange(1, 10**6)
        offset += 1
        book: dict[str, object] = {"code": 0, "offset": offset, "nonce": offset * 3}
        if at == 0:
            book["bids"] = [{"price": f"{(20_000 - k) / 10:.1f}", "size": "1.50000"} for k in range(1, 30)]
            book["asks"] = [{"price": f"{(20_000 + k) / 10:.1f}", "size": "2.50000"} for k in range(1, 30)]
        else:
            book["bids"], book["asks"] = ([level(sign) for _ in range(draw.randrange(3))] for sign in (-1, 1))
        kind = "update" if at else "subscribed"
        common = {"channel": "order_book:3", "offset": offset, "timestamp": now // 1000 - 20}
        put({**common, "order_book": book, "type": f"{kind}/order_book"})
        if at % 4 == 1:
            serial += 1
            trade = {
                "trade_id": serial, "price": level(1)["price"], "size": "0.01000", "is_maker_ask": at % 8 == 1,
                "timestamp": now // 1000 - 20, "type": "liquidation" if at % 40 == 1 else "trade",
            }  # fmt: skip
            forced = trade["type"] == "liquidation"
            both = {"trades": [] if forced else [trade], "liquidation_trades": [trade] if forced else None}
            put({"channel": "trade:3", **both, "type": "update/trade"})
    path = folder / "frames.json"
    path.write_bytes(b"[\n" + b",\n".join(msgspec.json.encode(frame) for frame in frames) + b"\n]\n")
    return path


SAMPLES: dict[str, Callable[[Path], Path]] = {
    "binance-capture": binance_capture,
    "bitstamp-log": bitstamp_log,
    "databento": databento,
    "hftbacktest": hftbacktest,
    "hyperliquid-capture": hyperliquid_capture,
    "itch": itch,
    "lighter": lighter,
    "lobster": lobster,
    "standx": standx,
    "table": table,
    "tardis": tardis,
    "venue-capture": venue_capture,
}
"""What makes a good small sample of each format, by the reader's name: a file or a folder inside the given one."""
